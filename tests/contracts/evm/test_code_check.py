"""Is the code on chain the code in this house? Every lie about it is named, and the truth is not called a lie."""

from dataclasses import replace

import pytest
from sha3 import keccak_256

from contracts.artifacts import DEPLOYABLE, EVM_VERSION, ROOT, load
from contracts.code_check import IMMUTABLES, differences, runtime_of
from contracts.deployment import Creation, code_digest, deploy
from contracts.deployment_record import DeploymentRecord
from contracts.devnet_keys import devnet_key
from contracts.transacting import transact

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


def what(found):
    return {(difference.contract, difference.what) for difference in found}


@pytest.fixture
def record(evm):
    return DeploymentRecord.of(deploy(evm, KEY, withdrawal_delay_seconds=60))


@pytest.fixture
def here(local):
    return DeploymentRecord.of(deploy(local, KEY, withdrawal_delay_seconds=60))


def test_what_was_deployed_from_the_artifacts_is_the_same(evm, record):
    assert check(evm, record) == []


def test_a_settlement_over_a_token_of_somebody_else_is_the_same(local, here):
    token = here.contract("TestEuro").address
    second = DeploymentRecord.of(deploy(local, KEY, token=token))
    assert [contract.name for contract in second.contracts] == ["Settlement"]
    assert check(local, second) == []


@pytest.mark.parametrize("name", DEPLOYABLE)
def test_the_runtime_code_inside_the_bytecode_is_the_compilers_and_so_are_the_immutables(name):
    from vyper.compiler import compile_from_file_input
    from vyper.compiler.input_bundle import FilesystemInputBundle
    from vyper.compiler.settings import Settings

    bundle = FilesystemInputBundle([ROOT.parent])
    compiled = compile_from_file_input(
        bundle.load_file(ROOT.relative_to(ROOT.parent) / f"{name}.vy"),
        input_bundle=bundle,
        output_formats=["bytecode", "bytecode_runtime", "layout"],
        settings=Settings(evm_version=EVM_VERSION),
    )
    runtime = bytes.fromhex(compiled["bytecode_runtime"][2:])
    artifact = replace(load(name), bytecode=bytes.fromhex(compiled["bytecode"][2:]), runtime_size=len(runtime))
    assert runtime_of(artifact) == runtime
    assert tuple(_by_offset(compiled["layout"]["code_layout"])) == IMMUTABLES[name]


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
    assert what(found) == {(name, kind) for name in DEPLOYABLE for kind in ("runtime code", "creation input")}
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
    lied = changed(here, "Settlement", arguments=contract.arguments[:-1] + b"\x01")
    found = check(local, lied)
    assert what(found) == {("Settlement", "creation input"), ("Settlement", "immutable WITHDRAWAL_DELAY")}


def test_another_token_than_the_one_deployed_is_named(local, here):
    other = deploy(local, KEY)
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
