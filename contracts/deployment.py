"""Putting the contracts on a chain, and the record of where they are."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from sha3 import keccak_256

from contracts.artifacts import DEPLOYABLE, Artifact, load
from contracts.chains import ChainPreset
from contracts.errors import MalformedDeployment, NoSuchContract
from contracts.evm import Evm, Receipt
from contracts.json_rpc import MalformedValue, read_data, to_data
from contracts.sent_log import SentLog
from contracts.transacting import transact
from contracts.transaction import sender_of

DEFAULT_WITHDRAWAL_DELAY_SECONDS = 3 * 24 * 3600
DEFAULT_CACHE_SECONDS = 24 * 3600
"""For how long Settlement uses the registries' say without asking again; docs/adr/0016 says how it was chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleNodes:
    """The roles that Settlement asks the role registry for, each by its node, a 32-byte namehash.

    What every asset must hold to trade; what it must hold to offer balancing; who may open a market.
    """

    asset: bytes
    balancing_provider: bytes
    grid_operator: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Registries:
    """Registries that are on the chain already. None: to be deployed along.

    An asset registry writes into one DID registry, and a role registry asks one of each, so whoever names one of them
    names also those it rests on. `since` is a block before which none of them has an event.
    """

    did: bytes
    assets: bytes | None = None
    roles: bytes | None = None
    since: int = 0

    def __post_init__(self) -> None:
        if self.roles is not None and self.assets is None:
            raise ValueError("a role registry comes with the asset registry it asks")


@dataclass(frozen=True, slots=True)
class Creation:
    """The transaction that created a contract, and the block it stands in."""

    transaction: bytes
    block: int
    block_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Where the contracts are, since which block, what they were compiled from, and for whom.

    `block` is the one that created Settlement, which has no event before it; the registries have none before
    `registries_since`. `deployer` paid for all of it. `root_owner` owns the root of all names, if the role registry was
    deployed along. The three roles are nodes in that registry. `creations`, and `code_digests`, which are Keccak-256
    over the runtime code on chain, are by contract name (the token and each registry are there only if they were
    deployed along). The asset registry deploys `asset_identity` itself, which every asset is a clone of, so these two
    share a transaction. `imbalance` is None where imbalance is not settled on this chain; records of before it was
    thought of say nothing of it.
    """

    chain_id: int
    settlement: bytes
    token: bytes
    did_registry: bytes
    asset_registry: bytes
    asset_identity: bytes
    role_registry: bytes
    admin: bytes
    root_owner: bytes
    deployer: bytes
    withdrawal_delay_seconds: int
    cache_seconds: int
    asset_role: bytes
    balancing_role: bytes
    grid_operator_role: bytes
    registries_since: int
    block: int
    block_hash: bytes
    compiler: str
    evm_version: str
    source_digest: str
    creations: Mapping[str, Creation]
    code_digests: Mapping[str, bytes]
    imbalance: bytes | None = None

    def address_of(self, name: str) -> bytes:
        """Return where the contract of this name stands."""
        if name == "Imbalance" and self.imbalance is not None:
            return self.imbalance
        return {
            "AssetIdentity": self.asset_identity,
            "AssetRegistry": self.asset_registry,
            "DidRegistry": self.did_registry,
            "RoleRegistry": self.role_registry,
            "Settlement": self.settlement,
            "TestEuro": self.token,
        }[name]

    def arguments_of(self, name: str) -> tuple[Any, ...]:
        """Return what the contract's constructor was given."""
        return {
            "AssetIdentity": (self.did_registry,),
            "AssetRegistry": (self.did_registry, load("AssetIdentity").bytecode),
            "DidRegistry": (),
            "Imbalance": (self.settlement,),
            "RoleRegistry": (self.did_registry, self.asset_registry, self.root_owner),
            "Settlement": (
                self.token,
                self.admin,
                self.withdrawal_delay_seconds,
                self.did_registry,
                self.asset_registry,
                self.role_registry,
                self.asset_role,
                self.balancing_role,
                self.grid_operator_role,
                self.cache_seconds,
            ),
            "TestEuro": (),
        }[name]

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
        if not isinstance(found, dict) or {*found, "imbalance"} != {field.name for field in fields(cls)}:
            raise MalformedDeployment(f"the fields are not {', '.join(field.name for field in fields(cls))}")
        try:
            return cls(**_typed(found))
        except (MalformedValue, AttributeError) as error:
            raise MalformedDeployment(str(error)) from error


def deploy(
    evm: Evm,
    key: bytes,
    *,
    roles: RoleNodes,
    admin: bytes | None = None,
    root_owner: bytes | None = None,
    token: bytes | None = None,
    registries: Registries | None = None,
    withdrawal_delay_seconds: int = DEFAULT_WITHDRAWAL_DELAY_SECONDS,
    cache_seconds: int = DEFAULT_CACHE_SECONDS,
    preset: ChainPreset | None = None,
    sent: SentLog | None = None,
    gas: int | None = None,
    imbalance: bool = False,
) -> Deployment:
    """Deploy Settlement, and before it the token and the registries that are not given; `key` pays.

    With `imbalance`, its contract is deployed after that, and named as the clearer if whoever pays is the admin; else
    the admin is to name it.

    The admin is whoever pays, unless another is named, and so is who owns the root of all names. The token is a test
    euro. `preset`, `sent` and `gas` are as for `transact`. Waits until everything is mined; raises `EvmError`.
    """
    receipts: dict[str, Receipt] = {}

    def create(name: str, *arguments: Any) -> bytes:
        receipts[name] = transact(
            evm, key, None, constructor(load(name), *arguments), preset=preset, sent=sent, gas=gas
        )
        return _created(receipts[name])

    admin = sender_of(key) if admin is None else admin
    root_owner = sender_of(key) if root_owner is None else root_owner
    if token is None:
        token = create("TestEuro")
    did, assets, role_registry, since = _given(registries)
    if did is None:
        did = create("DidRegistry")
        since = receipts["DidRegistry"].block_number
    if assets is None:
        assets = create("AssetRegistry", did, load("AssetIdentity").bytecode)
        receipts["AssetIdentity"] = receipts["AssetRegistry"]
    identity = _implementation(evm, assets)
    if role_registry is None:
        role_registry = create("RoleRegistry", did, assets, root_owner)
    asked = (did, assets, role_registry, roles.asset, roles.balancing_provider, roles.grid_operator)
    address = create("Settlement", token, admin, withdrawal_delay_seconds, *asked, cache_seconds)
    cleared_by = create("Imbalance", address) if imbalance else None
    if cleared_by is not None and admin == sender_of(key):
        named = _NAME_CLEARER + cleared_by.rjust(32, b"\0")
        transact(evm, key, address, named, preset=preset, sent=sent, gas=gas)
    stands_at = {name: _created(receipt) for name, receipt in receipts.items()}
    if "AssetIdentity" in stands_at:
        stands_at["AssetIdentity"] = identity
    settlement = load("Settlement")
    return Deployment(
        chain_id=evm.chain_id,
        settlement=address,
        token=token,
        did_registry=did,
        asset_registry=assets,
        asset_identity=identity,
        role_registry=role_registry,
        admin=admin,
        root_owner=root_owner,
        deployer=sender_of(key),
        withdrawal_delay_seconds=withdrawal_delay_seconds,
        cache_seconds=cache_seconds,
        asset_role=roles.asset,
        balancing_role=roles.balancing_provider,
        grid_operator_role=roles.grid_operator,
        registries_since=since,
        block=receipts["Settlement"].block_number,
        block_hash=receipts["Settlement"].block_hash,
        compiler=settlement.compiler,
        evm_version=settlement.evm_version,
        source_digest=settlement.source_digest,
        creations={name: Creation(each.tx_hash, each.block_number, each.block_hash) for name, each in receipts.items()},
        code_digests={name: code_digest(evm, address) for name, address in stands_at.items()},
        imbalance=cleared_by,
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


def _given(registries: Registries | None) -> tuple[bytes | None, bytes | None, bytes | None, int]:
    if registries is None:
        return None, None, None, 0
    return registries.did, registries.assets, registries.roles, registries.since


def _implementation(evm: Evm, asset_registry: bytes) -> bytes:
    """Return what the assets of this registry are clones of; `NoSuchContract` where there is no such registry."""
    returned = evm.call(asset_registry, _IMPLEMENTATION)
    if len(returned) != 32:
        raise NoSuchContract(asset_registry, "implementation()")
    return returned[12:]


def _created(receipt: Receipt) -> bytes:
    assert receipt.contract_address is not None, "the transaction had no recipient"
    return receipt.contract_address


_IMPLEMENTATION = keccak_256(b"implementation()").digest()[:4]
_NAME_CLEARER = keccak_256(b"name_clearer(address)").digest()[:4]
_NUMBERS = ("chain_id", "withdrawal_delay_seconds", "cache_seconds", "registries_since", "block")
_TEXTS = ("compiler", "evm_version", "source_digest")
_LENGTHS = {
    **dict.fromkeys(("settlement", "token", "did_registry", "asset_registry", "asset_identity", "role_registry"), 20),
    **dict.fromkeys(("admin", "root_owner", "deployer"), 20),
    **dict.fromkeys(("asset_role", "balancing_role", "grid_operator_role", "block_hash"), 32),
}


def _typed(found: dict[str, Any]) -> dict[str, Any]:
    for name in _NUMBERS:
        if type(found[name]) is not int or found[name] < 0:
            raise MalformedDeployment(f"{name} is not a whole number")
    for name in _TEXTS:
        if not isinstance(found[name], str):
            raise MalformedDeployment(f"{name} is not text")
    digests, creations = found["code_digests"], found["creations"]
    if not isinstance(digests, dict) or not {"Settlement"} <= digests.keys() <= set(DEPLOYABLE):
        raise MalformedDeployment("code_digests are not by contract name")
    imbalance = None if found.get("imbalance") is None else read_data(found["imbalance"], 20)
    if (imbalance is None) == ("Imbalance" in digests):
        raise MalformedDeployment("imbalance is an address where its contract was deployed along, and null elsewhere")
    if not isinstance(creations, dict) or creations.keys() != digests.keys():
        raise MalformedDeployment("creations and code_digests are not of the same contracts")
    return found | {
        **{name: read_data(found[name], length) for name, length in _LENGTHS.items()},
        "code_digests": {name: read_data(digest, 32) for name, digest in digests.items()},
        "creations": {name: creation_from_document(creation) for name, creation in creations.items()},
        "imbalance": imbalance,
    }
