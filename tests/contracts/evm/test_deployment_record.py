"""The record of a deployment that is published."""

import json

import pytest
from eth_abi import decode

from contracts.artifacts import DEPLOYABLE, load
from contracts.deployment import deploy
from contracts.deployment_record import DeploymentRecord
from contracts.devnet_keys import devnet_key
from contracts.errors import MalformedDeployment
from tests.contracts.evm.roles import ROLES


@pytest.fixture
def deployment(local):
    return deploy(local, devnet_key(0), roles=ROLES, withdrawal_delay_seconds=60, imbalance=True)


@pytest.fixture
def record(deployment):
    return DeploymentRecord.of(deployment)


def test_a_record_has_what_it_takes_to_talk_to_the_contract_and_to_check_it(local, deployment, record):
    settlement = record.contract("Settlement")
    receipt = local.receipt(settlement.creation.transaction)
    assert receipt.contract_address == settlement.address == deployment.settlement
    assert settlement.creation.block == receipt.block_number == deployment.block
    assert settlement.abi == load("Settlement").abi
    assert (settlement.compiler, settlement.evm_version) == ("vyper 0.4.3", "london")
    assert settlement.code_digest == deployment.code_digests["Settlement"]
    token, admin, delay = decode(["address", "address", "uint256"], settlement.arguments[:96])
    assert (token, admin, delay) == ("0x" + deployment.token.hex(), "0x" + deployment.admin.hex(), 60)
    did, asset, role = decode(["address"] * 3, settlement.arguments[96:192])
    assert did == "0x" + deployment.did_registry.hex()
    assert (asset, role) == ("0x" + deployment.asset_registry.hex(), "0x" + deployment.role_registry.hex())
    assert [contract.name for contract in record.contracts] == sorted(DEPLOYABLE)
    assert record.contract("Bell") is None


def test_a_record_written_is_the_record_read(record, tmp_path):
    path = record.write(tmp_path)
    assert path == tmp_path / "deployments" / "1337.json"
    assert DeploymentRecord.from_json(path.read_text()) == record


def _settlement(change):
    def damage(document):
        (contract,) = (each for each in document["contracts"] if each["name"] == "Settlement")
        contract |= change

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda document: document.update(format=2),
        lambda document: document.update(chain_id="1337"),
        lambda document: document.update(chain_id=True),
        lambda document: document.update(more=1),
        lambda document: document.update(contracts=[]),
        lambda document: document.update(contracts={}),
        lambda document: document.update(contracts=[1]),
        lambda document: document.update(contracts=2 * document["contracts"]),
        _settlement({"name": "Bell"}),
        _settlement({"address": "0x11"}),
        _settlement({"compiler": 1}),
        _settlement({"constructor_arguments": "0x1"}),
        _settlement({"creation": None}),
        _settlement({"abi": {}}),
        _settlement({"more": 1}),
    ],
)
def test_a_damaged_record_is_refused(record, damage):
    document = json.loads(record.to_json())
    damage(document)
    with pytest.raises(MalformedDeployment):
        DeploymentRecord.from_json(json.dumps(document))


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 200_000], ids=lambda text: text[:9])
def test_what_is_no_record_is_refused(text):
    with pytest.raises(MalformedDeployment):
        DeploymentRecord.from_json(text)
