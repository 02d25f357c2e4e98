"""What is told to the contract can be asked of it again, and what it logs is read."""

import pytest

from contracts.abi import abi_of
from contracts.errors import NoSuchContract, Reverted
from contracts.evm import LogEntry
from contracts.transacting import transact
from exchange.order import Side
from identity.address import Address
from identity.facts import AccountOpened, AssetEnrolled, AssetRefreshed, EpochBegun
from identity.registry import RequiredRoles
from identity.signature import address_of
from settlement.calldata import settle_calldata
from settlement.effects import escrow_token, settlement_contract
from settlement.effects.contract_log import PASSED_OVER, decode
from settlement.effects.errors import UnknownEvent
from settlement.effects.escrow_token import EscrowToken
from settlement.effects.settlement_contract import AccountWord, AssetWord, Role, SettlementContract
from settlement.facts import (
    BatchSettled,
    Deposited,
    WithdrawalCancelled,
    WithdrawalRequested,
    Withdrawn,
)
from settlement.record import record_of
from tests.actors import STRANGER
from tests.settlement.effects.registrar import ASSET, BALANCING, GRID_OPERATOR
from tests.settlement.effects.street import (
    ADMIN_KEY,
    CACHE,
    CONSUMER,
    EURO,
    FIRST_DELIVERY,
    FOREVER,
    NANO_PER_UNIT,
    OPERATOR_KEY,
    PRODUCER,
    PROSUMER,
    TERMS,
    WITHDRAWAL_DELAY,
)


def facts(street, receipt):
    """The facts in a receipt's log, without those passed over and those of the token."""
    block = street.evm.block(receipt.block_number)
    own = [entry for entry in receipt.logs if entry.address == street.address]
    read = [decode(entry, scale=NANO_PER_UNIT, block_time=block.timestamp) for entry in own]
    return [fact for fact in read if fact is not None]


def test_an_account_is_opened_for_its_holder(street):
    receipt = street.tell(ADMIN_KEY, settlement_contract.open_account(STRANGER.address))
    number = street.contract.account_count()
    assert facts(street, receipt) == [AccountOpened(number, STRANGER.address)]
    assert street.contract.account(number) == AccountWord(STRANGER.address, 0, 0)


def test_a_deposit_is_credit_in_nano(street):
    before = street.contract.credit_of(CONSUMER.account)
    held = street.contract.tokens_held()
    street.fund(CONSUMER.account, 3 * EURO)
    assert street.contract.credit_of(CONSUMER.account) == before + 3 * EURO * NANO_PER_UNIT
    assert street.contract.tokens_held() == held + 3 * EURO


def test_a_permit_deposits_without_an_approval(street):
    token = EscrowToken(street.evm, street.contract.token())
    transact(street.evm, ADMIN_KEY, token.address, escrow_token.mint(PRODUCER.address, EURO))
    permit = token.permit(PRODUCER.key, PRODUCER.address, street.address, EURO, FOREVER)
    before = street.contract.credit_of(PRODUCER.account)
    receipt = street.tell(
        PRODUCER.key,
        settlement_contract.deposit_with_permit(PRODUCER.account, EURO, permit.deadline, permit.v, permit.r, permit.s),
    )
    assert facts(street, receipt) == [Deposited(PRODUCER.account, EURO * NANO_PER_UNIT)]
    assert street.contract.credit_of(PRODUCER.account) == before + EURO * NANO_PER_UNIT
    assert token.balance_of(PRODUCER.address) == token.allowance(PRODUCER.address, street.address) == 0


def test_a_permit_signed_by_somebody_else_is_refused(street):
    token = EscrowToken(street.evm, street.contract.token())
    transact(street.evm, ADMIN_KEY, token.address, escrow_token.mint(PRODUCER.address, EURO))
    permit = token.permit(CONSUMER.key, PRODUCER.address, street.address, EURO, FOREVER)
    with pytest.raises(Reverted, match="escrow: permit is not valid"):
        street.tell(
            PRODUCER.key,
            settlement_contract.deposit_with_permit(
                PRODUCER.account, EURO, permit.deadline, permit.v, permit.r, permit.s
            ),
        )


def test_a_withdrawal_is_requested_and_paid_when_due(street):
    token = EscrowToken(street.evm, street.contract.token())
    asked = street.tell(CONSUMER.key, settlement_contract.request_withdrawal(CONSUMER.account, EURO))
    amount, due = street.contract.withdrawal(CONSUMER.account)
    assert facts(street, asked) == [WithdrawalRequested(CONSUMER.account, amount, due)]
    assert amount == EURO * NANO_PER_UNIT
    assert (
        due
        == street.evm.head().timestamp + WITHDRAWAL_DELAY
        == street.evm.head().timestamp + (street.contract.withdrawal_delay())
    )
    street.clock.now = due
    paid = street.tell(ADMIN_KEY, settlement_contract.withdraw(CONSUMER.account))
    assert facts(street, paid) == [Withdrawn(CONSUMER.account, EURO * NANO_PER_UNIT)]
    assert token.balance_of(CONSUMER.address) == EURO
    assert street.contract.withdrawal(CONSUMER.account) == (0, 0)


def test_a_withdrawal_is_cancelled_by_its_holder_only(street):
    street.tell(CONSUMER.key, settlement_contract.request_withdrawal(CONSUMER.account, EURO))
    with pytest.raises(Reverted, match="escrow: not the holder"):
        street.tell(PRODUCER.key, settlement_contract.cancel_withdrawal(CONSUMER.account))
    receipt = street.tell(CONSUMER.key, settlement_contract.cancel_withdrawal(CONSUMER.account))
    assert facts(street, receipt) == [WithdrawalCancelled(CONSUMER.account)]


def test_a_new_epoch_begins_with_its_block(street):
    receipt = street.tell(CONSUMER.key, settlement_contract.void_orders(CONSUMER.account))
    since = street.evm.head().timestamp
    assert facts(street, receipt) == [EpochBegun(CONSUMER.account, 1, since)]
    assert street.contract.account(CONSUMER.account).epoch == 1
    assert street.contract.epoch_ended(CONSUMER.account, 0) == since


def test_an_asset_is_enrolled_and_refreshed(street):
    until, registrar = street.clock.now + 90_000, street.registrar
    identity = registrar.create(PROSUMER.key)
    registrar.certify(identity, ASSET, PROSUMER.key, epoch=1, expiry=until + 1)
    registrar.certify(identity, BALANCING, PROSUMER.key, epoch=1, expiry=until - 9)
    enrolled = street.tell(ADMIN_KEY, settlement_contract.enrol(identity, PROSUMER.account))
    number = street.contract.asset_of(identity)
    assert number == street.contract.asset_count()
    assert street.contract.epoch_of(number) == 1
    assert facts(street, enrolled) == [AssetEnrolled(number, identity, PROSUMER.account, 1, until, until - 10)]
    assert street.contract.asset(number) == AssetWord(identity, PROSUMER.account, until, until - 10)
    end = street.evm.block(registrar.revoke(identity, ASSET).block_number).timestamp - 1
    refreshed = street.tell(ADMIN_KEY, settlement_contract.refresh([number]))
    assert facts(street, refreshed) == [AssetRefreshed(number, end, until - 10)]
    assert street.contract.asset(number).until == end


def test_the_contract_says_which_registries_it_asks_and_what_for(street):
    sources, deployment = street.contract.sources(), street.deployment
    assert (sources.settlement, sources.evm) == (street.address, street.evm)
    registries = (sources.did_registry, sources.asset_registry, sources.role_registry)
    assert registries == (deployment.did_registry, deployment.asset_registry, deployment.role_registry)
    assert street.contract.required_roles() == RequiredRoles(
        asset=ASSET, balancing=BALANCING, grid_operator=GRID_OPERATOR
    )
    assert street.contract.cache_seconds() == CACHE


def test_an_open_market_has_its_terms_and_another_has_none(street):
    assert street.contract.market(TERMS.market) == TERMS
    assert street.contract.market(TERMS.market + 1) is None


def test_a_role_is_granted_and_revoked(street):
    stranger = STRANGER.address
    street.tell(ADMIN_KEY, settlement_contract.grant(Role.GUARDIAN | Role.OPERATOR, stranger))
    assert street.contract.roles_of(stranger) == Role.GUARDIAN | Role.OPERATOR
    street.tell(ADMIN_KEY, settlement_contract.revoke(Role.GUARDIAN, stranger))
    assert street.contract.roles_of(stranger) == Role.OPERATOR


def test_the_admin_hands_over_in_two_steps(street):
    street.tell(ADMIN_KEY, settlement_contract.propose_admin(address_of(OPERATOR_KEY)))
    assert street.contract.admin() == address_of(ADMIN_KEY)
    street.tell(OPERATOR_KEY, settlement_contract.accept_admin())
    assert street.contract.admin() == address_of(OPERATOR_KEY)


def test_a_guardian_pauses_and_the_admin_lifts(street):
    street.tell(ADMIN_KEY, settlement_contract.pause())
    assert street.contract.paused()
    street.tell(ADMIN_KEY, settlement_contract.unpause())
    assert not street.contract.paused()


def test_a_settled_session_can_be_looked_up(street):
    batch = street.batch()
    session = batch.session.number
    assert street.contract.record(session, 0) is None
    assert street.contract.parts_settled(session) == (0, 0)
    street.close_gate()
    receipt = street.tell(OPERATOR_KEY, settle_calldata(batch))
    record = record_of(batch.order_root, batch.trade_root, batch.parameters, 1)
    assert street.contract.record(session, 0) == record
    assert street.contract.parts_settled(session) == (1, 1)
    (settled,) = facts(street, receipt)
    assert settled == BatchSettled(
        session=session,
        part=0,
        parts=1,
        order_root=batch.order_root,
        trade_root=batch.trade_root,
        parameters=batch.parameters,
        orders=3,
        trades=2,
        energy=batch.energy,
        value=batch.value,
        fee=batch.fee,
    )


def test_the_contract_names_orders_as_the_exchange_does(street):
    separator = street.parameters.domain.separator()
    assert street.contract.domain_separator() == separator
    for accepted in street.book(FIRST_DELIVERY).orders:
        order = accepted.signed.order
        asked = abi_of("Settlement").calldata(
            "digest_of",
            order.asset,
            order.market,
            order.product,
            order.side,
            order.delivery_start,
            order.energy,
            order.limit,
            order.preferences,
            order.valid_until,
            order.salt,
        )
        assert street.evm.call(street.address, asked) == accepted.digest
        assert order.side in (Side.BID, Side.OFFER)


def test_every_event_of_the_contract_is_read_or_passed_over():
    # the facts each test above asserts, by the event they come from
    read = {
        "AccountOpened",
        "Deposited",
        "WithdrawalRequested",
        "WithdrawalCancelled",
        "Withdrawn",
        "OrdersVoided",
        "AssetEnrolled",
        "AssetRefreshed",
        "MarketOpened",
        "Settled",
    }
    assert abi_of("Settlement").event_names == read | PASSED_OVER


def entry(topics, data):
    return LogEntry(
        address=bytes(20), topics=topics, data=data, block_number=1, block_hash=bytes(32), tx_hash=b"\1" * 32, index=4
    )


def test_an_event_of_another_contract_is_refused(street):
    with pytest.raises(UnknownEvent, match="log entry 4"):
        decode(entry((b"\2" * 32,), b""), scale=1, block_time=0)
    with pytest.raises(UnknownEvent):
        decode(entry((), b""), scale=1, block_time=0)


def test_an_event_cut_short_is_refused(street):
    receipt = street.tell(ADMIN_KEY, settlement_contract.open_account(STRANGER.address))
    topics = receipt.logs[0].topics
    assert decode(entry(topics, receipt.logs[0].data), scale=1, block_time=0) is not None
    with pytest.raises(UnknownEvent):
        decode(entry(topics[:1], b""), scale=1, block_time=0)


def test_where_no_contract_is_nothing_answers(street):
    with pytest.raises(NoSuchContract, match="does not answer scale"):
        SettlementContract(street.evm, Address(b"\7" * 20)).scale()


def test_a_number_that_fits_no_field_is_never_told():
    with pytest.raises(Exception, match="out of bounds|Cannot be encoded|outside"):
        settlement_contract.deposit(1 << 256, 1)
