"""The chain in this process: time, determinism, going back, and both forks."""

from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.devnet_keys import DEVNET_KEYS, devnet_key
from contracts.errors import Refusal, Reverted, TransactionRefused
from contracts.evm import MAX_LOG_SPAN
from contracts.local_evm import LocalEvm
from contracts.transaction import sender_of
from tests.contracts.evm.bell import GENESIS_TIME, RING, RINGS, RUNG, TIME, Clock, Ringer, bell_code, keccak, word

NOBODY = b"\x99" * 20
# what the chain of `_story` must lead to on any machine, today and after every change of a dependency
STORY_HASHES = {
    "london": "50c234d5f7db4378d61629efc10fcea2eb96c99f83c15998e24a7bb0acaedb5b",
    "prague": "2f03b9cb195b4d4092c6349423cc178e142051303a14bfb00c377894a664057c",
}


def _story(fork: str) -> LocalEvm:
    clock = Clock()
    evm = LocalEvm(clock, genesis_time=GENESIS_TIME, fork=fork)
    ringer = Ringer(evm, devnet_key(0))
    bell = ringer.found_bell()
    for minute in range(3):
        clock.seconds += 60
        ringer.send(bell, RING + word(minute))
    evm.mine()
    return evm


def test_the_same_transactions_at_the_same_times_give_the_same_hashes(any_fork):
    first, second = _story(any_fork), _story(any_fork)
    assert [first.block(n) for n in range(6)] == [second.block(n) for n in range(6)]
    assert first.block(6) is None


def test_the_hashes_are_the_same_on_every_machine(any_fork):
    assert _story(any_fork).head().hash.hex() == STORY_HASHES[any_fork]


def test_another_genesis_time_gives_other_hashes(clock):
    early, late = (LocalEvm(clock, genesis_time=GENESIS_TIME + later) for later in (0, 1))
    assert early.head().hash != late.head().hash


def test_blocks_carry_the_time_of_the_clock(local, clock):
    clock.seconds = GENESIS_TIME + 900
    local.mine()
    assert local.head().timestamp == GENESIS_TIME + 900


def test_time_goes_on_by_a_second_a_block_when_the_clock_stands_still(local):
    local.mine(3)
    assert [local.block(number).timestamp - GENESIS_TIME for number in range(4)] == [0, 1, 2, 3]


def test_time_never_goes_back_with_the_clock(local, clock):
    clock.seconds = GENESIS_TIME + 900
    local.mine()
    clock.seconds = GENESIS_TIME
    local.mine()
    assert local.head().timestamp == GENESIS_TIME + 901


def test_an_estimate_looks_at_the_time_the_transaction_would_be_mined(local, clock):
    ringer = Ringer(local, devnet_key(0))
    bell = ringer.found_bell()
    clock.seconds = GENESIS_TIME + 10**6
    ringer.send(bell, TIME)
    assert local.call(bell, TIME) == word(GENESIS_TIME + 10**6)


def test_both_forks_run_london_bytecode(clock, any_fork):
    evm = LocalEvm(clock, genesis_time=GENESIS_TIME, fork=any_fork)
    ringer = Ringer(evm, devnet_key(0))
    bell = ringer.found_bell()
    assert ringer.send(bell, RING + word(2)).ok
    assert evm.call(bell, RINGS) == word(2)


def test_gas_below_the_price_of_the_data_is_refused_by_prague_rules(clock):
    data = b"\x01" * 1_000
    sent = {}
    for fork in ("london", "prague"):
        ringer = Ringer(LocalEvm(clock, genesis_time=GENESIS_TIME, fork=fork), devnet_key(0))
        sent[fork] = ringer
    assert sent["london"].send(NOBODY, data, gas=21_000 + 16_000).ok
    with pytest.raises(TransactionRefused) as caught:
        sent["prague"].send(NOBODY, data, gas=21_000 + 16_000)
    assert caught.value.kind is Refusal.GAS
    assert sent["prague"].send(NOBODY, data, gas=21_000 + 40_000).ok


def test_an_estimate_pays_the_price_of_the_data_by_prague_rules(clock):
    evm = LocalEvm(clock, genesis_time=GENESIS_TIME, fork="prague")
    assert evm.estimate_gas(sender_of(devnet_key(0)), NOBODY, b"\x01" * 1_000) == 21_000 + 40_000


def test_the_devnet_keys_own_money_and_nobody_else(local):
    assert all(local.balance(sender_of(key)) == 10**24 for key in DEVNET_KEYS)
    assert local.balance(NOBODY) == 0


def test_a_devnet_key_is_the_hash_of_its_number():
    assert devnet_key(1) == DEVNET_KEYS[1] == keccak(b"merit devnet key\x00\x00\x00\x01")
    assert len(set(DEVNET_KEYS)) == 20


def test_a_nonce_may_not_be_skipped(local):
    ringer = Ringer(local, devnet_key(0))
    with pytest.raises(TransactionRefused) as caught:
        ringer.send(NOBODY, nonce=1)
    assert caught.value.kind is Refusal.NONCE_TOO_HIGH
    assert ringer.send(NOBODY, nonce=0).ok


def test_more_gas_than_a_block_holds_is_refused(local):
    ringer = Ringer(local, devnet_key(0))
    with pytest.raises(TransactionRefused) as caught:
        ringer.send(NOBODY, gas=60_000_001)
    assert caught.value.kind is Refusal.GAS
    assert ringer.send(NOBODY, gas=60_000_000).ok


def test_an_endless_call_runs_out_of_gas(clock):
    evm = LocalEvm(clock, genesis_time=GENESIS_TIME, gas_limit=200_000)
    endless = bytes.fromhex("6004600c60003960046000f35b600056")
    address = Ringer(evm, devnet_key(0)).send(None, endless, gas=100_000).contract_address
    with pytest.raises(Reverted, match=r"(?i)out of gas"):
        evm.call(address, b"")


@pytest.mark.slow
def test_a_contract_may_call_itself_as_deep_as_the_rules_allow(clock):
    """1,024 calls inside each other, on the small stack of a thread."""
    itself = bytes.fromhex("60006000600060006000305af100")
    evm = LocalEvm(clock, genesis_time=GENESIS_TIME, gas_limit=2**40)
    found = bytes([0x60, len(itself), 0x60, 12, 0x60, 0, 0x39, 0x60, len(itself), 0x60, 0, 0xF3]) + itself
    address = Ringer(evm, devnet_key(0)).send(None, found).contract_address
    assert evm.code(address) == itself
    returned = []
    thread = Thread(target=lambda: returned.append(evm.call(address, b"")))
    thread.start()
    thread.join()
    assert returned == [b""]


def test_going_back_forgets_blocks_receipts_and_logs(local):
    ringer = Ringer(local, devnet_key(0))
    bell = ringer.found_bell()
    kept = ringer.send(bell, RING + word(1))
    mark = local.snapshot()
    gone = ringer.send(bell, RING + word(2))
    local.revert(mark)
    assert local.head().hash == kept.block_hash
    assert local.receipt(gone.tx_hash) is None
    assert local.calldata(gone.tx_hash) is None
    assert local.logs(bell, 0, 10) == list(kept.logs)
    assert local.call(bell, RINGS) == word(1)
    assert local.number_of(gone.block_hash) is None


def test_after_going_back_another_history_can_follow(local, clock):
    ringer = Ringer(local, devnet_key(0))
    bell = ringer.found_bell()
    mark = local.snapshot()
    first = ringer.send(bell, RING + word(2))
    local.revert(mark)
    clock.seconds += 100
    second = ringer.send(bell, RING + word(5))
    assert (first.block_number, first.block_hash == second.block_hash) == (second.block_number, False)
    assert local.call(bell, RINGS) == word(5)
    assert local.logs(bell, 0, 10) == list(second.logs)
    local.mine(5)
    assert local.head().number == second.block_number + 5


def test_there_is_no_going_back_to_what_has_not_been(local):
    with pytest.raises(ValueError, match="no such snapshot"):
        local.revert(local.snapshot() + 1)


def test_threads_share_the_chain(local):
    ringers = [Ringer(local, devnet_key(index)) for index in range(4)]
    bell = ringers[0].found_bell()
    signed = [
        [each.sign(bell, RING + word(1), nonce=local.nonce(each.address) + n) for n in range(5)] for each in ringers
    ]
    threads = [Thread(target=lambda row=row: [local.send_raw(each.raw) for each in row]) for row in signed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert local.call(bell, RINGS) == word(20)
    assert len(local.logs(bell, 0, 100)) == 20


def test_logs_of_a_long_chain_are_found_without_reading_it(local):
    ringer = Ringer(local, devnet_key(0))
    bell = ringer.found_bell()
    for times in range(1, 31):
        ringer.send(bell, RING + word(times))
    assert [entry.data for entry in local.logs(bell, 10, 12)] == [word(9), word(10), word(11)]
    assert len(local.logs(bell, 0, MAX_LOG_SPAN - 1)) == 30
    assert {entry.topics[0] for entry in local.logs(bell, 0, 40)} == {RUNG}


_VALID = Ringer(LocalEvm(Clock(), genesis_time=GENESIS_TIME), devnet_key(0)).sign(NOBODY, b"ring").raw


@settings(max_examples=100)
@given(st.integers(0, len(_VALID) - 1), st.binary(max_size=3), st.booleans())
def test_a_damaged_transaction_is_refused_and_changes_nothing(at, noise, cut):
    evm = _shared()
    damaged = _VALID[:at] + noise + (b"" if cut else _VALID[at + len(noise) :])
    if damaged == _VALID:
        return
    # damage inside the signature may give a valid signature of a stranger, who has no money
    with pytest.raises(TransactionRefused):
        evm.send_raw(damaged)
    assert evm.head().number == 0


_SHARED: list[LocalEvm] = []


def _shared() -> LocalEvm:
    if not _SHARED:
        _SHARED.append(LocalEvm(Clock(), genesis_time=GENESIS_TIME))
    return _SHARED[0]


def test_the_genesis_of_a_chain_holds_no_code(local):
    assert local.code(sender_of(devnet_key(0))) == b""
    assert Ringer(local, devnet_key(0)).send(None, bell_code()).block_number == 1
