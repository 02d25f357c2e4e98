"""The walk against its laws, against a slow reference that lets everybody look at everybody, and worked cases by id."""

import json
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.delivery import Mechanism
from exchange.order import Side
from exchange.preferences import Alternative, Preferences
from exchange.tree import Fee, Node, Tree
from exchange.units import MAX_ENERGY
from exchange.walk import walk
from exchange.walk_order import Walked, WalkOrder
from identity.address import Address
from identity.claim_data import EnergyType

BID, OFFER = Side.BID, Side.OFFER
PAB, PAO, PAC = Mechanism.PAY_AS_BID, Mechanism.PAY_AS_OFFER, Mechanism.PAY_AS_CLEAR
by_every_mechanism = pytest.mark.parametrize("mechanism", [PAO, PAB, PAC], ids=lambda one: one.title)

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


def orders(side, numbers, wanted, accounts=st.none()):
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
def trees(draw, shares=False, limits=True, mechanisms=False):
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
                mechanism=draw(st.sampled_from([None, PAB, PAO])) if mechanisms else None,
            )
        )
    return Tree(tuple(nodes))


@st.composite
def books(draw, plain=False, accounts=st.none() | st.integers(0, 3), **of_tree):
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
@given(book=books())
def test_no_law_is_broken(mechanism, book):
    check(*book, mechanism, walk(*book, mechanism))


@by_every_mechanism
@given(book=books(shares=True))
def test_no_law_is_broken_where_fees_are_shares(mechanism, book):
    check(*book, mechanism, walk(*book, mechanism))


@pytest.mark.parametrize("mechanism", [PAO, PAB], ids=lambda one: one.title)
@given(book=books(mechanisms=True))
def test_the_walk_is_that_of_the_slow_reference(mechanism, book):
    walked = walk(*book, mechanism)
    assert (walked.trades, walked.held) == reference(*book, mechanism)


@given(book=books(shares=True))
def test_the_walk_is_that_of_the_slow_reference_where_fees_are_shares(book):
    walked = walk(*book, PAB)
    assert (walked.trades, walked.held) == reference(*book, PAB)
