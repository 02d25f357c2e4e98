"""The four mechanisms on the same books: volume, welfare, how much stays local, and what a member pays.

    python -m examples.compare_mechanisms

Two books: the worked example of docs/clearing.md, and the summer day of the street in examples/street.toml, where every
home states what energy is worth to it. Each is cleared at one node, and with its members in two communities under a
feeder, which take fees of their own and let only so much out. Prints the tables of docs/mechanisms.md. It clears and
adds up, without a chain.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from app.community import Community, Profiles, read_community, read_profiles
from app.example_communities import street_file
from exchange.agents import Alternative, need, output, supply, take_up
from exchange.clear import clear
from exchange.delivery import Market, Mechanism
from exchange.order import Order, Side
from exchange.resting import Resting
from exchange.tree import Fee, Node, Tree
from exchange.units import MicroPerKwh, Wh, to_decimal
from identity.address import Address
from identity.hashing import keccak

START = 1_781_992_800
ROOT, NORTH, SOUTH = 1, 2, 3
OPERATOR = Address(bytes(20))


def tree_of(fee: int, *below: tuple[int, str, int, int]) -> Tree:
    """Return a tree whose root takes a fee; `below` it number, name, fee and export limit of each node."""
    root = Tree.of_one(ROOT, name="feeder", fee=fee).root
    nodes = (
        Node(
            number=number,
            name=name,
            parent=ROOT,
            fee=Fee(constant=MicroPerKwh(charge)),
            fee_account=number,
            operator=OPERATOR,
            export_limit=Wh(limit),
        )
        for number, name, charge, limit in below
    )
    return Tree((root, *nodes))


ONE_NODE = tree_of(5_000)
COMMUNITIES = tree_of(5_000, (NORTH, "north", 2_000, 1_000), (SOUTH, "south", 2_000, 1_000))
"""Each community takes a fee of its own, and lets 1,000 Wh out in a quarter-hour: at noon less than it has to give."""


@dataclass(slots=True)
class Outcome:
    """What one mechanism made of some sessions: energy in Wh, money in nano, bills by account.

    `local` is what members sold to members, and did not go in or out; `near` is what stayed below the root.
    """

    mechanism: Mechanism
    utility: int
    energy: int = 0
    local: int = 0
    near: int = 0
    welfare: int = 0
    value: int = 0
    fees: int = 0
    rent: int = 0
    bills: dict[int, int] = field(default_factory=dict)

    def add(self, tree: Tree, book: Sequence[Resting]) -> None:
        """Clear one session and add what came of it.

        Welfare is what the buyers would have paid at most, less what the sellers would have taken at least and less the
        fees of the way.
        """
        by_name = {entry.digest: entry for entry in book}
        session = book[0].order.session
        clearing = clear(book, session=session, tree=tree, mechanism=self.mechanism)
        for trade in clearing.trades:
            bid, offer = by_name[trade.bid], by_name[trade.offer]
            fee = trade.energy * tree.fee(offer.node, bid.node, trade.rate)
            self.energy += trade.energy
            self.local += trade.energy * (self.utility not in (bid.account, offer.account))
            self.near += trade.energy * (trade.fees.top != tree.root.number)
            self.welfare += trade.energy * (bid.order.limit - offer.order.limit) - fee
            self.value += trade.value
            self.fees += fee
            self.rent += trade.fee - fee
            self.bills[bid.account] = self.bills.get(bid.account, 0) + trade.cost
            self.bills[offer.account] = self.bills.get(offer.account, 0) - trade.value


def market_of(opening: int = 3_600, lead: int = 300) -> Market:
    """Return a market of quarter-hours."""
    return Market(number=ROOT, period=900, opening=opening, lead=lead, window=86_400)


def standing(order: Order, sequence: int, account: int, home: str = "", node: int = ROOT) -> Resting:
    """Return an order as it stands in the book, under a name of its own."""
    name = keccak(f"{order.asset.hex()} {order.delivery_start} {sequence}".encode())
    return Resting(order, name, sequence, account, home, node)


def asset_of(name: str) -> Address:
    """Return an address that only names something."""
    return Address(keccak(name.encode())[:20])


WORKED = (
    ("A", Side.BID, 305_000, 700),
    ("A", Side.OFFER, 80_000, 200),
    ("B", Side.OFFER, 80_000, 500),
    ("C", Side.OFFER, 120_000, 600),
    ("D", Side.BID, 205_000, 400),
    ("E", Side.BID, 145_000, 300),
    ("F", Side.BID, 105_000, 300),
    ("utility", Side.OFFER, 300_000, 100_000),
)
"""The book of docs/clearing.md: who, side, limit in µ/kWh, energy in Wh."""


def worked(mechanism: Mechanism, tree: Tree) -> tuple[Outcome, dict[str, int]]:
    """Clear the worked example over a tree; return the outcome and the accounts by name.

    Where the tree has communities, B and F live in the first, and the others but for the utility in the second.
    """
    market = market_of()
    accounts = {"utility": 1}
    book = []
    for sequence, (name, side, limit, energy) in enumerate(WORKED, 1):
        account = accounts.setdefault(name, len(accounts) + 1)
        order = Order(
            asset=asset_of(f"{name} {side.name}"),
            market=market.number,
            product=market.product,
            side=side,
            delivery_start=START,
            energy=Wh(energy),
            limit=MicroPerKwh(limit),
            valid_until=START,
            salt=0,
        )
        node = NORTH if name in "BF" else SOUTH
        if len(tree.nodes) == 1 or account == accounts["utility"]:
            node = ROOT
        book.append(standing(order, sequence, account, "", node))
    outcome = Outcome(mechanism, accounts["utility"])
    outcome.add(tree, book)
    return outcome, accounts


def of_the_street(community: Community, profiles: Profiles, tree: Tree, market: Market, index: int) -> list[Resting]:
    """Return what the street's agents order for one delivery period; account 1 is the utility, which is at the root.

    Where the tree has communities, every other home hangs on each.
    """
    start, utility = profiles.starts[index], community.utility
    capacity = Wh(utility.capacity_wh)
    outside = Alternative(sell=MicroPerKwh(utility.sell_micro_per_kwh), buy=MicroPerKwh(utility.buy_micro_per_kwh))
    seen = {node.number: outside.seen_from(node.number, ROOT, tree) for node in tree.nodes}
    from_outside = outside.seen_from_outside(ROOT, tree)
    orders = [
        (supply(asset_of("utility sells"), capacity, market, start, from_outside, 0), 1, "in", ROOT),
        (take_up(asset_of("utility buys"), capacity, market, start, from_outside, 0), 1, "out", ROOT),
    ]
    communities = sorted(seen)[1:] or [ROOT]
    for account, home in enumerate(community.homes, 2):
        node = communities[account % len(communities)]
        alternative = seen[node]
        drawn = profiles.columns[home.load][index]
        fed_in = profiles.columns[home.pv][index] if home.pv else 0
        if drawn:
            orders.append((need(asset_of(home.load), Wh(drawn), market, start, alternative, 0), account, "", node))
        if home.pv and fed_in:
            orders.append((output(asset_of(home.pv), Wh(fed_in), market, start, alternative, 0), account, "", node))
    return [standing(order, number, *place) for number, (order, *place) in enumerate(orders, 1)]


def street(mechanism: Mechanism, tree: Tree) -> tuple[Outcome, dict[str, int]]:
    """Clear the street's whole day over a tree; return the outcome and the accounts by name."""
    community = read_community(street_file())
    profiles = read_profiles(community, street_file().parent)
    terms, utility = community.community, community.utility
    market = market_of(terms.opening_seconds, terms.lead_seconds)
    accounts = {utility.name: 1} | {home.name: account for account, home in enumerate(community.homes, 2)}
    outcome = Outcome(mechanism, accounts[utility.name])
    for index in range(len(profiles.starts)):
        outcome.add(tree, of_the_street(community, profiles, tree, market, index))
    return outcome, accounts


def money(nano: int) -> str:
    """Return an amount with four decimals: exact, or cut off towards minus infinity."""
    return to_decimal(nano // 100_000, 4)


def percent(part: int, whole: int) -> str:
    """Return a share in per cent with one decimal, cut off."""
    return f"{to_decimal(part * 1_000 // whole, 1)} %"


def table(title: str, names: Iterable[str], outcomes: Sequence[tuple[Outcome, dict[str, int]]]) -> None:
    """Print one book's figures by mechanism, as a table in Markdown."""
    heads = [outcome.mechanism.title for outcome, _ in outcomes]
    print(f"{title}\n")
    print("| | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 1) + "|")
    rows = {
        "traded, kWh": [to_decimal(outcome.energy, 3) for outcome, _ in outcomes],
        "local share": [percent(outcome.local, outcome.energy) for outcome, _ in outcomes],
        "welfare": [money(outcome.welfare) for outcome, _ in outcomes],
        "sellers get": [money(outcome.value) for outcome, _ in outcomes],
        "fees": [money(outcome.fees) for outcome, _ in outcomes],
    }
    if any(outcome.near for outcome, _ in outcomes):
        rows["within a community"] = [percent(outcome.near, outcome.energy) for outcome, _ in outcomes]
        rows["congestion rent"] = [money(outcome.rent) for outcome, _ in outcomes]
    for name in names:
        rows[f"{name} pays"] = [money(outcome.bills.get(accounts[name], 0)) for outcome, accounts in outcomes]
    for label, cells in rows.items():
        print(f"| {label} | " + " | ".join(cells) + " |")
    print()


def main() -> None:
    """Print the tables."""
    of_the_day = ("home-01", "home-07", "home-08", "home-11", "utility")
    for where, tree in (("", ONE_NODE), (" in two communities", COMMUNITIES)):
        table(f"The worked example{where} (EUR):", "ABCDEF", [worked(mechanism, tree) for mechanism in Mechanism])
        outcomes = [street(mechanism, tree) for mechanism in Mechanism]
        table(f"The street's summer day{where} (EUR):", of_the_day, outcomes)


if __name__ == "__main__":
    main()
