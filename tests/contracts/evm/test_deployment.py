"""Putting the contracts on a chain, and finding them again from the record."""

import json

import pytest
from eth_abi import decode

from contracts.artifacts import load
from contracts.deployment import Creation, Deployment, code_digest, constructor, deploy, stands
from contracts.devnet_keys import devnet_key
from contracts.errors import MalformedDeployment
from contracts.transaction import sender_of
from tests.contracts.evm.bell import keccak

OPERATOR, ADMIN = devnet_key(0), sender_of(devnet_key(1))


@pytest.fixture
def deployment(evm):
    return deploy(evm, OPERATOR)


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
        "Settlement": code_digest(evm, deployment.settlement),
        "TestEuro": code_digest(evm, deployment.token),
    }


def test_the_record_names_the_transactions_that_created_the_contracts(evm, deployment):
    for name, creation in deployment.creations.items():
        receipt = evm.receipt(creation.transaction)
        assert receipt.contract_address == deployment.address_of(name)
        assert (receipt.block_number, receipt.block_hash) == (creation.block, creation.block_hash)
    assert set(deployment.creations) == {"Settlement", "TestEuro"}
    assert deployment.deployer == sender_of(OPERATOR)


def test_a_token_that_is_there_already_is_used(evm, deployment):
    second = deploy(evm, OPERATOR, token=deployment.token, admin=ADMIN, withdrawal_delay_seconds=60)
    assert (second.token, second.admin, second.withdrawal_delay_seconds) == (deployment.token, ADMIN, 60)
    assert second.settlement != deployment.settlement
    assert set(second.code_digests) == {"Settlement"}
    assert stands(evm, second)


def test_a_chain_where_the_code_is_another_does_not_hold_the_deployment(local):
    here = deploy(local, OPERATOR)
    mark = local.snapshot()
    assert stands(local, here)
    local.revert(mark - 1)
    assert not stands(local, here)


def test_a_chain_with_another_id_does_not_hold_the_deployment(local):
    record = json.loads(deploy(local, OPERATOR).to_json()) | {"chain_id": 5}
    assert not stands(local, Deployment.from_json(json.dumps(record)))


def test_the_constructor_encodes_its_arguments():
    settlement = load("Settlement")
    data = constructor(settlement, b"\x11" * 20, b"\x22" * 20, 60)
    assert data[: len(settlement.bytecode)] == settlement.bytecode
    arguments = decode(["address", "address", "uint256"], data[len(settlement.bytecode) :])
    assert arguments == ("0x" + "11" * 20, "0x" + "22" * 20, 60)


@pytest.fixture
def record():
    return Deployment(
        chain_id=1337,
        settlement=b"\x11" * 20,
        token=b"\x22" * 20,
        admin=b"\x33" * 20,
        deployer=b"\x77" * 20,
        withdrawal_delay_seconds=60,
        block=2,
        block_hash=b"\x44" * 32,
        compiler="vyper 0.4.3",
        evm_version="london",
        source_digest="55" * 32,
        creations={"Settlement": Creation(b"\x88" * 32, 2, b"\x44" * 32)},
        code_digests={"Settlement": b"\x66" * 32},
    )


def test_a_record_written_is_the_record_read(record):
    assert Deployment.from_json(record.to_json()) == record


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
        {"code_digests": {}},
        {"code_digests": {"Settlement": "0x"}},
        {"code_digests": {"Settlement": "0x" + "66" * 32, "Bell": "0x" + "66" * 32}},
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
