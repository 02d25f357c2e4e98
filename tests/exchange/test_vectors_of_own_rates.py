"""The cases of pay-as-bid and of the one-sided market (`tests/vectors/markets.json`), by id.

A trader is an account and its orders stand at homes apart, unless said otherwise: the reference knows no own energy. A
trader's order that crosses an earlier one of its own lapses, where the reference skips the pair.
"""

from fractions import Fraction

import numpy as np
import pytest

from exchange.auction import Columns
from exchange.clear import clear
from exchange.clearing import Clearing
from exchange.delivery import Mechanism, Product, SessionKey
from exchange.levels import single_nodes
from exchange.order import Side
from exchange.resting import Resting
from exchange.tree_auction import clear_levels
from exchange.units import Nano
from tests.exchange.test_vectors import CASES, micro, wh
from tests.exchange.trees import one_node
from tests.strategies import SESSION, resting

BID, OFFER = Side.BID, Side.OFFER
NANO_PER_CENT = 10_000_000
ELSEWHERE = {"pab-002": "test_pab_002", "one-004": "test_one_004"}
BOOKS = [name for name, case in CASES.items() if name.startswith("pab-") and name not in ELSEWHERE]
ACCEPTED = [name for name in CASES if name in ("one-001", "one-002", "two-001")]


def entries(case: dict, *, apart: bool = True) -> tuple[list[Resting], dict[bytes, str]]:
    """Return the book of a case, and its orders' names. A limit between two whole µ is rounded inwards."""
    accounts: dict[str, int] = {}
    book, names = [], {}
    for side, listed in ((BID, case["input"]["bids"]), (OFFER, case["input"]["offers"])):
        for order in listed:
            account = accounts.setdefault(order["trader"], len(accounts) + 1)
            limit = order["rate"] * 10_000
            entry = resting(
                side,
                limit // 1 if side is BID else -(-limit // 1),
                wh(order["energy_kwh"]),
                sequence=len(book) + 1,
                account=account,
                home=order["id"] if apart else "",
            )
            book.append(entry)
            names[entry.digest] = order["id"]
    return book, names


def by_bid(book: list[Resting]) -> Clearing:
    return clear(book, session=SESSION, tree=one_node(0), mechanism=Mechanism.PAY_AS_BID)


def cents(amount: Nano) -> Fraction:
    return Fraction(amount, NANO_PER_CENT)


def test_every_case_of_kind_law_or_with_our_own_answer_is_run():
    ours = {
        name
        for name, case in CASES.items()
        if name.split("-")[0] in ("pab", "one", "two") and (case["kind"].startswith("law") or "design_expected" in case)
    }
    in_test_vectors = {"two-002", "two-003", "two-006"}
    assert ours == {*BOOKS, *ELSEWHERE, *ACCEPTED, "one-006", "two-005", *in_test_vectors}


@pytest.mark.parametrize("name", BOOKS)
def test_a_book_clears_at_the_bids_as_the_case_says(name):
    case = CASES[name]
    book, names = entries(case)
    account = {entry.digest: entry.account for entry in book}
    clearing = by_bid(book)
    expected = case.get("design_expected", case["expected"])
    if "matches" in expected:
        assert sorted((names[t.bid], names[t.offer], t.energy, t.rate) for t in clearing.trades) == sorted(
            (match["bid"], match["offer"], wh(match["energy_kwh"]), micro(match["rate"]))
            for match in expected["matches"]
        )
    if "total_energy_kwh" in expected:
        assert clearing.energy == wh(expected["total_energy_kwh"])
    if "volume_kwh" in expected:
        assert clearing.energy == wh(expected["volume_kwh"])
    if "welfare" in expected:
        limit = {entry.digest: entry.order.limit for entry in book}
        gained = sum(trade.energy * (limit[trade.bid] - limit[trade.offer]) for trade in clearing.trades)
        assert cents(Nano(gained)) == expected["welfare"]
    assert all(account[trade.bid] != account[trade.offer] for trade in clearing.trades)


def test_pab_002_nobody_trades_with_itself_and_no_energy_is_lost_by_that():
    # The 125 kWh of the case are what the reference's skipping leaves of 135: each trader's bid is less than its own
    # offer, so here all 135 are own energy, and what stays at home is not traded.
    case = CASES["pab-002"]
    clearing = by_bid(entries(case, apart=False)[0])
    served = sum(use.energy for use in clearing.own_uses) + clearing.energy
    assert served == sum(wh(bid["energy_kwh"]) for bid in case["input"]["bids"])
    assert served >= wh(case["design_expected"]["total_energy_kwh"])
    assert len(clearing.trades) == case["design_expected"]["self_trades"]


def test_pab_005_among_equal_offers_the_earlier_is_taken_first():
    case = CASES["pab-005"]["input"]
    others = [offer for offer in case["offers"] if offer["trader"] != case["bids"][0]["trader"]]

    def side(listed: list[dict]) -> Columns:
        rates, energies = [micro(order["rate"]) for order in listed], [wh(order["energy_kwh"]) for order in listed]
        return Columns(np.zeros(len(listed), dtype=np.int64), np.array(rates), np.array(energies))

    found = clear_levels(side(case["bids"]), side(others), single_nodes(1, Mechanism.PAY_AS_BID))
    taken = [others[row]["id"] for row in found.offer.tolist()]
    assert taken == CASES["pab-005"]["design_expected"]["order_if_time_priority"]


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_order_taken_in_part_is_paid_pro_rata_and_the_rest_keeps_its_rate(name):
    case = CASES[name]
    side = OFFER if name.startswith("one-") else BID
    mechanism = Mechanism.PAY_AS_OFFER if side is OFFER else Mechanism.PAY_AS_BID
    order = case["input"]["offer" if side is OFFER else "bid"]
    rate = micro(Fraction(order["price"]) / order["energy_kwh"])
    standing = resting(side, rate, wh(order["energy_kwh"]), sequence=1)
    better = rate + micro(3) if side is OFFER else rate - micro(3)
    accepting = resting(Side(1 - side), better, wh(case["input"]["accept_energy_kwh"]), sequence=2)
    (trade,) = clear([standing, accepting], session=SESSION, tree=one_node(0), mechanism=mechanism).trades
    expected = case["expected"]
    assert (trade.energy, cents(trade.cost)) == (wh(expected["trade"]["energy_kwh"]), expected["trade"]["price"])
    left = standing.order.energy - trade.energy
    assert left == wh(expected["residual"]["energy_kwh"])
    assert cents(Nano(left * trade.rate)) == expected["residual"]["price"]


def test_one_004_an_order_for_energy_below_zero_is_refused():
    with pytest.raises(ValueError, match="positive amount"):
        resting(OFFER, micro(CASES["one-004"]["input"]["price"]), wh(-1), sequence=1)


def test_one_006_what_is_sold_less_what_is_bought_adds_up_to_nothing():
    case = CASES["one-006"]
    traders = {name: number for number, name in enumerate(case["expected"]["net_sold_kwh"], 1)}
    net = dict.fromkeys(traders, 0)
    for number, trade in enumerate(case["input"]["trades"]):  # a period each: A sells in two, and buys in the third
        key = SessionKey(SESSION.market, Product.SPOT, SESSION.delivery_start + 900 * number)
        energy = wh(trade["energy_kwh"])
        seller, buyer = (
            resting(side, micro(1), energy, sequence=side + 1, account=traders[trade[who]], session=key)
            for side, who in ((OFFER, "seller"), (BID, "buyer"))
        )
        cleared = clear([seller, buyer], session=key, tree=one_node(0), mechanism=Mechanism.PAY_AS_OFFER)
        for one in cleared.trades:
            net[trade["seller"]] += one.energy
            net[trade["buyer"]] -= one.energy
    assert net == {name: wh(kwh) for name, kwh in case["expected"]["net_sold_kwh"].items()}
    assert sum(net.values()) == case["expected"]["sum"]


@pytest.mark.parametrize("mechanism", [Mechanism.PAY_AS_BID, Mechanism.PAY_AS_OFFER])
def test_two_005_an_order_keeps_its_one_name_however_often_it_is_split(mechanism):
    case = CASES["two-005"]["input"]["recommendations"]
    bids = [resting(BID, 20, wh(one["kwh"]), sequence=number) for number, one in enumerate(case, 1)]
    offer = resting(OFFER, 10, sum(bid.order.energy for bid in bids) + 1, sequence=3)
    trades = clear([*bids, offer], session=SESSION, tree=one_node(0), mechanism=mechanism).trades
    assert {(trade.bid, trade.offer, trade.energy) for trade in trades} == {
        (bid.digest, offer.digest, bid.order.energy) for bid in bids
    }
