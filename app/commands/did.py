"""`merit did`: what the DID registry says of an identity, in the W3C's words."""

import json

from app.auditing import VerificationFailed
from app.options import Where
from app.output import Output
from app.reaching import reached
from identity.resolution import Registry, resolve


def run(text: str, where: Where, *, version: int | None, as_json: bool) -> None:
    """Resolve a DID and print the resolution result; raises `VerificationFailed` where there is no document."""
    output = Output(as_json=as_json)
    with reached(where) as exchange:
        known = exchange.read()

        def block_time(number: int) -> int | None:
            block = exchange.evm.block(number) if number <= known.head else None
            return None if block is None else block.timestamp

        registry = Registry(
            chain_id=exchange.evm.chain_id,
            changes=known.chronicle.changes,
            block_time=block_time,
        )
        found = resolve(text if version is None else f"{text}?versionId={version}", registry, now=known.now)
    document = found.to_document()
    output.result(document)
    if found.error is not None:
        raise VerificationFailed(f"{found.error}: {found.resolution['message']}")
    output.text(json.dumps(document["didDocument"], indent=2))
    for name, value in found.metadata.items():
        output.text(f"{name}  {value}")
