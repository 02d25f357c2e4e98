"""Putting the contracts on a chain, and the record of where they are."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from sha3 import keccak_256

from contracts.artifacts import Artifact, load
from contracts.chains import ChainPreset
from contracts.errors import MalformedDeployment
from contracts.evm import Evm, Receipt
from contracts.json_rpc import MalformedValue, read_data, to_data
from contracts.sent_log import SentLog
from contracts.transacting import transact
from contracts.transaction import sender_of

DEFAULT_WITHDRAWAL_DELAY_SECONDS = 3 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Creation:
    """The transaction that created a contract, and the block it stands in."""

    transaction: bytes
    block: int
    block_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Where the contracts are, since which block, what they were compiled from, and for whom.

    `block` is the one that created Settlement: nothing of ours happened before. `deployer` paid for all of it.
    `creations`, and `code_digests`, which are Keccak-256 over the runtime code on chain, are by contract name (the
    token is there only if it was deployed along).
    """

    chain_id: int
    settlement: bytes
    token: bytes
    admin: bytes
    deployer: bytes
    withdrawal_delay_seconds: int
    block: int
    block_hash: bytes
    compiler: str
    evm_version: str
    source_digest: str
    creations: Mapping[str, Creation]
    code_digests: Mapping[str, bytes]

    def address_of(self, name: str) -> bytes:
        """Return where the contract of this name stands."""
        return {"Settlement": self.settlement, "TestEuro": self.token}[name]

    def arguments_of(self, name: str) -> tuple[Any, ...]:
        """Return what the contract's constructor was given."""
        return {"Settlement": (self.token, self.admin, self.withdrawal_delay_seconds), "TestEuro": ()}[name]

    def to_json(self) -> str:
        """Return the record as sorted, indented JSON; bytes are hex."""
        plain = {name: to_data(value) if isinstance(value, bytes) else value for name, value in asdict(self).items()}
        plain["code_digests"] = {name: to_data(digest) for name, digest in self.code_digests.items()}
        plain["creations"] = {name: creation_to_document(creation) for name, creation in self.creations.items()}
        return json.dumps(plain, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote; `MalformedDeployment` says what is wrong with anything else."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise MalformedDeployment(f"not JSON: {error}") from error
        if not isinstance(found, dict) or found.keys() != {field.name for field in fields(cls)}:
            raise MalformedDeployment(f"the fields are not {', '.join(field.name for field in fields(cls))}")
        try:
            return cls(**_typed(found))
        except (MalformedValue, AttributeError) as error:
            raise MalformedDeployment(str(error)) from error


def deploy(
    evm: Evm,
    key: bytes,
    *,
    admin: bytes | None = None,
    token: bytes | None = None,
    withdrawal_delay_seconds: int = DEFAULT_WITHDRAWAL_DELAY_SECONDS,
    preset: ChainPreset | None = None,
    sent: SentLog | None = None,
) -> Deployment:
    """Deploy Settlement over `token`, and before it a test euro if no token is given; `key` pays.

    The admin is whoever pays, unless another is named. `preset` and `sent` are as for `transact`. Waits until all
    is mined; raises `EvmError`.
    """
    settlement = load("Settlement")
    receipts: dict[str, Receipt] = {}
    if token is None:
        receipts["TestEuro"] = transact(evm, key, None, constructor(load("TestEuro")), preset=preset, sent=sent)
        token = _created(receipts["TestEuro"])
    admin = sender_of(key) if admin is None else admin
    code = constructor(settlement, token, admin, withdrawal_delay_seconds)
    receipt = transact(evm, key, None, code, preset=preset, sent=sent)
    receipts["Settlement"] = receipt
    return Deployment(
        chain_id=evm.chain_id,
        settlement=_created(receipt),
        token=token,
        admin=admin,
        deployer=sender_of(key),
        withdrawal_delay_seconds=withdrawal_delay_seconds,
        block=receipt.block_number,
        block_hash=receipt.block_hash,
        compiler=settlement.compiler,
        evm_version=settlement.evm_version,
        source_digest=settlement.source_digest,
        creations={name: Creation(each.tx_hash, each.block_number, each.block_hash) for name, each in receipts.items()},
        code_digests={name: code_digest(evm, _created(each)) for name, each in receipts.items()},
    )


def constructor(artifact: Artifact, *arguments: Any) -> bytes:
    """Return the input of the transaction that creates the contract: its bytecode and the encoded arguments."""
    return artifact.bytecode + encode_arguments(artifact, *arguments)


def encode_arguments(artifact: Artifact, *arguments: Any) -> bytes:
    """Return the arguments of the contract's constructor, ABI-encoded."""
    from eth_abi.abi import encode

    inputs: list[dict[str, Any]] = next(
        (entry["inputs"] for entry in artifact.abi if entry["type"] == "constructor"), []
    )
    return encode([each["type"] for each in inputs], arguments)


def code_digest(evm: Evm, address: bytes) -> bytes:
    """Return the Keccak-256 of the runtime code at `address`."""
    digest: bytes = keccak_256(evm.code(address)).digest()
    return digest


def stands(evm: Evm, deployment: Deployment) -> bool:
    """Say whether the chain is the one recorded, and holds at the recorded addresses the code recorded."""
    return evm.chain_id == deployment.chain_id and all(
        code_digest(evm, deployment.address_of(name)) == digest for name, digest in deployment.code_digests.items()
    )


def creation_to_document(creation: Creation) -> dict[str, Any]:
    """Return a creation as plain values for JSON."""
    return {
        "transaction": to_data(creation.transaction),
        "block": creation.block,
        "block_hash": to_data(creation.block_hash),
    }


def creation_from_document(document: Any) -> Creation:
    """Read what `creation_to_document` wrote; raises `MalformedDeployment`."""
    if not isinstance(document, dict) or document.keys() != {"transaction", "block", "block_hash"}:
        raise MalformedDeployment("a creation is a transaction, a block and its hash")
    if type(document["block"]) is not int or document["block"] < 0:
        raise MalformedDeployment("the block of a creation is not a whole number")
    return Creation(read_data(document["transaction"], 32), document["block"], read_data(document["block_hash"], 32))


def _created(receipt: Receipt) -> bytes:
    assert receipt.contract_address is not None, "the transaction had no recipient"
    return receipt.contract_address


_NUMBERS = ("chain_id", "withdrawal_delay_seconds", "block")
_TEXTS = ("compiler", "evm_version", "source_digest")
_LENGTHS = {"settlement": 20, "token": 20, "admin": 20, "deployer": 20, "block_hash": 32}


def _typed(found: dict[str, Any]) -> dict[str, Any]:
    for name in _NUMBERS:
        if type(found[name]) is not int or found[name] < 0:
            raise MalformedDeployment(f"{name} is not a whole number")
    for name in _TEXTS:
        if not isinstance(found[name], str):
            raise MalformedDeployment(f"{name} is not text")
    digests, creations = found["code_digests"], found["creations"]
    if not isinstance(digests, dict) or not {"Settlement"} <= digests.keys() <= {"Settlement", "TestEuro"}:
        raise MalformedDeployment("code_digests are not by contract name")
    if not isinstance(creations, dict) or creations.keys() != digests.keys():
        raise MalformedDeployment("creations and code_digests are not of the same contracts")
    return found | {
        **{name: read_data(found[name], length) for name, length in _LENGTHS.items()},
        "code_digests": {name: read_data(digest, 32) for name, digest in digests.items()},
        "creations": {name: creation_from_document(creation) for name, creation in creations.items()},
    }
