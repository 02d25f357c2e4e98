"""The walk against its laws, against a slow reference that lets everybody look at everybody, and worked cases by id."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.auction import Columns
from exchange.delivery import Mechanism
from exchange.levels import levels_of
from exchange.order import Side
from exchange.preferences import Alternative, Preferences
from exchange.tree import Fee, Node, Tree
from exchange.tree_auction import clear_levels
from exchange.units import MAX_ENERGY
from exchange.walk import walk as walk_columns
from exchange.walk_order import Walked, WalkSide
from identity.address import Address
from identity.claim_data import EnergyType

BID, OFFER = Side.BID, Side.OFFER
PAB, PAO, PAC = Mechanism.PAY_AS_BID, Mechanism.PAY_AS_OFFER, Mechanism.PAY_AS_CLEAR
by_every_mechanism = pytest.mark.parametrize("mechanism", [PAO, PAB, PAC], ids=lambda one: one.title)
few = settings(max_examples=30)  # for each mechanism

PEOPLE = [Address(bytes([person]) * 20) for person in range(1, 6)]
ASSETS = [Address(bytes([128 + person]) * 20) for person in range(1, 6)]
NOBODY = Address(bytes(20))
CASES = {
    case["id"]: case
    for case in json.loads((Path(__file__).parents[1] / "vectors" / "markets.json").read_text(), parse_float=Fraction)[
        "vectors"
    ]
}


def node(number, parent=None, fee=0, ppm=0, most_in=None, most_out=None, mechanism=None):
    return Node(
        number=number,
        name=str(number),
        parent=parent,
        fee=Fee(constant=fee, ppm=ppm),
        fee_account=1,
        operator=NOBODY,
        import_limit=most_in,
        export_limit=most_out,
        mechanism=mechanism,
    )


@dataclass(frozen=True)
class WalkOrder:
    """A row of a side, for those who look at rows."""

    node: int
    side: Side
    rate: int
    energy: int
    account: int
    holder: Address
    asset: Address
    energy_type: EnergyType
    preferences: Preferences | None


def side_of(orders):
    def column(name):
        return np.array([getattr(one, name) for one in orders], dtype=np.int64)

    return WalkSide(
        **{name: column(name) for name in ("node", "rate", "energy", "account", "energy_type")},
        holder=[one.holder for one in orders],
        asset=[one.asset for one in orders],
        preferences={place: one.preferences for place, one in enumerate(orders) if one.preferences},
    )


def walk(bids, offers, tree, mechanism, **rest):
    return walk_columns(side_of(bids), side_of(offers), tree, mechanism, **rest)


def order(side, rate, energy, *wishes, at=1, who=0, account=None, energy_type=EnergyType.PV):
    """An order of the person `who`, on an account of its own unless `account` says which."""
    return WalkOrder(
        node=at,
        side=side,
        rate=rate,
        energy=energy,
        account=10 * side + who if account is None else account,
        holder=PEOPLE[who],
        asset=ASSETS[who],
        energy_type=energy_type,
        preferences=Preferences(wishes) if wishes else None,
    )


def bid(rate, energy, *wishes, **rest):
    return order(BID, rate, energy, *wishes, **rest)


def offer(rate, energy, *wishes, **rest):
    return order(OFFER, rate, energy, *wishes, **rest)


ALONE = Tree((node(1),))
# a grid, a feeder, two communities under it, and one beside it
STREET = Tree((node(1, fee=2), node(2, 1, fee=3), node(3, 2, fee=1), node(4, 2), node(5, 1, fee=4)))

# generated books: few rates, people and types, so that everything happens
partners = st.lists(st.sampled_from(PEOPLE + ASSETS), min_size=1, max_size=3)
wishes = st.builds(
    Alternative.of,
    partners=st.just(()) | partners,
    energy_types=st.lists(st.sampled_from([EnergyType.PV, EnergyType.WIND, EnergyType.GRID]), max_size=2),
    most_energy=st.none() | st.integers(1, 6),
    limit=st.none() | st.integers(-3, 40),
)


ITS_OWN = st.none()
FEW = st.none() | st.integers(0, 3)


def orders(side, numbers, wanted, accounts):
    return st.builds(
        lambda rate, energy, wanted, at, who, energy_type, account: order(
            side, rate, energy, *wanted, at=at, who=who, energy_type=energy_type, account=account
        ),
        st.integers(-3, 40),
        st.integers(1, 9),
        wanted,
        st.sampled_from(numbers),
        st.integers(0, 4),
        st.sampled_from([EnergyType.PV, EnergyType.WIND, EnergyType.GRID]),
        accounts,
    )


@st.composite
def trees(draw, shares=False, limits=True, mechanisms=()):
    nodes = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        share = shares and draw(st.booleans())
        limit = st.none() | st.integers(0, 12) if limits else st.none()
        nodes.append(
            node(
                number,
                parent=draw(st.integers(1, number - 1)) if number > 1 else None,
                fee=0 if share else draw(st.integers(0, 4)),
                ppm=draw(st.integers(0, 300_000)) if share else 0,
                most_in=draw(limit),
                most_out=draw(limit),
                mechanism=draw(st.sampled_from([None, *mechanisms])),
            )
        )
    return Tree(tuple(nodes))


@st.composite
def books(draw, plain=False, accounts=FEW, **of_tree):
    tree = draw(trees(**of_tree))
    numbers = [one.number for one in tree.nodes]
    asked = st.just(()) if plain else st.just(()) | st.lists(wishes, min_size=1, max_size=3)
    named = (
        st.just(()) if plain else st.just(()) | st.builds(lambda listed: (Alternative.of(partners=listed),), partners)
    )
    return (
        draw(st.lists(orders(BID, numbers, asked, accounts), max_size=9)),
        draw(st.lists(orders(OFFER, numbers, named, accounts), max_size=9)),
        tree,
    )


def listed(one: WalkOrder) -> tuple[Alternative, ...]:
    return one.preferences.alternatives if one.preferences else (Alternative(),)


def own_limit(one: WalkOrder, wish: Alternative) -> int:
    return one.rate if wish.limit is None else min(one.rate, wish.limit)


def suit(buyer: WalkOrder, wish: Alternative, seller: WalkOrder) -> bool:
    """Whether two orders take each other, whatever the rate."""
    return buyer.account != seller.account and suit_by_name(buyer, wish, seller)


def suit_by_name(buyer: WalkOrder, wish: Alternative, seller: WalkOrder) -> bool:
    """Whether two orders take each other, whatever the rate and the accounts."""
    return (
        (not wish.energy_types or seller.energy_type in wish.energy_types)
        and (not wish.partners or bool({seller.asset, seller.holder} & set(wish.partners)))
        and (not seller.preferences or bool({buyer.asset, buyer.holder} & set(listed(seller)[0].partners)))
    )


def agree(tree: Tree, buyer: WalkOrder, wish: Alternative, seller: WalkOrder) -> bool:
    return seller.rate + tree.fee(seller.node, buyer.node, seller.rate) <= own_limit(buyer, wish)


def reference(bids, offers, tree, mechanism):
    """Clear the tree with every alternative looking at every offer at every node; pay-as-bid and pay-as-offer."""
    left = {BID: [one.energy for one in bids], OFFER: [one.energy for one in offers]}
    caps = [[wish.most_energy or 10**6 for wish in listed(one)] for one in bids]
    trades, held = defaultdict(list), []

    def below(one, number):
        way = tree.way_up(one.node)
        return [tree[step].fee for step in way[: way.index(number)]]

    def worth(limit, one, number):
        fees = [*below(one, number), tree[number].fee]
        price = limit
        while price + sum(fee.at(price) for fee in fees) > limit:
            price -= 1
        return price

    def asks(place, number):
        one = offers[place]
        return one.rate + sum(fee.at(one.rate) for fee in below(one, number))

    def here(side, listed_orders, number):
        return [
            place for place, one in enumerate(listed_orders) if number in tree.way_up(one.node) and left[side][place]
        ]

    for number in sorted((one.number for one in tree.nodes), key=lambda number: -len(tree.way_up(number))):
        rows = []
        for place in here(BID, bids, number):
            lowest = bids[place].rate
            for which, wish in enumerate(listed(bids[place])):
                lowest = min(lowest, own_limit(bids[place], wish))
                rows.append((-worth(lowest, bids[place], number), place, which, wish))
        merit = sorted(here(OFFER, offers, number), key=lambda place: (asks(place, number), place))
        for _, place, which, wish in sorted(rows, key=lambda row: row[:3]):
            buyer = bids[place]
            for at in merit:
                seller = offers[at]
                energy = min(left[BID][place], left[OFFER][at], caps[place][which])
                if energy and suit(buyer, wish, seller) and agree(tree, buyer, wish, seller):
                    if tree.top(seller.node, buyer.node) != number:
                        raise AssertionError("what could have met below did not")
                    left[BID][place] -= energy
                    left[OFFER][at] -= energy
                    caps[place][which] -= energy
                    rate = seller.rate
                    if (tree[number].mechanism or mechanism) is PAB:
                        rate = tree.most_for_seller(own_limit(buyer, wish), seller.node, buyer.node)
                    alternative = which if buyer.preferences else None
                    trades[number].append((place, at, energy, rate, number, alternative))
        if tree[number].export_limit is not None and tree[number].parent is not None:
            room = tree[number].export_limit
            for at in merit:
                goes = min(room, left[OFFER][at])
                if goes < left[OFFER][at]:
                    held.append((OFFER, at, number, left[OFFER][at] - goes))
                left[OFFER][at] = goes
                room -= goes
        if tree[number].import_limit is not None and tree[number].parent is not None:
            room, seen = tree[number].import_limit, set()
            for _, place, which, _ in sorted(rows, key=lambda row: row[:3]):
                hopes = [
                    cap if not wish.partners or any(suit_by_name(bids[place], wish, one) for one in offers) else 0
                    for cap, wish in zip(caps[place], listed(bids[place]), strict=True)
                ]  # of partners who offer nothing, nothing is to be hoped
                wants = min(left[BID][place], sum(hopes))
                if place not in seen and hopes[which] and wants:
                    seen.add(place)
                    left[BID][place] = min(wants, room)
                    if wants > room:
                        held.append((BID, place, number, wants - left[BID][place]))
                    room -= left[BID][place]
    return [trade for number in sorted(trades) for trade in trades[number]], held


def check(bids, offers, tree, mechanism, walked: Walked) -> None:
    """Hold a walk against every law that can be seen in its result."""
    bought, sold, under = Counter(), Counter(), Counter()
    out_of, into = Counter(), Counter()
    for place, at, energy, rate, top, which in walked.trades:
        buyer, seller = bids[place], offers[at]
        assert energy > 0
        assert (which is None) == (buyer.preferences is None)
        wish = listed(buyer)[which or 0]
        assert suit(buyer, wish, seller)
        assert seller.rate <= rate
        assert rate + tree.fee(seller.node, buyer.node, rate) <= own_limit(buyer, wish)
        assert top == tree.top(seller.node, buyer.node)
        bought[place] += energy
        sold[at] += energy
        under[place, which] += energy
        for side, one in ((out_of, seller), (into, buyer)):
            for number in tree.way_up(one.node)[: tree.way_up(one.node).index(top)]:
                side[number] += energy
    assert all(energy <= bids[place].energy for place, energy in bought.items())
    assert all(energy <= offers[at].energy for at, energy in sold.items())
    for (place, which), energy in under.items():
        assert energy <= (listed(bids[place])[which or 0].most_energy or MAX_ENERGY)
    for one in tree.nodes:
        assert one.export_limit is None or out_of[one.number] <= one.export_limit
        assert one.import_limit is None or into[one.number] <= one.import_limit
    if not walked.held:
        nobody_is_left_who_could_trade(bids, offers, tree, mechanism, bought, sold, under)
    for side, place, _, energy in walked.held:
        total = bought[place] if side is BID else sold[place]
        assert 0 < energy <= (bids if side is BID else offers)[place].energy - total


def nobody_is_left_who_could_trade(bids, offers, tree, mechanism, bought, sold, under):
    if mechanism is PAC and not tree.is_constant:  # there a bid counts as in the dearest case
        return
    for place, buyer in enumerate(bids):
        for which, wish in enumerate(listed(buyer)):
            used = under[place, which if buyer.preferences else None]
            if bought[place] == buyer.energy or used == wish.most_energy:
                continue
            for at, seller in enumerate(offers):
                if sold[at] < seller.energy and suit(buyer, wish, seller):
                    assert not agree(tree, buyer, wish, seller)


@by_every_mechanism
@few
@given(book=books())
def test_no_law_is_broken(mechanism, book):
    check(*book, mechanism, walk(*book, mechanism))


@by_every_mechanism
@few
@given(book=books(shares=True))
def test_no_law_is_broken_where_fees_are_shares(mechanism, book):
    check(*book, mechanism, walk(*book, mechanism))


@pytest.mark.parametrize("mechanism", [PAO, PAB], ids=lambda one: one.title)
@few
@given(book=books(mechanisms=(PAB, PAO)))
def test_the_walk_is_that_of_the_slow_reference(mechanism, book):
    walked = walk(*book, mechanism)
    assert (walked.trades, walked.held) == reference(*book, mechanism)


@given(book=books(shares=True))
def test_the_walk_is_that_of_the_slow_reference_where_fees_are_shares(book):
    walked = walk(*book, PAB)
    assert (walked.trades, walked.held) == reference(*book, PAB)


@by_every_mechanism
@settings(max_examples=60)
@given(book=books(plain=True, accounts=ITS_OWN, mechanisms=(PAO, PAB, PAC)))
def test_on_plain_books_with_constant_fees_the_walk_is_the_kernel(mechanism, book):
    bids, offers, tree = book
    kernel = clear_levels(columns_of(bids, tree), columns_of(offers, tree), levels_of(tree, mechanism))
    walked = walk(*book, mechanism)
    numbers = np.array([one.number for one in tree.nodes])
    matches = (kernel.bid, kernel.offer, kernel.quantity, kernel.rate, numbers[kernel.top])
    assert [trade[:5] for trade in walked.trades] == list(zip(*(column.tolist() for column in matches), strict=True))
    assert {trade[5] for trade in walked.trades} <= {None}
    priced = np.flatnonzero(kernel.has_price)
    assert walked.prices == dict(zip(numbers[priced].tolist(), kernel.price[priced].tolist(), strict=True))
    for side, (row, at, energy) in ((BID, kernel.held_bid), (OFFER, kernel.held_offer)):
        held = zip(row.tolist(), numbers[at].tolist(), energy.tolist(), strict=True)
        assert sorted(rest for which, *rest in walked.held if which is side) == sorted(map(list, held))


def columns_of(orders, tree):
    place = {one.number: index for index, one in enumerate(tree.nodes)}
    rows = [(place[one.node], one.rate, one.energy) for one in orders]
    return Columns(*np.array(rows, dtype=np.int64).reshape(-1, 3).T)


@by_every_mechanism
@few
@given(book=books(plain=True))
def test_to_ask_for_nothing_is_to_have_no_preferences_but_for_the_one_rate(mechanism, book):
    bids, offers, tree = book
    asking = [order(BID, one.rate, one.energy, Alternative(), at=one.node, account=one.account) for one in bids]
    one, other = walk(bids, offers, tree, mechanism), walk(asking, offers, tree, mechanism)
    assert [trade[:3] for trade in one.trades] == [trade[:3] for trade in other.trades]
    assert one.held == other.held
    assert not other.prices


@by_every_mechanism
@few
@given(book=books(accounts=ITS_OWN), data=st.data())
def test_the_order_of_the_lists_counts_only_among_equal_rates(mechanism, book, data):
    bids, offers, tree = book
    bids = [bid(50 * (one.rate + 4) + place, one.energy, *listed(one), at=one.node, who=place % 5, account=place)
            for place, one in enumerate(bids)]  # fmt: skip
    offers = [offer(50 * (one.rate + 4) + 20 + place, one.energy, at=one.node, who=place % 5, account=20 + place)
              for place, one in enumerate(offers)]  # fmt: skip
    bids = [one for one in bids if all(wish.limit is None for wish in listed(one))]
    if len({one.rate - tree.fee(1, one.node, 0) for one in bids}) < len(bids):
        return
    if len({one.rate + tree.fee(1, one.node, 0) for one in offers}) < len(offers):
        return
    mixed_bids, mixed_offers = data.draw(st.permutations(bids)), data.draw(st.permutations(offers))
    assert told(walk(bids, offers, tree, mechanism), bids, offers) == told(
        walk(mixed_bids, mixed_offers, tree, mechanism), mixed_bids, mixed_offers
    )


def told(walked, bids, offers):
    """A walk with accounts instead of places, in a fixed order."""
    return (
        sorted((bids[at].account, offers[of].account, *rest[:3], rest[3] or 0) for at, of, *rest in walked.trades),
        walked.prices,
        sorted((side, (bids, offers)[side][place].account, *rest) for side, place, *rest in walked.held),
    )


@given(book=books(accounts=ITS_OWN, limits=False))
def test_plain_trades_at_a_node_have_one_rate_and_nobody_plain_envies_them(book):
    bids, offers, tree = book
    walked = walk(*book, PAC)
    for _, of, _, rate, top, which in walked.trades:
        if which is None and offers[of].preferences is None:
            way = tree.way_up(offers[of].node)
            below = sum(tree[number].fee.constant for number in way[: way.index(top)])
            assert rate + below == walked.prices[top]
    bought, sold = Counter(), Counter()
    for at, of, energy, *_ in walked.trades:
        bought[at] += energy
        sold[of] += energy
    root = tree.root.number
    if root in walked.prices:
        for place, one in enumerate(bids):
            if one.preferences is None and bought[place] < one.energy:
                assert one.rate - tree.fee(root, one.node, 0) <= walked.prices[root]
        for place, one in enumerate(offers):
            way = tree.way_up(one.node)[:-1]
            if one.preferences is None and sold[place] < one.energy:
                assert one.rate + sum(tree[number].fee.constant for number in way) >= walked.prices[root]


# worked cases

PV, WIND, GRID = EnergyType.PV, EnergyType.WIND, EnergyType.GRID
GREEN = Alternative(energy_types=(PV, WIND))


def trades(bids, offers, mechanism=PAB, tree=ALONE, **rest):
    return walk(bids, offers, tree, mechanism, **rest).trades


def test_dof_001_an_own_limit_bounds_the_rate_as_designed():
    case = CASES["dof-001"]
    most = case["input"]["requirement"]["price"]
    satisfied = [
        bool(trades([bid(20, 1, Alternative(limit=most))], [offer(one["rate"], one["energy_kwh"])], PAO))
        for one in case["input"]["cases"]
    ]
    assert satisfied == case["expected"]["satisfied"]
    # unlike a bound on the total, a small fill buys at no higher rate
    assert not trades([bid(20, 1, Alternative(limit=most))], [offer(16, 1)], PAO)


def test_dof_002_an_own_cap_bounds_the_energy():
    case = CASES["dof-002"]
    most = case["input"]["requirement"]["energy"]
    for selected, satisfied in zip(case["input"]["selected_kwh"], case["expected"]["satisfied"], strict=True):
        ((_, _, energy, *_),) = trades([bid(20, 100, Alternative(most_energy=most))], [offer(10, selected)])
        assert (energy == selected) is satisfied
        assert energy == min(selected, most)


def test_dof_004_the_alternative_that_holds_is_the_one_that_counts():
    case = CASES["dof-004"]
    names = {"Mom": 1, "Producer": 2}
    wanted = [
        Alternative.of(
            partners=[PEOPLE[names[name]] for name in wish.get("trading_partners", ())],
            energy_types=[EnergyType[name] for name in wish.get("energy_type", ())],
            most_energy=int(wish["energy_kwh"] * 1_000),
            limit=wish["max_rate"],
        )
        for wish in case["input"]["bid_requirements_or"]
    ]
    given, expected = case["input"]["offer"], case["expected"]
    seller = offer(
        given["min_rate"],
        int(given["energy_kwh"] * 1_000),
        who=names[given["seller"]],
        energy_type=EnergyType[given["energy_type"]],
    )
    low, high = expected["rate_interval"]
    for mechanism, rate in ((PAO, low), (PAB, high), (PAC, (low + high) // 2)):
        ((_, _, energy, paid, _, which),) = trades([bid(28, 2_500, *wanted)], [seller], mechanism)
        assert (which, energy, paid) == (expected["satisfied_requirement_index"], expected["energy_kwh"] * 1_000, rate)


def test_an_earlier_alternative_is_served_first_though_a_later_one_would_pay_more():
    wanted = (Alternative(partners=(PEOPLE[1],), limit=10, most_energy=4), Alternative())
    sellers = [offer(9, 9, who=1), offer(5, 3, who=2)]
    found = [(of, energy, rate, which) for _, of, energy, rate, _, which in trades([bid(30, 8, *wanted)], sellers)]
    assert found == [(0, 4, 10, 0), (1, 3, 30, 1), (0, 1, 30, 1)]


def test_a_row_is_ranked_by_the_lowest_of_its_own_and_all_earlier_limits():
    patient = bid(30, 1, Alternative(partners=(PEOPLE[3],), limit=10), Alternative(), who=1)
    assert [at for at, *_ in trades([patient, bid(20, 1, who=2)], [offer(5, 1, who=4)])] == [1]
    assert [at for at, *_ in trades([patient, bid(9, 1, who=2)], [offer(5, 1, who=4)])] == [0]


@pytest.mark.parametrize("name", [PEOPLE[1], ASSETS[1]], ids=["holder", "asset"])
def test_a_partner_is_named_by_holder_or_by_asset(name):
    friend = Alternative(partners=(name,))
    assert [of for _, of, *_ in trades([bid(9, 5, friend)], [offer(1, 1, who=2), offer(2, 1, who=1)])] == [1]
    assert [at for at, *_ in trades([bid(9, 1, who=2), bid(8, 1, who=1)], [offer(1, 5, friend, who=3)])] == [1]


def test_an_energy_type_is_what_the_claim_of_the_asset_says():
    sellers = [offer(1, 1, energy_type=GRID, who=1), offer(2, 1, energy_type=WIND, who=2), offer(3, 1, who=3)]
    assert [of for _, of, *_ in trades([bid(9, 5, GREEN)], sellers)] == [1, 2]
    assert [of for _, of, *_ in trades([bid(9, 5)], sellers)] == [0, 1, 2]


def test_with_many_kinds_wanted_in_one_book_each_is_served_all_the_same():
    sold = [one for one in EnergyType if one is not EnergyType.NONE]
    pairs = [(one, other) for one in sold for other in sold if one < other]
    buyers = [bid(9, 1, Alternative(energy_types=pair), account=number) for number, pair in enumerate(pairs)]
    sellers = [offer(1, 7, energy_type=one, account=100 + one) for one in sold]
    book = buyers, sellers, ALONE
    check(*book, PAB, walk(*book, PAB))
    assert walk(*book, PAB).trades == reference(*book, PAB)[0]


def test_orders_of_one_account_pass_each_other_by_and_stay_for_others():
    sellers = [offer(1, 5, account=7), offer(2, 5, account=8)]
    for wish in ((), (GREEN,), (Alternative(energy_types=(PV,)),)):
        found = trades([bid(9, 3, *wish, account=7), bid(8, 3, account=9)], sellers)
        assert [(at, of) for at, of, *_ in found] == [(0, 1), (1, 0)]


def test_the_one_rate_is_that_of_plain_orders_and_others_trade_at_the_nearest_they_allow():
    buyers = [bid(30, 4, who=0), bid(25, 2, GREEN, who=1), bid(12, 2, Alternative(partners=(PEOPLE[4],)), who=2)]
    sellers = [offer(10, 3, who=2), offer(20, 5, who=3), offer(4, 9, Alternative(partners=(PEOPLE[2],)), who=4)]
    walked = walk(buyers, sellers, ALONE, PAC)
    assert walked.prices == {1: 20}  # the second offer is filled in part
    assert [(at, of, rate) for at, of, _, rate, *_ in walked.trades] == [(0, 0, 20), (0, 1, 20), (1, 1, 20), (2, 2, 12)]


def test_without_plain_trades_there_is_no_one_rate_and_two_meet_halfway():
    walked = walk([bid(31, 4, GREEN)], [offer(10, 3)], Tree((node(1, fee=4),)), PAC)
    assert walked.prices == {}
    assert walked.trades == [(0, 0, 3, 18, 1, 0)]  # between 10 and 27


def test_each_node_has_its_mechanism_and_the_fees_of_the_path_are_paid_once():
    tree = Tree((node(1, fee=2, mechanism=PAB), node(2, 1, fee=3, mechanism=PAO), node(3, 1, fee=4)))
    buyers = [bid(40, 10, at=2, who=0)]
    sellers = [offer(5, 3, at=2, who=1), offer(6, 3, at=3, who=2)]
    walked = walk(buyers, sellers, tree, PAC)
    assert walked.trades == [(0, 1, 3, 40 - 2 - 3 - 4, 1, None), (0, 0, 3, 5, 2, None)]


def test_what_a_limit_holds_back_is_told_and_trades_no_more():
    tree = Tree((node(1), node(2, 1, most_out=4), node(3, 1, most_in=5)))
    buyers, sellers = [bid(9, 8, at=3)], [offer(1, 3, at=2, who=1), offer(2, 3, at=2, who=2), offer(3, 9, who=3)]
    walked = walk(buyers, sellers, tree, PAO)
    assert [trade[:4] for trade in walked.trades] == [(0, 0, 3, 1), (0, 1, 1, 2), (0, 2, 1, 3)]
    assert walked.held == [(OFFER, 1, 2, 2), (BID, 0, 3, 3)]
    with_what_is_left = walk(buyers, sellers, tree, PAO, left_in={3: 4}, left_out={2: 0})
    assert [trade[:4] for trade in with_what_is_left.trades] == [(0, 2, 4, 3)]


def test_a_cap_takes_no_more_room_at_a_limit_than_it_can_use():
    tree = Tree((node(1), node(2, 1, most_in=5)))
    buyers = [bid(9, 8, Alternative(most_energy=2), at=2, who=0), bid(8, 8, at=2, who=1)]
    walked = walk(buyers, [offer(1, 20, who=3)], tree, PAB)
    assert [trade[:3] for trade in walked.trades] == [(0, 0, 2), (1, 0, 3)]
    assert walked.held == [(BID, 1, 2, 5)]


def test_a_share_is_of_what_the_seller_gets_and_an_offer_that_comes_another_way_may_suit_though_dearer_here():
    tree = Tree((node(1, ppm=200_000), node(2, 1, fee=12)))
    sellers = [offer(111, 5, at=1, who=1), offer(100, 5, at=2, who=2)]
    assert trades([bid(132, 5)], sellers, PAO, tree) == [(0, 1, 5, 100, 1, None)]  # 100 + 12 + 20, not 111 + 22
    assert trades([bid(132, 5)], sellers, PAB, tree) == [(0, 1, 5, 100, 1, None)]
    assert trades([bid(131, 5)], sellers, PAO, tree) == []


def test_where_fees_are_shares_a_row_that_accepts_one_list_goes_by_its_path_too():
    tree = Tree((node(1), node(2, 1), node(3, 2, ppm=200_000), node(4, 3, ppm=250_000)))
    wind, sun = Alternative(energy_types=(WIND,)), offer(1, 2, at=3, who=1)
    turbine = offer(18, 5, at=4, energy_type=WIND, who=2)  # 18 and shares of 5 and 4
    assert trades([bid(27, 5, wind, at=3)], [sun, turbine], PAB, tree) == [(0, 1, 5, 18, 3, 0)]
    assert trades([bid(26, 5, wind, at=3)], [sun, turbine], PAB, tree) == []


def test_an_order_at_no_node_is_refused_and_so_is_a_mechanism_for_whole_trees():
    assert trades([bid(9, 1)], [offer(1, 1)])
    with pytest.raises(ValueError):
        trades([bid(9, 1, at=2)], [offer(1, 1)])
    with pytest.raises(ValueError):
        trades([bid(9, 1)], [offer(1, 1)], Mechanism.NETWORK)
