"""A local chain that outlives its process."""

import json

import pytest

from contracts.devnet_keys import devnet_key
from contracts.errors import DamagedRecord, RecordInUse, RecordNotWritten
from contracts.local_chain import FORKS
from contracts.local_evm import LocalEvm
from tests.contracts.evm.bell import GENESIS_TIME, RING, RINGS, Clock, Ringer, word


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chain.jsonl"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """By fork: a recorded chain - a bell, two rings, one of them in vain, and an empty block - and its hashes."""
    return {fork: record(tmp_path_factory.mktemp(fork) / "chain.jsonl", fork) for fork in FORKS}


def record(path, fork):
    clock = Clock()
    evm = LocalEvm(clock, genesis_time=GENESIS_TIME, fork=fork, record=path)
    ringer = Ringer(evm, devnet_key(0))
    bell = ringer.found_bell()
    ringer.send(bell, RING + word(3))
    ringer.send(bell, RING + word(0))
    clock.seconds += 900
    evm.mine()
    evm.close()
    return path.read_bytes(), [evm.block(number).hash for number in range(5)]


@pytest.fixture
def hashes(recorded, path, clock, any_fork):
    """The hashes of a recorded chain that lies at `path`."""
    recording, hashes = recorded[any_fork]
    path.write_bytes(recording)
    clock.seconds += 900
    return hashes


def _bell(evm) -> bytes:
    receipt = evm.receipt(evm.mined(1).transactions[0].hash)
    return receipt.contract_address


def test_a_reopened_chain_has_the_same_blocks_state_and_logs(path, clock, hashes):
    evm = LocalEvm.reopen(path, clock)
    assert [evm.block(number).hash for number in range(5)] == hashes
    assert evm.warning is None
    assert evm.call(_bell(evm), RINGS) == word(3)
    assert [entry.data for entry in evm.logs(_bell(evm), 0, 4)] == [word(3)]
    assert [evm.receipt(evm.mined(number).transactions[0].hash).ok for number in (1, 2, 3)] == [True, True, False]


def test_a_reopened_chain_goes_on_and_is_reopened_again(path, clock, hashes):
    evm = LocalEvm.reopen(path, clock)
    Ringer(evm, devnet_key(0)).send(_bell(evm), RING + word(4))
    evm.close()
    again = LocalEvm.reopen(path, clock)
    assert again.head() == evm.head()
    assert again.head().number == 5
    assert again.call(_bell(again), RINGS) == word(7)


def test_a_block_is_on_the_disk_before_it_is_answered_for(path, clock):
    evm = LocalEvm(clock, genesis_time=GENESIS_TIME, record=path)
    receipt = Ringer(evm, devnet_key(0)).send(b"\x99" * 20)
    written = json.loads(path.read_bytes().splitlines()[-1])
    assert (written["number"], written["hash"]) == (1, receipt.block_hash.hex())


def test_a_last_line_cut_off_in_writing_is_dropped_with_a_warning(path, clock, hashes):
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    evm = LocalEvm.reopen(path, clock)
    assert evm.head().hash == hashes[3]
    assert "dropped" in evm.warning
    assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:-1])


def test_after_a_dropped_line_the_chain_goes_on(path, clock, hashes):
    path.write_bytes(path.read_bytes()[:-10])
    evm = LocalEvm.reopen(path, clock)
    evm.mine()
    evm.close()
    again = LocalEvm.reopen(path, clock)
    assert (again.head().number, again.head().hash, again.warning) == (4, hashes[4], None)


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
def test_damage_is_named_by_its_line(path, clock, hashes, at):
    lines = path.read_bytes().splitlines(keepends=True)
    lines[at - 1] = b"{" + lines[at - 1]
    path.write_bytes(b"".join(lines))
    with pytest.raises(DamagedRecord) as caught:
        LocalEvm.reopen(path, clock)
    assert caught.value.line == at


def _other_time(line):
    return line | {"timestamp": line["timestamp"] + 1}


def _no_transaction(line):
    return line | {"transactions": []}


def _no_hex(line):
    return line | {"transactions": ["gg"]}


def _twice(line):
    return line | {"transactions": line["transactions"] * 2}


def _other_hash(line):
    return line | {"hash": "00" * 32}


def _other_number(line):
    return line | {"number": 7}


def _number_as_text(line):
    return line | {"number": "2"}


def _number_as_truth(line):
    return line | {"number": True}


def _back_in_time(line):
    return line | {"timestamp": GENESIS_TIME}


def _one_more_field(line):
    return line | {"more": 1}


@pytest.mark.parametrize(
    "damage",
    [
        _other_time,
        _no_transaction,
        _no_hex,
        _twice,
        _other_hash,
        _other_number,
        _number_as_text,
        _number_as_truth,
        _back_in_time,
        _one_more_field,
    ],
)
def test_a_changed_block_is_named(path, clock, hashes, damage):
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = json.dumps(damage(json.loads(lines[2]))).encode() + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(DamagedRecord) as caught:
        LocalEvm.reopen(path, clock)
    assert caught.value.line == 3


@pytest.mark.parametrize(
    "change",
    [
        {"genesis_time": 1},
        {"genesis_time": -1},
        {"fork": "petersburg"},
        {"accounts": 3},
        {"gas_limit": 1},
        {"merit_devnet": 2},
    ],
    ids=str,
)
def test_a_changed_genesis_is_named(path, clock, hashes, change):
    lines = path.read_bytes().splitlines(keepends=True)
    lines[0] = json.dumps(json.loads(lines[0]) | change).encode() + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(DamagedRecord) as caught:
        LocalEvm.reopen(path, clock)
    assert caught.value.line == 1


def test_a_lost_line_is_noticed(path, clock, hashes):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    with pytest.raises(DamagedRecord) as caught:
        LocalEvm.reopen(path, clock)
    assert caught.value.line == 3


def test_an_empty_file_is_no_recording(path, clock):
    path.touch()
    with pytest.raises(DamagedRecord) as caught:
        LocalEvm.reopen(path, clock)
    assert caught.value.line == 1


def test_a_missing_file_cannot_be_reopened(path, clock):
    with pytest.raises(RecordNotWritten):
        LocalEvm.reopen(path, clock)
    assert not path.exists()


def test_a_new_chain_does_not_overwrite_a_recording(path, clock, hashes):
    before = path.read_bytes()
    with pytest.raises(RecordInUse):
        LocalEvm(clock, genesis_time=GENESIS_TIME, record=path)
    assert path.read_bytes() == before


def test_two_chains_do_not_write_to_one_recording(path, clock, hashes):
    first = LocalEvm.reopen(path, clock)
    with pytest.raises(RecordInUse):
        LocalEvm.reopen(path, clock)
    first.close()
    LocalEvm.reopen(path, clock).close()


def test_a_failed_reopening_lets_go_of_the_file(path, clock, hashes):
    whole = path.read_bytes()
    path.write_bytes(b"damage\n" + whole)
    with pytest.raises(DamagedRecord):
        LocalEvm.reopen(path, clock)
    path.write_bytes(whole)
    LocalEvm.reopen(path, clock).close()


def test_a_block_that_cannot_be_written_never_was(path):
    """The disk is full: /dev/full takes nothing."""
    clock = Clock()
    evm = LocalEvm(clock, genesis_time=GENESIS_TIME, record=path)
    ringer = Ringer(evm, devnet_key(0))
    first = ringer.send(b"\x99" * 20)
    _fill_the_disk(evm)
    for _ in range(2):
        with pytest.raises(RecordNotWritten):
            ringer.send(b"\x99" * 20)
    assert evm.head().hash == first.block_hash
    assert evm.nonce(ringer.address) == 1
    evm.close()
    assert LocalEvm.reopen(path, clock).head() == evm.head()


def _fill_the_disk(evm) -> None:
    import os

    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, evm._record._file)
    os.close(full)


def test_a_closed_chain_takes_nothing_more(path, clock):
    evm = LocalEvm(clock, genesis_time=GENESIS_TIME, record=path)
    evm.close()
    with pytest.raises(RecordNotWritten):
        evm.mine()
    assert evm.head().number == 0


def test_a_recorded_chain_does_not_go_back(path, clock, local):
    evm = LocalEvm(clock, genesis_time=GENESIS_TIME, record=path)
    mark = evm.snapshot()
    with pytest.raises(ValueError, match="does not go back"):
        evm.revert(mark)
    local.revert(local.snapshot())
