"""How fast a book with preferences is cleared, at one node and in a tree, against a plain double loop in the same run.

    python -m bench.preferences

Process CPU time, median of several repeats, engines timed in turn; making the orders is not timed, and the collector of
cycles leaves them alone, as in the server. Of the bids 60 %
ask for nothing, 25 % for one or two energy types, 10 % for a list of partners, and 5 % list two or three alternatives;
of the offers 5 % name partners. The double loop lets every bid look at every offer. It clears a small book, is
compared per order, and must trade the same.
"""

import random

import numpy as np

from app.collector import spare_the_book
from bench.measure import in_turns, load_line
from exchange.delivery import Mechanism
from exchange.order import Side
from exchange.preferences import Alternative, Preferences
from exchange.tree import Fee, Node, Tree
from exchange.units import MicroPerKwh, Wh
from exchange.walk import walk
from exchange.walk_order import WalkSide
from identity.address import Address
from identity.claim_data import EnergyType

_ORDERS = 100_000
_LOOP_ORDERS = 1_000
_GROWTH = (1_000, 10_000, 100_000, 1_000_000)
_ORDERS_A_COMMUNITY = 100
_TARGET = 400_000
_REFERENCE = "36 to 280 orders/s (1,000 and 100 bids against as many offers), measured elsewhere"
_SOLD = (EnergyType.PV, EnergyType.PV, EnergyType.PV, EnergyType.WIND, EnergyType.STORAGE, EnergyType.GRID)
_MECHANISMS = (Mechanism.PAY_AS_OFFER, Mechanism.PAY_AS_BID, Mechanism.PAY_AS_CLEAR)
_NOBODY = Address(bytes(20))

Book = tuple[WalkSide, WalkSide, Tree]


def one_node() -> Tree:
    """Return a tree of one node with a fee."""
    return Tree(
        (Node(number=1, name="1", parent=None, fee=Fee(constant=MicroPerKwh(900)), fee_account=1, operator=_NOBODY),)
    )


def three_levels(communities: int) -> Tree:
    """Return a grid, a feeder for each hundred communities, and the communities, each with a fee."""
    feeders = max(1, communities // 100)
    parents = [None, *[1] * feeders, *(2 + place % feeders for place in range(communities))]
    return Tree(
        tuple(
            Node(
                number=number,
                name=str(number),
                parent=parent,
                fee=Fee(constant=MicroPerKwh(500 + 100 * (number % 7))),
                fee_account=1,
                operator=_NOBODY,
            )
            for number, parent in enumerate(parents, start=1)
        )
    )


def book(orders: int, communities: int, seed: int = 1) -> Book:
    """Return as many bids as offers, spread over the communities (none: at one node); most of them trade in part."""
    draw = random.Random(seed)
    tree = three_levels(communities) if communities else one_node()
    leaves = [node.number for node in tree.nodes][-max(communities, 1) :]
    count = orders // 2
    people = [Address(number.to_bytes(20, "big")) for number in range(1, count + 1)]

    def partners(place: int) -> tuple[Address, ...]:
        step = len(leaves)  # those at the same node
        return tuple(people[(place + step * draw.randrange(1, 40)) % count] for _ in range(draw.randint(1, 4)))

    def wishes(place: int) -> Preferences | None:
        kind = draw.random()
        if kind < 0.6:
            return None
        green = Alternative.of(energy_types=draw.sample((EnergyType.PV, EnergyType.WIND), draw.randint(1, 2)))
        if kind < 0.85:
            return Preferences((green,))
        friends = Alternative.of(partners=partners(place), most_energy=Wh(draw.randint(500, 5_000)))
        if kind < 0.95:
            return Preferences((friends,))
        anything = Alternative.of(limit=MicroPerKwh(draw.randrange(100_000, 200_000, 100)))
        return Preferences((friends, green, anything)[draw.randint(0, 1) :])

    def side(which: Side) -> WalkSide:
        rows, preferences = [], {}
        for place in range(count):
            named = None
            if which is Side.BID:
                named = wishes(place)
            elif draw.random() < 0.05:
                named = Preferences((Alternative.of(partners=partners(place)),))
            rate, energy = draw.randrange(0, 240_000, 100), draw.randint(1, 5_000)
            sold = draw.choice(_SOLD) if which is Side.OFFER else EnergyType.NONE
            rows.append((leaves[place % len(leaves)], rate, energy, place + count * which, sold))
            if named is not None:
                preferences[place] = named
        node, rates, energies, account, energy_type = np.array(rows, dtype=np.int64).T.copy()
        return WalkSide(
            node=node,
            rate=rates,
            energy=energies,
            account=account,
            energy_type=energy_type,
            holder=people,
            asset=people,
            preferences=preferences,
        )

    return side(Side.BID), side(Side.OFFER), tree


def double_loop(bids: WalkSide, offers: WalkSide, fee: int) -> int:
    """Clear one node, pay-as-bid, each alternative looking at each offer; return what the sellers get."""
    turns = []
    for place, limit in enumerate(bids.rate.tolist()):
        rank = limit
        asked = bids.preferences.get(place, Preferences((Alternative(),)))
        for number, wish in enumerate(asked.alternatives):
            rate = limit if wish.limit is None else min(limit, wish.limit)
            rank = min(rank, rate)
            turns.append((-rank, place, number, rate, wish))
    wanted, left, value = bids.energy.tolist(), offers.energy.tolist(), 0
    asks, sold, sellers, buyers = (
        column.tolist() for column in (offers.rate, offers.energy_type, offers.account, bids.account)
    )
    cheapest_first = sorted(range(len(offers)), key=asks.__getitem__)
    for _, place, _, rate, wish in sorted(turns, key=lambda turn: turn[:3]):
        most = wish.most_energy
        for at in cheapest_first:
            energy = min(wanted[place], left[at]) if most is None else min(wanted[place], left[at], most)
            if not energy or asks[at] > rate - fee or sellers[at] == buyers[place]:
                continue
            if wish.energy_types and sold[at] not in wish.energy_types:
                continue
            if accept(bids, place, wish, offers, at):
                wanted[place] -= energy
                left[at] -= energy
                most = None if most is None else most - energy
                value += energy * (rate - fee)
    return value


def accept(bids: WalkSide, bid: int, wish: Alternative, offers: WalkSide, offer: int) -> bool:
    """Whether both sides are among the partners of the other."""
    if wish.partners and not {offers.asset[offer], offers.holder[offer]} & {*wish.partners}:
        return False
    named = offers.preferences.get(offer)
    return named is None or bool({bids.asset[bid], bids.holder[bid]} & {*named.alternatives[0].partners})


def speed_at(communities: int, loop_speed: float) -> None:
    """Print some lines for a tree of so many communities; for none, for one node."""
    place = f"{communities:,} communities in three levels" if communities else "one node"
    bids, offers, tree = book(_ORDERS, communities)
    spare_the_book()
    print(f"{_ORDERS:,} orders, {place} (target {_TARGET:,} orders/s; {load_line()})")
    spent = in_turns(
        {mechanism.title: lambda mechanism=mechanism: walk(bids, offers, tree, mechanism) for mechanism in _MECHANISMS}
    )
    for title, seconds in spent.items():
        speed = _ORDERS / seconds
        print(
            f"    {title}: {seconds * 1e3:.0f} ms, {speed:,.0f} orders/s, {speed / loop_speed:,.0f} x the double loop"
        )
    print(f"    {len(walk(bids, offers, tree, Mechanism.PAY_AS_BID).trades):,} trades")


def cost_of_an_order(orders: int, share: int) -> float:
    """Return nanoseconds by order, with so many orders a community; with none, at one node."""
    bids, offers, tree = book(orders, orders // share if share else 0)
    spare_the_book()
    return in_turns({"one": lambda: walk(bids, offers, tree, Mechanism.PAY_AS_BID)}, 3)["one"] * 1e9 / orders


def main() -> None:
    """Print some lines for one node and for a tree, and how the cost of an order grows."""
    bids, offers, tree = book(_LOOP_ORDERS, 0)
    fee = tree.root.fee.constant
    walked = walk(bids, offers, tree, Mechanism.PAY_AS_BID)
    assert double_loop(bids, offers, fee) == sum(trade[2] * trade[3] for trade in walked.trades), "they disagree"
    loop = in_turns({"loop": lambda: double_loop(bids, offers, fee)}, 3)["loop"]
    for communities in (0, _ORDERS // _ORDERS_A_COMMUNITY):
        speed_at(communities, _LOOP_ORDERS / loop)
    print(f"plain double loop, {_LOOP_ORDERS:,} orders: {loop * 1e3:.0f} ms, {_LOOP_ORDERS / loop:,.0f} orders/s")
    print(f"the reference exchange's attributed matching: {_REFERENCE}")
    for name, share in (("one node", 0), (f"{_ORDERS_A_COMMUNITY} orders a community", _ORDERS_A_COMMUNITY)):
        costs = ", ".join(f"{orders:,}: {cost_of_an_order(orders, share):,.0f}" for orders in _GROWTH)
        print(f"growth, {name}, pay-as-bid, ns an order: {costs}")


if __name__ == "__main__":
    main()
