"""Is the code on chain the code in this house? Every lie about it is named, and the truth is not called a lie."""

from dataclasses import replace

import pytest
from sha3 import keccak_256

from contracts.artifacts import DEPLOYABLE, EVM_VERSION, ROOT, load
from contracts.code_check import CREATED_BY, IMMUTABLES, differences, runtime_of
from contracts.deployment import Creation, Registries, code_digest, deploy
from contracts.deployment_record import DeploymentRecord
from contracts.devnet_keys import devnet_key
from contracts.transacting import transact
from tests.contracts.evm.roles import ROLES

KEY = devnet_key(0)


def separator(chain_id: int, settlement: bytes) -> bytes:
    """The EIP-712 domain separator, written out here once more."""
    parts = [
        b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)",
        b"Merit",
        b"1",
    ]
    words = b"".join(keccak_256(part).digest() for part in parts)
    return keccak_256(words + chain_id.to_bytes(32) + bytes(12) + settlement).digest()


def check(evm, record, compiled=load):
    settlement = record.contract("Settlement")
    return differences(evm, record, compiled, separator(record.chain_id, settlement.address))


def changed(record, name, **changes):
    """The record with other values for one contract."""
    contracts = tuple(replace(each, **changes) if each.name == name else each for each in record.contracts)
    return replace(record, contracts=contracts)


def with_word(arguments, place, number):
    """The arguments with another word at that place."""
    return arguments[: 32 * place] + number.to_bytes(32) + arguments[32 * place + 32 :]


def what(found):
    return {(difference.contract, difference.what) for difference in found}


@pytest.fixture
def record(evm):
    return DeploymentRecord.of(deploy(evm, KEY, roles=ROLES, withdrawal_delay_seconds=60))


@pytest.fixture
def here(local):
    return DeploymentRecord.of(deploy(local, KEY, roles=ROLES, withdrawal_delay_seconds=60, imbalance=True))


def test_what_was_deployed_from_the_artifacts_is_the_same(evm, record):
    assert check(evm, record) == []


def test_a_settlement_over_a_token_and_registries_of_somebody_else_is_the_same(local, here):
    token = here.contract("TestEuro").address
    registries = Registries(
        did=here.contract("DidRegistry").address,
        assets=here.contract("AssetRegistry").address,
        roles=here.contract("RoleRegistry").address,
    )
    second = DeploymentRecord.of(deploy(local, KEY, roles=ROLES, token=token, registries=registries))
    assert [contract.name for contract in second.contracts] == ["Settlement"]
    assert check(local, second) == []


def test_what_the_contract_of_imbalance_says_of_its_settlement_is_checked(local, here):
    assert check(local, here) == []
    # it says of another settlement that it clears it; and the settlement, that it asks another registry
    for name, place, immutable in (("Imbalance", 0, "SETTLEMENT"), ("Settlement", 3, "DID_REGISTRY")):
        lie = with_word(here.contract(name).arguments, place, 5)
        assert ("Imbalance", f"immutable {immutable}") in what(check(local, changed(here, name, arguments=lie)))


@pytest.mark.parametrize("name", DEPLOYABLE)
def test_the_immutables_stand_in_the_compilers_order(name):
    from vyper.compiler import compile_from_file_input
    from vyper.compiler.input_bundle import FilesystemInputBundle
    from vyper.compiler.settings import Settings

    bundle = FilesystemInputBundle([ROOT.parent])
    compiled = compile_from_file_input(
        bundle.load_file(ROOT.relative_to(ROOT.parent) / f"{name}.vy"),
        input_bundle=bundle,
        output_formats=["layout"],
        settings=Settings(evm_version=EVM_VERSION),
    )
    assert tuple(_by_offset(compiled["layout"].get("code_layout", {}))) == IMMUTABLES[name]


@pytest.mark.parametrize("name", DEPLOYABLE)
def test_the_code_on_chain_is_the_runtime_code_inside_the_bytecode_and_the_immutables(local, here, name):
    code = local.code(here.contract(name).address)
    assert code[: load(name).runtime_size] == runtime_of(load(name))
    assert len(code) == load(name).runtime_size + 32 * len(IMMUTABLES[name])


def _by_offset(layout):
    """The names of immutables in the order of their place, out of modules or not; each takes a word."""
    places = {}
    for name, entry in layout.items():
        places |= {entry["offset"]: name} if "offset" in entry else {e["offset"]: n for n, e in entry.items()}
    assert sorted(places) == [32 * index for index in range(len(places))]
    return [places[offset] for offset in sorted(places)]


def test_another_compiled_code_differs_in_code_and_in_what_was_sent(local, here):
    def other(name):
        artifact = load(name)
        at = len(artifact.bytecode) - 200
        byte = bytes([artifact.bytecode[at] ^ 1])
        return replace(artifact, bytecode=artifact.bytecode[:at] + byte + artifact.bytecode[at + 1 :])

    found = check(local, here, other)
    assert what(found) == {
        (name, kind)
        for name in DEPLOYABLE
        for kind in ("runtime code", "creation input")
        if (name, kind) != ("AssetIdentity", "creation input")
    }
    assert all("1 bytes differ" in difference.found for difference in found)


def test_another_source_or_compiler_is_named(local, here):
    def other(name):
        return replace(load(name), compiler="vyper 0.5.0", source_digest="00")

    found = check(local, here, other)
    assert what(found) == {
        (name, f"recorded {field}") for name in DEPLOYABLE for field in ("compiler", "source_digest")
    }


def test_an_abi_that_is_not_the_contracts_is_named(local, here):
    assert what(check(local, changed(here, "Settlement", abi=[]))) == {("Settlement", "recorded abi")}


def test_another_delay_than_the_one_deployed_is_named(local, here):
    contract = here.contract("Settlement")
    lied = changed(here, "Settlement", arguments=with_word(contract.arguments, 2, 61))
    found = check(local, lied)
    assert what(found) == {("Settlement", "creation input"), ("Settlement", "immutable WITHDRAWAL_DELAY")}


@pytest.mark.parametrize(
    ("place", "immutable"),
    [
        (3, "did_registry"),
        (4, "asset_registry"),
        (5, "role_registry"),
        (6, "asset_role"),
        (7, "balancing_role"),
        (8, "grid_operator_role"),
        (9, "cache_seconds"),
    ],
)
def test_a_settlement_that_asks_others_than_those_deployed_is_named(local, here, place, immutable):
    contract = here.contract("Settlement")
    lied = changed(here, "Settlement", arguments=with_word(contract.arguments, place, 5))
    asked_too = {("Imbalance", "immutable DID_REGISTRY")} if immutable == "did_registry" else set()
    expected = {("Settlement", "creation input"), ("Settlement", f"immutable {immutable}")} | asked_too
    assert what(check(local, lied)) == expected


@pytest.mark.parametrize("place", [0, 1])
def test_a_role_registry_that_asks_others_is_named(local, here, place):
    contract = here.contract("RoleRegistry")
    lied = changed(here, "RoleRegistry", arguments=with_word(contract.arguments, place, 5))
    name = ("did_registry", "asset_registry")[place]
    assert what(check(local, lied)) == {("RoleRegistry", "creation input"), ("RoleRegistry", f"immutable {name}")}


def test_arguments_that_are_too_short_are_named(local, here):
    found = what(check(local, changed(here, "Settlement", arguments=b"")))
    assert {("Settlement", "creation input"), ("Settlement", "immutable TOKEN")} <= found


def test_assets_that_are_clones_of_something_else_are_named(local, here):
    """The registry names what it clones; whatever else the record shows, even of the same code, is not that."""
    other = deploy(local, KEY, roles=ROLES)
    assert CREATED_BY == {"AssetIdentity": "AssetRegistry"}
    lied = changed(
        here,
        "AssetIdentity",
        address=other.asset_identity,
        code_digest=other.code_digests["AssetIdentity"],
        creation=other.creations["AssetIdentity"],
    )
    assert what(check(local, lied)) == {
        ("AssetRegistry", "immutable implementation"),
        ("AssetIdentity", "immutable registry"),
        ("AssetIdentity", "immutable did_registry"),
        ("AssetIdentity", "creation"),
    }


def test_another_token_than_the_one_deployed_is_named(local, here):
    other = deploy(local, KEY, roles=ROLES)
    contract = here.contract("Settlement")
    lied = changed(here, "Settlement", arguments=bytes(12) + other.token + contract.arguments[32:])
    assert ("Settlement", "immutable TOKEN") in what(check(local, lied))


def test_a_domain_that_is_not_the_contracts_is_named(local, here):
    found = differences(local, here, load, bytes(32))
    assert what(found) == {("Settlement", "immutable DOMAIN")}


def test_a_euro_that_somebody_else_may_mint_is_named(local, here):
    assert what(check(local, changed(here, "TestEuro", deployer=b"\x99" * 20))) == {("TestEuro", "immutable minter")}


def test_an_address_without_code_is_named(local, here):
    found = what(check(local, changed(here, "TestEuro", address=b"\x99" * 20)))
    assert {("TestEuro", "code"), ("TestEuro", "code digest"), ("TestEuro", "creation")} <= found


def test_another_contract_at_the_address_is_named(local, here):
    """A proxy, or anything else that only pretends."""
    pretender = transact(local, KEY, None, bytes.fromhex("6001600c60003960016000f300"))
    assert pretender.contract_address is not None
    lied = changed(
        here,
        "Settlement",
        address=pretender.contract_address,
        code_digest=code_digest(local, pretender.contract_address),
        creation=Creation(pretender.tx_hash, pretender.block_number, pretender.block_hash),
    )
    found = what(check(local, lied))
    assert {("Settlement", kind) for kind in ("runtime code", "immutables", "creation input")} <= found


def test_a_transaction_that_did_not_create_the_contract_is_named(local, here):
    creation = here.contract("TestEuro").creation
    assert ("Settlement", "creation") in what(check(local, changed(here, "Settlement", creation=creation)))


def test_a_block_that_is_not_the_transactions_is_named(local, here):
    creation = here.contract("Settlement").creation
    lied = changed(here, "Settlement", creation=replace(creation, block=creation.block + 1))
    assert what(check(local, lied)) == {("Settlement", "creation")}


def test_a_transaction_nobody_knows_is_named(local, here):
    lied = changed(here, "Settlement", creation=Creation(b"\x01" * 32, 1, b"\x02" * 32))
    assert what(check(local, lied)) == {("Settlement", "creation")}


def test_another_chain_is_named_and_nothing_else_is_asked(local, here):
    assert [str(difference) for difference in check(local, replace(here, chain_id=246))] == [
        "chain: chain id: expected 246, found 1337"
    ]
