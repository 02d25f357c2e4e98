"""What every implementation of the port does: in this process, behind JSON-RPC, and on anvil."""

from dataclasses import replace

import pytest

from contracts.chains import MAX_TRANSACTION_GAS, preset_of
from contracts.devnet_keys import devnet_key
from contracts.errors import FeeAboveCap, Refusal, Reverted, TransactionRefused
from contracts.evm import MAX_LOG_SPAN
from contracts.transacting import transact
from contracts.transaction import sender_of
from tests.contracts.evm.bell import CHAIN, JAM, RING, RINGS, RUNG, TIME, Ringer, bell_code, word

NOBODY = b"\x99" * 20


def test_a_chain_starts_with_its_genesis_block(evm):
    head = evm.head()
    assert (head.number, head.parent_hash) == (0, bytes(32))
    assert evm.block(0) == head


def test_a_block_that_is_not_mined_yet_is_none(evm):
    assert evm.block(1) is None


def test_every_transaction_lengthens_the_chain(evm, ringer):
    receipt = ringer.send(NOBODY, value=5)
    head = evm.head()
    assert (head.number, head.hash) == (receipt.block_number, receipt.block_hash) == (1, evm.block(1).hash)
    assert head.parent_hash == evm.block(0).hash
    assert head.timestamp >= evm.block(0).timestamp
    assert evm.balance(NOBODY) == 5


def test_a_contract_is_created_where_the_receipt_says(evm, ringer):
    receipt = ringer.send(None, bell_code())
    assert receipt.ok
    assert evm.code(receipt.contract_address) != b""
    assert evm.code(NOBODY) == b""


def test_a_receipt_says_what_became_of_a_transaction(evm, ringer, bell):
    receipt = ringer.send(bell, RING + word(3))
    assert receipt.ok
    assert receipt.contract_address is None
    assert 21_000 < receipt.gas_used < 100_000
    assert evm.receipt(receipt.tx_hash) == receipt
    (entry,) = receipt.logs
    assert (entry.address, entry.topics, entry.data) == (bell, (RUNG, bytes(12) + ringer.address), word(3))
    assert (entry.block_number, entry.block_hash) == (receipt.block_number, receipt.block_hash)
    assert (entry.tx_hash, entry.index) == (receipt.tx_hash, 0)


def test_a_call_reads_the_newest_state_and_changes_nothing(evm, ringer, bell):
    ringer.send(bell, RING + word(3))
    evm.call(bell, RING + word(4), sender=ringer.address)
    assert evm.call(bell, RINGS) == word(3)


def test_a_call_reads_an_older_block(evm, ringer, bell):
    then = ringer.send(bell, RING + word(3)).block_number
    ringer.send(bell, RING + word(4))
    assert evm.call(bell, RINGS, block=then) == word(3)
    assert evm.call(bell, RINGS) == word(7)


def test_a_contract_sees_the_chain_id_the_port_states(evm, bell):
    assert evm.call(bell, CHAIN) == word(evm.chain_id)


def test_a_contract_sees_the_time_of_the_block(evm, bell):
    assert evm.call(bell, TIME, block=1) == word(evm.block(1).timestamp)


def test_a_call_from_somebody_without_money_succeeds(evm, bell):
    assert evm.call(bell, RING + word(1), sender=NOBODY) == b""


def test_a_call_that_reverts_gives_the_reason(evm, bell):
    with pytest.raises(Reverted) as caught:
        evm.call(bell, RING + word(0))
    assert caught.value.reason == "bell: not at all"
    assert caught.value.data[:4] == bytes.fromhex("08c379a0")


def test_a_call_that_reverts_silently_has_no_reason(evm, bell):
    with pytest.raises(Reverted) as caught:
        evm.call(bell, JAM)
    assert (caught.value.reason, caught.value.data) == ("", b"")


def test_an_estimate_is_enough(evm, ringer, bell):
    estimate = evm.estimate_gas(ringer.address, bell, RING + word(3))
    assert ringer.send(bell, RING + word(3), gas=estimate).ok


def test_an_estimate_for_a_new_contract_is_enough(evm, ringer):
    assert ringer.send(None, bell_code(), gas=evm.estimate_gas(ringer.address, None, bell_code())).ok


def test_an_estimate_of_what_reverts_gives_the_reason(evm, ringer, bell):
    with pytest.raises(Reverted, match="bell: not at all"):
        evm.estimate_gas(ringer.address, bell, RING + word(0))


def test_a_transaction_that_reverts_is_mined_and_paid_for(evm, ringer, bell):
    before = evm.balance(ringer.address)
    receipt = ringer.send(bell, RING + word(0))
    assert not receipt.ok
    assert receipt.logs == ()
    assert evm.balance(ringer.address) < before
    assert evm.call(bell, RINGS) == word(0)


def test_legacy_transactions_are_taken_too(ringer, bell):
    assert ringer.send(bell, RING + word(1), legacy=True).ok


def test_the_nonce_counts_transactions(evm, ringer):
    assert evm.nonce(ringer.address) == 0
    ringer.send(NOBODY)
    assert evm.nonce(ringer.address) == evm.nonce(ringer.address, pending=True) == 1


def test_a_used_nonce_is_refused(evm, ringer):
    ringer.send(NOBODY)
    with pytest.raises(TransactionRefused) as caught:
        evm.send_raw(ringer.sign(NOBODY, nonce=0, value=1).raw)
    assert caught.value.kind is Refusal.NONCE_TOO_LOW
    assert evm.head().number == 1


def test_the_same_bytes_sent_again_are_refused_and_change_nothing(evm, ringer):
    signed = ringer.sign(NOBODY, value=5)
    assert evm.send_raw(signed.raw) == signed.hash
    ringer.wait_for(signed.hash)
    with pytest.raises(TransactionRefused) as caught:
        evm.send_raw(signed.raw)
    assert caught.value.kind in {Refusal.NONCE_TOO_LOW, Refusal.ALREADY_KNOWN}
    assert evm.balance(NOBODY) == 5


def test_a_fee_below_the_base_fee_is_refused(evm, ringer):
    with pytest.raises(TransactionRefused) as caught:
        evm.send_raw(ringer.sign(NOBODY, max_fee=1).raw)
    assert caught.value.kind is Refusal.UNDERPRICED


def test_a_transaction_nobody_can_pay_is_refused(evm):
    poor = Ringer(evm, b"\x07" * 32)
    with pytest.raises(TransactionRefused) as caught:
        evm.send_raw(poor.sign(NOBODY).raw)
    assert caught.value.kind is Refusal.INSUFFICIENT_FUNDS


def test_a_transaction_with_too_little_gas_to_begin_is_refused(evm, ringer):
    with pytest.raises(TransactionRefused) as caught:
        evm.send_raw(ringer.sign(NOBODY, gas=20_999).raw)
    assert caught.value.kind is Refusal.GAS


def test_a_transaction_for_another_chain_is_refused(evm, ringer):
    with pytest.raises(TransactionRefused):
        evm.send_raw(ringer.sign(NOBODY, chain_id=5).raw)


@pytest.mark.parametrize("raw", [b"\x00", b"\x02\xc0", b"\xc0", b"\x7f" * 40], ids=["zero", "empty", "list", "noise"])
def test_bytes_that_are_no_transaction_are_refused(evm, raw):
    with pytest.raises(TransactionRefused):
        evm.send_raw(raw)
    assert evm.head().number == 0


def test_an_unknown_transaction_has_no_receipt_and_no_calldata(evm):
    assert evm.receipt(b"\x01" * 32) is None
    assert evm.calldata(b"\x01" * 32) is None


def test_the_calldata_of_a_mined_transaction_can_be_read(evm, ringer, bell):
    assert evm.calldata(ringer.send(bell, RING + word(9)).tx_hash) == RING + word(9)


def test_logs_are_those_of_the_address_in_the_range(evm, ringer, bell):
    other = ringer.found_bell()
    receipts = [ringer.send(bell, RING + word(times)) for times in (1, 2, 3)]
    ringer.send(other, RING + word(7))
    numbers = [receipt.block_number for receipt in receipts]
    everything = [receipt.logs[0] for receipt in receipts]
    assert evm.logs(bell, 0, evm.head().number) == everything
    assert evm.logs(bell, numbers[1], numbers[1]) == everything[1:2]
    assert evm.logs(bell, numbers[1], numbers[2]) == everything[1:]
    assert evm.logs(bell, 0, numbers[0] - 1) == []
    assert evm.logs(NOBODY, 0, evm.head().number) == []


def test_a_range_of_logs_has_an_end_after_its_beginning(evm):
    with pytest.raises(ValueError, match="no range"):
        evm.logs(NOBODY, 2, 1)


def test_a_range_of_logs_is_bounded(evm):
    with pytest.raises(ValueError, match="at most"):
        evm.logs(NOBODY, 0, MAX_LOG_SPAN)


def test_the_suggested_fees_are_mined(evm, ringer):
    assert ringer.send(NOBODY, max_fee=2 * evm.base_fee() + evm.priority_fee()).ok
    assert ringer.send(NOBODY, max_fee=evm.gas_price(), legacy=True).ok


def test_transact_goes_from_intent_to_receipt(evm, bell):
    receipt = transact(evm, devnet_key(1), bell, RING + word(2))
    assert receipt.logs[0].topics[1] == bytes(12) + sender_of(devnet_key(1))
    legacy = replace(preset_of(evm.chain_id), legacy=True)
    assert transact(evm, devnet_key(1), bell, RING + word(2), preset=legacy).ok


def test_transact_offers_no_more_than_the_cap(evm, bell):
    stingy = replace(preset_of(evm.chain_id), max_fee_cap_wei=evm.base_fee())
    with pytest.raises(FeeAboveCap) as caught:
        transact(evm, devnet_key(1), bell, RING + word(2), preset=stingy)
    assert caught.value.cap == evm.base_fee() < caught.value.needed
    assert evm.nonce(sender_of(devnet_key(1))) == 0


def test_a_block_holds_enough_gas_for_the_largest_batch(evm):
    assert preset_of(evm.chain_id).gas_cap_where(evm.block_gas()) == MAX_TRANSACTION_GAS


def test_transact_pays_nothing_for_what_would_revert(evm, bell):
    with pytest.raises(Reverted, match="bell: not at all"):
        transact(evm, devnet_key(1), bell, RING + word(0))
    assert evm.nonce(sender_of(devnet_key(1))) == 0
