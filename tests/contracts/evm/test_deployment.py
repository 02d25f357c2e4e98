"""Putting the contracts on a chain, and finding them again from the record."""

import json

import pytest
from eth_abi import decode

from contracts.artifacts import load
from contracts.deployment import Creation, Deployment, Registries, code_digest, constructor, deploy, stands
from contracts.devnet_keys import devnet_key
from contracts.errors import MalformedDeployment, NoSuchContract
from contracts.transaction import sender_of
from tests.contracts.evm.bell import keccak
from tests.contracts.evm.roles import ROLES

REGISTRIES = ("AssetIdentity", "AssetRegistry", "DidRegistry", "RoleRegistry")
OPERATOR, ADMIN = devnet_key(0), sender_of(devnet_key(1))


@pytest.fixture
def deployment(evm):
    return deploy(evm, OPERATOR, roles=ROLES)


def _read(evm, address: bytes, signature: str, kind: str):
    return decode([kind], evm.call(address, keccak(signature.encode())[:4]))[0]


def test_the_test_euro_and_the_settlement_over_it_are_deployed(evm, deployment):
    assert deployment.chain_id == evm.chain_id
    assert _read(evm, deployment.token, "decimals()", "uint8") == 6
    assert _read(evm, deployment.token, "minter()", "address") == "0x" + sender_of(OPERATOR).hex()
    assert stands(evm, deployment)


def test_the_record_says_since_when_and_from_what(evm, deployment):
    assert deployment.block == evm.head().number
    assert deployment.block_hash == evm.head().hash
    assert deployment.admin == sender_of(OPERATOR)
    assert (deployment.compiler, deployment.source_digest) == (
        load("Settlement").compiler,
        load("Settlement").source_digest,
    )
    assert deployment.code_digests == {
        name: code_digest(evm, deployment.address_of(name)) for name in (*REGISTRIES, "Settlement", "TestEuro")
    }
    assert deployment.registries_since == deployment.creations["DidRegistry"].block
    assert all(
        creation.block >= deployment.registries_since
        for name, creation in deployment.creations.items()
        if name != "TestEuro"
    )


def test_the_settlement_asks_the_registries_that_were_deployed_with_it(evm, deployment):
    for name in ("did_registry", "asset_registry", "role_registry"):
        for contract in (deployment.settlement, deployment.role_registry):
            if (contract, name) != (deployment.role_registry, "role_registry"):
                assert _read(evm, contract, f"{name}()", "address") == "0x" + getattr(deployment, name).hex()
    assert _read(evm, deployment.settlement, "asset_role()", "bytes32") == ROLES.asset
    assert _read(evm, deployment.settlement, "balancing_role()", "bytes32") == ROLES.balancing_provider
    assert _read(evm, deployment.settlement, "grid_operator_role()", "bytes32") == ROLES.grid_operator
    assert _read(evm, deployment.settlement, "cache_seconds()", "uint256") == deployment.cache_seconds
    owner = decode(["address"], evm.call(deployment.role_registry, keccak(b"owner(bytes32)")[:4] + bytes(32)))[0]
    assert owner == "0x" + deployment.root_owner.hex() == "0x" + sender_of(OPERATOR).hex()


def test_the_record_names_the_transactions_that_created_the_contracts(evm, deployment):
    for name, creation in deployment.creations.items():
        receipt = evm.receipt(creation.transaction)
        created = "AssetRegistry" if name == "AssetIdentity" else name  # which the registry deploys itself
        assert receipt.contract_address == deployment.address_of(created)
        assert (receipt.block_number, receipt.block_hash) == (creation.block, creation.block_hash)
    assert set(deployment.creations) == {*REGISTRIES, "Settlement", "TestEuro"}
    assert deployment.deployer == sender_of(OPERATOR)


def test_a_token_that_is_there_already_is_used(evm, deployment):
    second = deploy(
        evm, OPERATOR, roles=ROLES, token=deployment.token, admin=ADMIN, withdrawal_delay_seconds=60, cache_seconds=600
    )
    assert (second.token, second.admin, second.withdrawal_delay_seconds) == (deployment.token, ADMIN, 60)
    assert second.cache_seconds == 600
    assert second.settlement != deployment.settlement
    assert set(second.code_digests) == {*REGISTRIES, "Settlement"}
    assert stands(evm, second)


def test_registries_that_are_there_already_are_used(local):
    first = deploy(local, OPERATOR, roles=ROLES)
    everything = Registries(
        did=first.did_registry, assets=first.asset_registry, roles=first.role_registry, since=first.registries_since
    )
    second = deploy(local, OPERATOR, roles=ROLES, token=first.token, registries=everything)
    assert set(second.code_digests) == {"Settlement"}
    for name in ("did_registry", "asset_registry", "asset_identity", "role_registry", "registries_since"):
        assert getattr(second, name) == getattr(first, name)
    assert stands(local, second)


def test_a_did_registry_of_somebody_else_is_built_upon(local):
    """Energy Web Chain has its own."""
    first = deploy(local, OPERATOR, roles=ROLES)
    theirs = Registries(did=first.did_registry, since=7)
    second = deploy(local, OPERATOR, roles=ROLES, token=first.token, registries=theirs, root_owner=ADMIN)
    assert set(second.code_digests) == {"AssetIdentity", "AssetRegistry", "RoleRegistry", "Settlement"}
    assert (second.did_registry, second.registries_since, second.root_owner) == (first.did_registry, 7, ADMIN)
    for contract in (second.asset_registry, second.asset_identity, second.role_registry, second.settlement):
        assert _read(local, contract, "did_registry()", "address") == "0x" + first.did_registry.hex()


def test_a_role_registry_without_the_asset_registry_it_asks_is_no_set_of_registries():
    with pytest.raises(ValueError, match="comes with the asset registry"):
        Registries(did=b"\x01" * 20, roles=b"\x02" * 20)


def test_what_is_no_asset_registry_is_not_taken_for_one(local):
    first = deploy(local, OPERATOR, roles=ROLES)
    nothing = Registries(did=first.did_registry, assets=b"\x99" * 20, roles=first.role_registry)
    with pytest.raises(NoSuchContract):
        deploy(local, OPERATOR, roles=ROLES, token=first.token, registries=nothing)


def test_a_chain_where_the_code_is_another_does_not_hold_the_deployment(local):
    here = deploy(local, OPERATOR, roles=ROLES)
    mark = local.snapshot()
    assert stands(local, here)
    local.revert(mark - 1)
    assert not stands(local, here)


def test_a_chain_with_another_id_does_not_hold_the_deployment(local):
    record = json.loads(deploy(local, OPERATOR, roles=ROLES).to_json()) | {"chain_id": 5}
    assert not stands(local, Deployment.from_json(json.dumps(record)))


def test_the_constructor_encodes_its_arguments():
    registry = load("RoleRegistry")
    data = constructor(registry, b"\x11" * 20, b"\x22" * 20, b"\x33" * 20)
    assert data[: len(registry.bytecode)] == registry.bytecode
    arguments = decode(["address", "address", "address"], data[len(registry.bytecode) :])
    assert arguments == ("0x" + "11" * 20, "0x" + "22" * 20, "0x" + "33" * 20)


@pytest.fixture
def record():
    return Deployment(
        chain_id=1337,
        settlement=b"\x11" * 20,
        token=b"\x22" * 20,
        did_registry=b"\x24" * 20,
        asset_registry=b"\x25" * 20,
        asset_identity=b"\x26" * 20,
        role_registry=b"\x27" * 20,
        admin=b"\x33" * 20,
        root_owner=b"\x34" * 20,
        deployer=b"\x77" * 20,
        withdrawal_delay_seconds=60,
        cache_seconds=600,
        asset_role=b"\x0a" * 32,
        balancing_role=b"\x0b" * 32,
        grid_operator_role=b"\x0c" * 32,
        registries_since=1,
        block=2,
        block_hash=b"\x44" * 32,
        compiler="vyper 0.4.3",
        evm_version="london",
        source_digest="55" * 32,
        creations={"Settlement": Creation(b"\x88" * 32, 2, b"\x44" * 32)},
        code_digests={"Settlement": b"\x66" * 32},
    )


def test_a_contract_of_imbalance_that_is_asked_for_is_deployed_and_named(local):
    deployment = deploy(local, OPERATOR, roles=ROLES, imbalance=True)
    assert _read(local, deployment.imbalance, "settlement()", "address") == "0x" + deployment.settlement.hex()
    named = _read(local, deployment.settlement, "clearer()", "uint256")
    assert named & 2**160 - 1 == int.from_bytes(deployment.imbalance)
    assert named >> 160 == local.head().timestamp  # nobody has money there who would have to be waited for
    assert stands(local, deployment)
    assert Deployment.from_json(deployment.to_json()) == deployment


def test_where_somebody_else_is_the_admin_it_is_left_to_the_admin_to_name_it(local):
    deployment = deploy(local, OPERATOR, roles=ROLES, admin=ADMIN, imbalance=True)
    assert deployment.imbalance is not None
    assert _read(local, deployment.settlement, "clearer()", "uint256") == 0


def test_a_record_written_is_the_record_read(record):
    assert Deployment.from_json(record.to_json()) == record


def test_a_record_of_before_there_was_a_contract_of_imbalance_is_read(record):
    old = json.loads(record.to_json())
    del old["imbalance"]
    assert Deployment.from_json(json.dumps(old)) == record


@pytest.mark.parametrize(
    "damage",
    [
        {"chain_id": "1337"},
        {"block": -1},
        {"block": True},
        {"evm_version": 1},
        {"creations": {}},
        {"creations": {"Settlement": {}}},
        {"creations": {"Settlement": {"transaction": "0x" + "88" * 32, "block": -1, "block_hash": "0x" + "44" * 32}}},
        {"creations": {"Settlement": {"transaction": "0x88", "block": 2, "block_hash": "0x" + "44" * 32}}},
        {"compiler": None},
        {"settlement": "0x11"},
        {"settlement": 5},
        {"block_hash": "0x" + "44" * 31},
        {"role_registry": None},
        {"asset_role": "0x0a"},
        {"cache_seconds": -1},
        {"registries_since": "1"},
        {"code_digests": {}},
        {"code_digests": {"Settlement": "0x"}},
        {"code_digests": {"Settlement": "0x" + "66" * 32, "Bell": "0x" + "66" * 32}},
        {"imbalance": "0x" + "99" * 20},
        {"imbalance": 5},
        {"more": 1},
    ],
    ids=str,
)
def test_a_damaged_record_is_refused(record, damage):
    with pytest.raises(MalformedDeployment):
        Deployment.from_json(json.dumps(json.loads(record.to_json()) | damage))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", "[" * 200_000], ids=lambda text: text[:9])
def test_what_is_no_record_is_refused(text):
    with pytest.raises(MalformedDeployment):
        Deployment.from_json(text)
