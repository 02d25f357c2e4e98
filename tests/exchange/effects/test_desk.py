"""The desk decides, writes down, and only then answers."""

import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.book import book_from_document
from exchange.effects.desk import Desk
from exchange.effects.journal import SqliteJournal, read_journal
from exchange.effects.taken import Taken
from exchange.errors import (
    GateClosed,
    JournalBroken,
    OrderCancelledBefore,
    ParametersDiffer,
    SessionNotCleared,
    ShortOfCollateral,
    UnknownOrder,
    UnknownSession,
)
from exchange.events import GateClosed as GateClosedEvent
from exchange.events import OrderAccepted, ParametersSet, SessionCleared
from exchange.market import Market
from exchange.session import SessionState
from exchange.units import MicroPerKwh, Wh
from identity.errors import BadSignature, NotAuthorised
from identity.facts import AssetEnrolled, AssetTransferred, ClaimRevoked
from identity.signature import recover
from tests.actors import NEIGHBOUR, OPERATOR, STRANGER
from tests.exchange import street
from tests.registries import ASSET_ROLE, CERTIFIER, EVER, delegation
from tests.simulators.failing_disk import failing_disk

ROOT = Path(__file__).parents[3]


def desk_on(journal, registry, purse, clock, key=OPERATOR.key):
    """Return a desk that was not opened yet."""
    return Desk(journal, Market(), lambda: registry, purse, key, clock)


def remembered(desk):
    """Return everything the desk's market remembers."""
    return desk.look(lambda market, _: street.state_of(market))


def in_journal(path):
    """Return the events on the disk."""
    return [event for _, event in read_journal(path)]


def test_an_accepted_order_is_on_the_disk_before_it_is_answered(desk, path):
    (result,) = desk.submit([street.bid()])
    assert result.new
    assert in_journal(path) == [ParametersSet(parameters=street.PARAMETERS, at=street.CLOSURE - 100), result.accepted]


def test_the_receipt_is_signed_by_the_exchange(desk):
    order = street.bid()
    (result,) = desk.submit([order])
    receipt = result.accepted.receipt
    assert (receipt.order, receipt.sequence) == (street.digest_of(order), 1)
    assert recover(receipt.digest(street.SEPARATOR), receipt.signature) == street.PARAMETERS.receipts


def test_an_order_sent_again_is_answered_as_it_was_the_first_time(desk, clock, path):
    (first,) = desk.submit([street.bid()])
    clock.now += 50
    (again,) = desk.submit([street.bid()])
    assert again == Taken(first.accepted, new=False)
    assert len(in_journal(path)) == 2


def test_an_order_held_already_is_answered_even_after_its_gate_closed(desk, clock):
    (first,) = desk.submit([street.bid()])
    clock.now = street.CLOSURE
    desk.close_and_clear(clock.now)
    assert desk.submit([street.bid()]) == [Taken(first.accepted, new=False, state=SessionState.CLEARED)]
    assert isinstance(desk.submit([street.bid(salt=2)])[0], GateClosed)


def test_each_order_of_a_list_has_its_own_result(desk):
    orders = [street.bid(), street.signed(street.order(salt=2), STRANGER), street.bid(), street.offer()]
    taken, refused, again, other = desk.submit(orders)
    assert (taken.new, again.new, other.new) == (True, False, True)
    assert again.accepted is taken.accepted
    assert isinstance(refused, NotAuthorised)
    assert [taken.accepted.receipt.sequence, other.accepted.receipt.sequence] == [1, 2]


def test_orders_of_one_list_share_the_free_credit(desk, purse):
    cost = 1_000 * 300_000
    purse.free[2] = 2 * cost
    results = desk.submit([street.bid(salt=salt) for salt in range(3)])
    assert [isinstance(result, Taken) for result in results] == [True, True, False]
    assert isinstance(results[2], ShortOfCollateral)
    assert (results[2].needed, results[2].free) == (cost, 0)


def test_nothing_at_all_is_answered_with_nothing(desk):
    assert desk.submit([]) == []


def test_a_cancelled_order_is_taken_back_for_good(desk, path):
    order = street.bid()
    desk.submit([order])
    first = desk.cancel(street.digest_of(order), street.cancellation(order))
    assert in_journal(path)[-1] == first
    assert desk.cancel(street.digest_of(order), street.cancellation(order)) is first
    assert len(in_journal(path)) == 3
    assert isinstance(desk.submit([order])[0], OrderCancelledBefore)


def test_a_cancellation_by_a_stranger_is_refused(desk):
    order = street.bid()
    desk.submit([order])
    with pytest.raises(NotAuthorised):
        desk.cancel(street.digest_of(order), street.cancellation(order, STRANGER))
    with pytest.raises(BadSignature):
        desk.cancel(street.digest_of(order), bytes(64))


def test_a_cancellation_of_an_unknown_order_is_refused(desk):
    with pytest.raises(UnknownOrder):
        desk.cancel(bytes(32), bytes(64))


def test_a_cancellation_at_gate_closure_is_refused(desk, clock):
    order = street.bid()
    desk.submit([order])
    clock.now = street.CLOSURE
    with pytest.raises(GateClosed):
        desk.cancel(street.digest_of(order), street.cancellation(order))


def test_a_session_is_cleared_when_its_gate_closes_and_not_before(desk, clock, path):
    desk.submit([street.bid(), street.offer()])
    assert desk.close_and_clear(street.CLOSURE - 1) == []
    (cleared,) = desk.close_and_clear(street.CLOSURE)
    (trade,) = cleared.clearing.trades
    assert trade.energy == 1_000
    assert in_journal(path)[-2:] == [GateClosedEvent(session=street.SESSION, at=street.CLOSURE), cleared]
    assert desk.close_and_clear(street.CLOSURE) == []


def test_sessions_due_at_once_are_cleared_in_order(desk, clock):
    later = street.START + 900
    desk.submit([street.bid(delivery_start=later), street.bid()])
    cleared = desk.close_and_clear(later)
    assert [event.session.delivery_start for event in cleared] == [street.START, later]


def test_an_order_whose_authority_ended_is_left_out_by_name(desk, registry):
    order = street.bid()
    desk.submit([order, street.offer()])
    registry.apply(ClaimRevoked(street.KITCHEN, ASSET_ROLE, CERTIFIER.address, street.CLOSURE))
    (cleared,) = desk.close_and_clear(street.CLOSURE)
    assert cleared.excluded == ((street.digest_of(order), "asset-not-certified"),)
    assert cleared.clearing.trades == ()


@pytest.mark.parametrize("sold_at", [street.CLOSURE, street.CLOSURE + 1])
def test_an_order_of_an_asset_sold_by_gate_closure_is_left_out_and_of_one_sold_later_stands(desk, registry, sold_at):
    order = street.signed(street.order(), NEIGHBOUR)
    registry.apply(delegation(street.KITCHEN, NEIGHBOUR.address, EVER))
    desk.submit([order, street.offer()])
    registry.apply(AssetTransferred(street.KITCHEN, NEIGHBOUR.address, sold_at))  # the delegate has bought it
    registry.apply(AssetEnrolled(99, street.KITCHEN, street.ACCOUNTS[NEIGHBOUR], 2, EVER, 0))
    (cleared,) = desk.close_and_clear(street.CLOSURE + 1)
    assert cleared.excluded == (((street.digest_of(order), "asset-sold"),) if sold_at == street.CLOSURE else ())


def test_a_settled_session_frees_what_it_had_reserved(desk):
    desk.submit([street.bid(), street.offer()])
    assert desk.look(lambda market, _: market.reserved(2)) == 300_000_000
    (cleared,) = desk.close_and_clear(street.CLOSURE)
    (trade,) = cleared.clearing.trades
    assert desk.look(lambda market, _: market.reserved(2)) == trade.cost
    desk.settled(street.SESSION, street.START)
    desk.settled(street.SESSION, street.START)
    assert desk.look(lambda market, _: market.reserved(2)) == 0


def test_a_session_nobody_ordered_in_cannot_be_settled(desk):
    with pytest.raises(UnknownSession):
        desk.settled(street.SESSION, street.START)


def test_the_book_is_published_once_the_session_is_cleared(desk):
    order = street.bid(salt=2)
    results = desk.submit([street.bid(), street.offer(), order])
    desk.cancel(street.digest_of(order), street.cancellation(order))
    with pytest.raises(SessionNotCleared):
        desk.book(street.SESSION)
    (cleared,) = desk.close_and_clear(street.CLOSURE)
    book = desk.book(street.SESSION)
    assert book.orders == tuple(result.accepted for result in results)
    assert [item.digest for item in book.cancellations] == [street.digest_of(order)]
    assert book.cleared == cleared
    assert book_from_document(book.to_document()) == book
    with pytest.raises(UnknownSession):
        desk.book(street.SESSION._replace(market=2))


def a_busy_hour(desk):
    """Do everything a desk can do."""
    order = street.bid(salt=2)
    desk.submit([street.bid(), street.offer(), order, street.bid(street.FLAT, limit=MicroPerKwh(50_000))])
    desk.cancel(street.digest_of(order), street.cancellation(order))
    desk.close_and_clear(street.CLOSURE)
    desk.settled(street.SESSION, street.START)
    desk.submit([street.bid(delivery_start=street.START + 900)])


def test_a_restarted_desk_remembers_everything(desk, journal, path, registry, purse, clock):
    a_busy_hour(desk)
    before = remembered(desk)
    trades = list(desk.look(lambda _, index: list(index.listed())))
    journal.close()
    reopened = SqliteJournal(path)
    again = desk_on(reopened, registry, purse, clock)
    again.open(street.PARAMETERS)
    assert remembered(again) == before
    assert list(again.look(lambda _, index: list(index.listed()))) == trades
    assert again.submit([street.bid()])[0].new is False
    reopened.close()


def test_a_desk_under_other_rules_is_refused(desk, journal, path, registry, purse, clock):
    journal.close()
    reopened = SqliteJournal(path)
    others = replace(street.PARAMETERS, markets=(replace(street.TERMS, lead=600),), least_energy=Wh(11))
    with pytest.raises(ParametersDiffer, match="least_energy_wh is 11, was 10, market 1: lead_seconds is 600, was 300"):
        desk_on(reopened, registry, purse, clock).open(others)
    desk_on(reopened, registry, purse, clock).open(street.PARAMETERS)
    reopened.close()


def test_a_desk_with_anothers_receipts_key_is_refused(journal, registry, purse, clock):
    with pytest.raises(ParametersDiffer, match="to sign receipts"):
        desk_on(journal, registry, purse, clock, STRANGER.key).open(street.PARAMETERS)
    assert list(journal.read()) == []


@pytest.mark.parametrize("change", ["twice", "out of turn", "unheard of"])
def test_a_journal_that_tells_what_cannot_have_happened_is_refused(change, path, registry, purse, clock):
    journal = SqliteJournal(path)
    desk_on(journal, registry, purse, clock).open(street.PARAMETERS)
    other = SqliteJournal(path.with_name("other.db"))
    helper = desk_on(other, registry, purse, clock)
    helper.open(street.PARAMETERS)
    (taken,) = helper.submit([street.bid()])
    other.close()
    event = taken.accepted
    if change == "twice":
        again = replace(event, receipt=replace(event.receipt, sequence=2))
        journal.append([event, again]).result()
    elif change == "out of turn":
        journal.append([replace(event, receipt=replace(event.receipt, sequence=5))]).result()
    else:
        journal.append([GateClosedEvent(session=street.SESSION, at=1)]).result()
    with pytest.raises(JournalBroken, match="entry [23]: this cannot have happened"):
        desk_on(journal, registry, purse, clock).open(street.PARAMETERS)
    journal.close()


def test_many_threads_hand_in_orders_and_each_gets_its_own_receipt(desk, path):
    orders = [street.bid(salt=salt) for salt in range(200)]
    with ThreadPoolExecutor(50) as pool:
        results = [result for (result,) in pool.map(lambda order: desk.submit([order]), orders + orders)]
    assert sorted(result.accepted.receipt.sequence for result in results) == sorted([*range(1, 201)] * 2)
    assert sum(result.new for result in results) == 200
    kept = [event for event in in_journal(path) if isinstance(event, OrderAccepted)]
    assert [event.receipt.sequence for event in kept] == list(range(1, 201))
    assert {result.accepted.digest for result in results} == {street.digest_of(order) for order in orders}


def test_an_event_loop_hands_in_orders_without_waiting_for_each(desk):
    async def everybody():
        return await asyncio.gather(*(desk.submit_soon([street.bid(salt=salt % 100)]) for salt in range(200)))

    results = [result for (result,) in asyncio.run(everybody())]
    assert sum(result.new for result in results) == 100
    assert results[0].accepted is results[100].accepted


def test_a_caller_who_leaves_does_not_harm_the_others(desk):
    async def one_leaves():
        leaving = asyncio.create_task(desk.submit_soon([street.bid()]))
        await asyncio.sleep(0)
        leaving.cancel()
        (other,) = await desk.submit_soon([street.offer()])
        return other

    assert asyncio.run(one_leaves()).new
    assert desk.submit([street.offer(salt=2)])[0].new


def test_taking_and_clearing_at_once_loses_nothing(desk, clock, path):
    clearings = []

    def clear() -> None:
        for _ in range(50):
            clearings.extend(desk.close_and_clear(clock.now))

    thread = threading.Thread(target=clear)
    thread.start()
    results = []
    for salt in range(100):
        if salt == 50:
            clock.now = street.CLOSURE
        results += desk.submit([street.bid(salt=salt), street.offer(salt=salt)])
    thread.join()
    clearings += desk.close_and_clear(clock.now)
    assert sum(isinstance(event, SessionCleared) for event in in_journal(path)) == len(clearings) == 1
    assert sum(isinstance(result, Taken) for result in results) == 100
    assert len(clearings[0].clearing.trades) > 0


@pytest.fixture
def failing(path, registry, purse, clock):
    disk = failing_disk()
    journal = SqliteJournal(path, disk)
    desk = desk_on(journal, registry, purse, clock)
    desk.open(street.PARAMETERS)
    yield desk, disk
    journal.close()


def test_an_order_that_cannot_be_written_down_is_not_acknowledged(failing, path):
    desk, disk = failing
    (kept,) = desk.submit([street.bid()])
    disk.fail_at = "COMMIT"
    with pytest.raises(JournalBroken, match="disk is full"):
        desk.submit([street.bid(salt=2)])
    assert in_journal(path)[1:] == [kept.accepted]


def test_a_desk_whose_journal_broke_refuses_everything_from_then_on(failing):
    desk, disk = failing
    order = street.bid()
    desk.submit([order])
    disk.fail_at = "COMMIT"
    with pytest.raises(JournalBroken):
        desk.submit([street.bid(salt=2)])
    disk.fail_at = None
    for attempt in (
        lambda: desk.submit([street.bid(salt=3)]),
        lambda: desk.submit([order]),
        lambda: desk.cancel(street.digest_of(order), street.cancellation(order)),
        lambda: desk.close_and_clear(street.CLOSURE),
        lambda: desk.settled(street.SESSION, street.START),
        lambda: desk.look(lambda market, _: market.next_sequence),
        lambda: asyncio.run(desk.submit_soon([order])),
    ):
        with pytest.raises(JournalBroken):
            attempt()


def test_a_broken_desk_is_whole_again_after_a_restart(failing, path, registry, purse, clock):
    desk, disk = failing
    (kept,) = desk.submit([street.bid()])
    disk.fail_at = "INSERT"
    with pytest.raises(JournalBroken):
        desk.submit([street.bid(salt=2)])
    desk._journal.close()
    journal = SqliteJournal(path)
    again = desk_on(journal, registry, purse, clock)
    again.open(street.PARAMETERS)
    (same,), (new,) = again.submit([street.bid()]), again.submit([street.bid(salt=2)])
    assert same == Taken(kept.accepted, new=False)
    assert (new.new, new.accepted.receipt.sequence) == (True, 2)
    journal.close()


def test_nobody_is_told_of_an_order_before_it_is_on_the_disk(failing):
    desk, disk = failing
    order = street.bid()
    disk.runs.clear()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(desk.submit, [order])
        while not desk._market.sessions:
            time.sleep(0.001)
        again = pool.submit(desk.submit, [order])
        reader = pool.submit(desk.look, lambda market, _: market.held(street.digest_of(order)))
        assert wait([first, again, reader], timeout=0.2).done == set()
        disk.runs.set()
        accepted = first.result()[0].accepted
        assert again.result() == [Taken(accepted, new=False)]
        assert reader.result() is accepted


TAKE_AND_TELL = """
import sys
from pathlib import Path
from exchange.effects.desk import Desk
from exchange.effects.journal import SqliteJournal
from exchange.market import Market
from tests.actors import OPERATOR
from tests.exchange import street
registry = street.registry()
desk = Desk(SqliteJournal(Path(sys.argv[1])), Market(), lambda: registry, street.Purse(), OPERATOR.key, street.Clock())
desk.open(street.PARAMETERS)
for salt in range(10_000):
    (result,) = desk.submit([street.bid(salt=salt, energy=10)])
    print(result.accepted.receipt.sequence, result.accepted.receipt.signature.hex(), flush=True)
"""


def test_every_acknowledged_order_survives_a_kill(path, registry, purse, clock):
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE_AND_TELL, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(40)]
    process.kill()
    told += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    journal = SqliteJournal(path)
    desk = desk_on(journal, registry, purse, clock)
    desk.open(street.PARAMETERS)
    kept = desk.look(lambda market, _: list(market.session(street.SESSION).orders.values()))
    whole = [line for line in told if line.endswith("\n")]
    assert len(whole) >= 40
    assert [f"{event.receipt.sequence} {event.receipt.signature.hex()}\n" for event in kept[: len(whole)]] == whole
    journal.close()
