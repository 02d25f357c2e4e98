"""Is the code on chain the code in this house? Compared byte by byte with an artifact, committed or just compiled.

Vyper puts a contract's immutables behind its runtime code, one word each, when the constructor runs. So the code on
chain is compared in two parts: the first `runtime_size` bytes with the compiled runtime code, which stands in the
artifact's bytecode right before the compiler's own note at the end; and the words behind it with what each immutable
must be, given the chain, the constructor's arguments and the contract's address. The transaction that created the
contract must carry the artifact's bytecode and those arguments, and nothing else. What the asset registry created in
its constructor has no transaction of its own: there the registry's must be the one, and the registry must name it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sha3 import keccak_256

from contracts.artifacts import Artifact
from contracts.deployment_record import ContractRecord, DeploymentRecord
from contracts.errors import Reverted
from contracts.evm import Evm
from contracts.json_rpc import to_data

IMMUTABLES = {
    "AssetIdentity": ("registry", "did_registry"),
    "AssetRegistry": ("did_registry", "implementation"),
    "DidRegistry": (),
    "Imbalance": ("SETTLEMENT", "bond_account", "DID_REGISTRY"),
    "RoleRegistry": ("did_registry", "asset_registry"),
    "Settlement": (
        "TOKEN",
        "SCALE",
        "WITHDRAWAL_DELAY",
        "asset_registry",
        "role_registry",
        "asset_role",
        "balancing_role",
        "cache_seconds",
        "did_registry",
        "grid_operator_role",
        "DEPLOYED_ON",
        "DOMAIN",
    ),
    "TestEuro": ("minter",),
}
"""The immutables of each contract in the order in which they stand behind its code; a test asks the compiler."""

CREATED_BY = {"AssetIdentity": "AssetRegistry"}
"""Contracts that another one created while it was created itself."""

_WORD = 32
_DECIMALS = keccak_256(b"decimals()").digest()[:4]
_BOND_ACCOUNT = keccak_256(b"bond_account()").digest()[:4]
_ACCOUNT = keccak_256(b"account(uint256)").digest()[:4]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the chain, the record and the source do not agree."""

    contract: str
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.contract}: {self.what}: expected {self.expected}, found {self.found}"

    def to_document(self) -> dict[str, str]:
        """Return the difference as plain values for JSON."""
        return {"contract": self.contract, "what": self.what, "expected": self.expected, "found": self.found}


def runtime_of(artifact: Artifact) -> bytes:
    """Return the runtime code inside an artifact's bytecode, without immutables.

    The bytecode is the constructor, the runtime code, and the compiler's note; the last two bytes are its length.
    """
    end = len(artifact.bytecode) - int.from_bytes(artifact.bytecode[-2:])
    return artifact.bytecode[end - artifact.runtime_size : end]


def differences(
    evm: Evm, record: DeploymentRecord, compiled: Callable[[str], Artifact], domain_separator: bytes
) -> list[Difference]:
    """Return every difference between the chain, the record and what `compiled` gives for a contract's name.

    `domain_separator` is what orders are signed under: the one value in the code that this room cannot compute.
    Raises `EvmError` where the chain does not answer.
    """
    if evm.chain_id != record.chain_id:
        return [Difference("chain", "chain id", str(record.chain_id), str(evm.chain_id))]
    found: list[Difference] = []
    for contract in record.contracts:
        artifact = compiled(contract.name)
        found += _of_source(contract, artifact)
        found += _of_creation(evm, contract, artifact, record)
        found += _of_code(evm, contract, artifact, record, domain_separator)
    return found


def _of_source(contract: ContractRecord, artifact: Artifact) -> Iterator[Difference]:
    """Yield where the record names another source than the one at hand."""
    for what in ("compiler", "evm_version", "source_digest"):
        expected, found = getattr(artifact, what), getattr(contract, what)
        if expected != found:
            yield Difference(contract.name, f"recorded {what}", expected, found)
    if artifact.abi != contract.abi:
        yield Difference(contract.name, "recorded abi", "the artifact's", "another")


def _of_creation(
    evm: Evm, contract: ContractRecord, artifact: Artifact, record: DeploymentRecord
) -> Iterator[Difference]:
    """Yield where the transaction in the record did not create this contract."""
    name, creation = contract.name, contract.creation
    if name in CREATED_BY:
        creator = record.contract(CREATED_BY[name])
        if creator is None or creator.creation != creation:
            yield Difference(name, "creation", f"that of {CREATED_BY[name]}", to_data(creation.transaction))
        return
    receipt = evm.receipt(creation.transaction)
    if receipt is None:
        yield Difference(name, "creation", to_data(creation.transaction), "no such transaction")
        return
    if receipt.contract_address != contract.address or not receipt.ok:
        created = "nothing" if receipt.contract_address is None else to_data(receipt.contract_address)
        yield Difference(name, "creation", to_data(contract.address), created)
    if (receipt.block_number, receipt.block_hash) != (creation.block, creation.block_hash):
        expected = f"block {creation.block} {to_data(creation.block_hash)}"
        yield Difference(name, "creation", expected, f"block {receipt.block_number} {to_data(receipt.block_hash)}")
    sent, wanted = evm.calldata(creation.transaction), artifact.bytecode + contract.arguments
    if sent != wanted:
        yield Difference(name, "creation input", _described(wanted), _where(wanted, sent or b""))


def _of_code(
    evm: Evm, contract: ContractRecord, artifact: Artifact, record: DeploymentRecord, domain_separator: bytes
) -> Iterator[Difference]:
    """Yield where the code on chain is not the compiled one, or an immutable behind it not what it must be."""
    name, code = contract.name, evm.code(contract.address)
    digest: bytes = keccak_256(code).digest()
    if digest != contract.code_digest:
        yield Difference(name, "code digest", to_data(contract.code_digest), to_data(digest))
    wanted, names = runtime_of(artifact), IMMUTABLES[name]
    if not code:
        yield Difference(name, "code", _described(wanted), f"none at {to_data(contract.address)}")
        return
    runtime, behind = code[: len(wanted)], code[len(wanted) :]
    if runtime != wanted:
        yield Difference(name, "runtime code", _described(wanted), _where(wanted, runtime))
    if len(behind) != _WORD * len(names):
        yield Difference(name, "immutables", f"{_WORD * len(names)} bytes", f"{len(behind)} bytes")
        return
    expected = _words(evm, contract, record, domain_separator)
    for index, (immutable, word) in enumerate(zip(names, expected, strict=True)):
        stands = behind[_WORD * index : _WORD * (index + 1)]
        if stands != word:
            yield Difference(name, f"immutable {immutable}", to_data(word), to_data(stands))


def _words(evm: Evm, contract: ContractRecord, record: DeploymentRecord, domain_separator: bytes) -> tuple[bytes, ...]:
    """Return what the contract's constructor makes of its arguments, in the order of `IMMUTABLES`."""
    given = [contract.arguments[at : at + _WORD] for at in range(0, 10 * _WORD, _WORD)]
    match contract.name:
        case "Settlement":
            token, _, delay, did, assets, roles, asset_role, balancing_role, grid_operator_role, cache = given
            scale, chain = _scale(evm, token[12:]).to_bytes(_WORD), record.chain_id.to_bytes(_WORD)
            asked = (assets, roles, asset_role, balancing_role, cache, did, grid_operator_role)
            return token, scale, delay, *asked, chain, domain_separator
        case "AssetRegistry":
            return given[0], _place_of(record, "AssetIdentity")
        case "AssetIdentity":
            return _place_of(record, "AssetRegistry"), given[0]
        case "RoleRegistry":
            return given[0], given[1]
        case "Imbalance":
            settlement = record.contract("Settlement")
            registry = bytes(_WORD) if settlement is None else settlement.arguments[3 * _WORD : 4 * _WORD]
            return given[0], _own_account(evm, contract.address, given[0][12:]), registry
        case "TestEuro":  # who deployed it may mint
            return (bytes(12) + contract.deployer,)
        case _:
            return ()


def _scale(evm: Evm, token: bytes) -> int:
    """Return how many nano a unit of the token is."""
    try:
        decimals = int.from_bytes(evm.call(token, _DECIMALS))
    except Reverted:
        decimals = 0
    scale: int = 10 ** (9 - min(decimals, 9))
    return scale


def _own_account(evm: Evm, imbalance: bytes, settlement: bytes) -> bytes:
    """Return the number that the contract has of its own account, as a word; zero where it does not hold that."""
    try:
        number = evm.call(imbalance, _BOND_ACCOUNT)
        holder = evm.call(settlement, _ACCOUNT + number)[:_WORD]
    except Reverted:
        return bytes(_WORD)
    return number if holder == bytes(12) + imbalance else bytes(_WORD)


def _place_of(record: DeploymentRecord, name: str) -> bytes:
    """Return where the record says that the contract is, as a word; zero where it does not."""
    contract = record.contract(name)
    return bytes(_WORD) if contract is None else bytes(12) + contract.address


def _described(code: bytes) -> str:
    return f"{len(code)} bytes {to_data(keccak_256(code).digest()[:8])}"


def _where(wanted: bytes, found: bytes) -> str:
    """Say how two byte strings differ: where first, and in how many bytes."""
    differing = [at for at in range(min(len(wanted), len(found))) if wanted[at] != found[at]]
    longer = abs(len(wanted) - len(found))
    first = differing[0] if differing else min(len(wanted), len(found))
    return f"{_described(found)}, {len(differing) + longer} bytes differ, the first at {first}"
