"""`merit meter`: what meters read, signed with their key and handed in."""

from pathlib import Path

from app.auditing import VerificationFailed
from app.client.client import MeritClient
from app.meter_file import read_meter_file
from app.output import Output
from identity.effects.keystore import read_key
from identity.signature import Signer

_SHOWN = 20


def import_file(
    path: Path,
    key_file: Path,
    url: str,
    *,
    version: int,
    rolls_over_at: int | None,
    spread: bool,
    as_json: bool,
) -> None:
    """Sign the readings in a CSV file and hand them in; raises `VerificationFailed` where any was refused."""
    output, key = Output(as_json=as_json), read_key(key_file)
    with MeritClient(url) as client:
        parameters = client.meta().parameters
        readings = read_meter_file(path, parameters.slot, version=version, rolls_over_at=rolls_over_at)
        signer, separator = Signer(key), parameters.domain.separator()
        kept = [one for one in readings if spread or not one.estimated]
        results = client.hand_in_readings([one.signed(signer, separator) for one in kept])
    refused = [
        {"start": one.reading.start, "code": result["problem"]["code"], "detail": result["problem"]["detail"]}
        for one, result in zip(kept, results, strict=True)
        if "problem" in result
    ]
    taken = sum(result["status"] == 201 for result in results)
    again = len(results) - taken - len(refused)
    estimated = sum(one.estimated for one in kept)
    output.result(
        {
            "taken": taken,
            "held_before": again,
            "refused": refused,
            "estimated": estimated,
            "left_out": len(readings) - len(kept),
        }
    )
    output.text(f"{taken} taken, {again} held before, {len(refused)} refused; {estimated} spread over gaps")
    for one in refused[:_SHOWN]:
        output.text(f"{one['start']}: {one['code']}: {one['detail']}")
    if refused:
        raise VerificationFailed(f"{len(refused)} readings were refused")
