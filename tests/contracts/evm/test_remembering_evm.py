"""The chain that other tests begin with: it leads where any local chain leads, and executes nothing twice."""

import json

import pytest

from contracts.devnet_keys import devnet_key
from contracts.errors import DamagedRecord
from contracts.local_chain import Machine
from contracts.local_evm import LocalEvm
from tests.contracts.evm.bell import GENESIS_TIME, RING, RINGS, Ringer, word
from tests.simulators.remembering_evm import RememberingEvm, RememberingMachine


@pytest.fixture
def executed(monkeypatch):
    """The times of the blocks that were executed."""
    times, mine = [], Machine.mine

    def counted(machine, parent, timestamp, transactions):
        times.append(timestamp)
        return mine(machine, parent, timestamp, transactions)

    monkeypatch.setattr(Machine, "mine", counted)
    return times


@pytest.fixture
def recording(tmp_path, clock, any_fork, monkeypatch):
    """A chain of three blocks, its recording, and its bell; nothing is known of it."""
    monkeypatch.setattr(RememberingMachine, "_all", {})
    path = tmp_path / "chain.jsonl"
    evm = LocalEvm(clock, genesis_time=GENESIS_TIME, fork=any_fork, record=path)
    ringer = Ringer(evm, devnet_key(0))
    bell = ringer.found_bell()
    ringer.send(bell, RING + word(3))
    evm.mine()
    evm.close()
    return evm, path, bell


def test_what_was_executed_once_is_known(recording, clock, executed):
    evm, path, bell = recording
    for times in (3, 0):
        executed.clear()
        again = RememberingEvm.reopen(path, clock)
        assert len(executed) == times
        assert (again.head(), again.call(bell, RINGS)) == (evm.head(), word(3))
        assert again.logs(bell, 0, 3) == evm.logs(bell, 0, 3)
        again.close()


def test_chains_that_part_know_nothing_of_each_other(recording, clock, executed):
    _, path, bell = recording
    evm = RememberingEvm.reopen(path, clock)
    mark, more = evm.snapshot(), Ringer(evm, devnet_key(0))
    evm.close()
    evm._record = None  # so that it may go back
    rung = []
    for times in (4, 5, 4):
        executed.clear()
        more.send(bell, RING + word(times))
        rung.append((evm.call(bell, RINGS), len(executed)))
        evm.revert(mark)
    assert rung == [(word(7), 1), (word(8), 1), (word(7), 0)]


def test_a_recording_that_states_something_else_is_refused(recording, clock):
    _, path, _ = recording
    RememberingEvm.reopen(path, clock).close()
    lines = path.read_text().splitlines()
    lines[2] = json.dumps(json.loads(lines[2]) | {"hash": "11" * 32})
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DamagedRecord, match="another hash"):
        RememberingEvm.reopen(path, clock)
