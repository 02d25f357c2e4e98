"""The three mechanisms on the same books: volume, welfare, and what a member pays.

    python -m examples.compare_mechanisms

Two books: the worked example of docs/clearing.md, and the summer day of the street in examples/street.toml, where every
home states what energy is worth to it. Prints the tables of docs/mechanisms.md. It clears and adds up, without a chain.
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
from exchange.units import MicroPerKwh, Wh, to_decimal
from identity.address import Address
from identity.hashing import keccak

FEE = MicroPerKwh(5_000)
START = 1_781_992_800


@dataclass(slots=True)
class Outcome:
    """What one mechanism made of some sessions: energy in Wh, money in nano, bills by account."""

    mechanism: Mechanism
    energy: int = 0
    welfare: int = 0
    value: int = 0
    bills: dict[int, int] = field(default_factory=dict)

    def add(self, market: Market, book: Sequence[Resting]) -> None:
        """Clear one session and add what came of it.

        Welfare is what the buyers would have paid at most, less what the sellers would have taken at least.
        """
        by_name = {entry.digest: entry for entry in book}
        session = book[0].order.session
        clearing = clear(book, session=session, fee=market.fee, mechanism=self.mechanism)
        for trade in clearing.trades:
            bid, offer = by_name[trade.bid], by_name[trade.offer]
            self.energy += trade.energy
            self.welfare += trade.energy * (bid.order.limit - offer.order.limit)
            self.value += trade.value
            self.bills[bid.account] = self.bills.get(bid.account, 0) + trade.cost
            self.bills[offer.account] = self.bills.get(offer.account, 0) - trade.value


def market_of(fee: MicroPerKwh, opening: int = 3_600, lead: int = 300) -> Market:
    """Return a market of quarter-hours."""
    return Market(
        number=1, node="street", period=900, opening=opening, lead=lead, window=86_400, fee=fee, fee_account=99
    )


def standing(order: Order, sequence: int, account: int, home: str = "") -> Resting:
    """Return an order as it stands in the book, under a name of its own."""
    name = keccak(f"{order.asset.hex()} {order.delivery_start} {sequence}".encode())
    return Resting(order, name, sequence, account, home, order.market)


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


def worked(mechanism: Mechanism) -> tuple[Outcome, dict[str, int]]:
    """Clear the worked example; return the outcome and the accounts by name."""
    market, outcome = market_of(FEE), Outcome(mechanism)
    accounts: dict[str, int] = {}
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
        book.append(standing(order, sequence, account))
    outcome.add(market, book)
    return outcome, accounts


def of_the_street(
    community: Community, profiles: Profiles, alternative: Alternative, market: Market, index: int
) -> list[Resting]:
    """Return what the street's agents order for one delivery period; account 1 is the utility."""
    start, capacity = profiles.starts[index], Wh(community.utility.capacity_wh)
    orders = [
        (supply(asset_of("utility sells"), capacity, market, start, alternative, 0), 1, "in"),
        (take_up(asset_of("utility buys"), capacity, market, start, alternative, 0), 1, "out"),
    ]
    for account, home in enumerate(community.homes, 2):
        drawn = profiles.columns[home.load][index]
        fed_in = profiles.columns[home.pv][index] if home.pv else 0
        if drawn:
            orders.append((need(asset_of(home.load), Wh(drawn), market, start, alternative, 0), account, ""))
        if home.pv and fed_in:
            orders.append((output(asset_of(home.pv), Wh(fed_in), market, start, alternative, 0), account, ""))
    return [standing(order, number, account, home) for number, (order, account, home) in enumerate(orders, 1)]


def street(mechanism: Mechanism) -> tuple[Outcome, dict[str, int]]:
    """Clear the street's whole day; return the outcome and the accounts by name."""
    community = read_community(street_file())
    profiles = read_profiles(community, street_file().parent)
    terms, utility = community.community, community.utility
    market = market_of(MicroPerKwh(terms.fee_micro_per_kwh), terms.opening_seconds, terms.lead_seconds)
    alternative = Alternative(sell=MicroPerKwh(utility.sell_micro_per_kwh), buy=MicroPerKwh(utility.buy_micro_per_kwh))
    outcome = Outcome(mechanism)
    for index in range(len(profiles.starts)):
        outcome.add(market, of_the_street(community, profiles, alternative, market, index))
    accounts = {utility.name: 1} | {home.name: account for account, home in enumerate(community.homes, 2)}
    return outcome, accounts


def money(nano: int) -> str:
    """Return an amount with four decimals: exact, or cut off towards minus infinity."""
    return to_decimal(nano // 100_000, 4)


def table(title: str, names: Iterable[str], outcomes: Sequence[tuple[Outcome, dict[str, int]]]) -> None:
    """Print one book's figures by mechanism, as a table in Markdown."""
    heads = [outcome.mechanism.title for outcome, _ in outcomes]
    print(f"{title}\n")
    print("| | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 1) + "|")
    rows = {
        "traded, kWh": [to_decimal(outcome.energy, 3) for outcome, _ in outcomes],
        "welfare": [money(outcome.welfare) for outcome, _ in outcomes],
        "sellers get": [money(outcome.value) for outcome, _ in outcomes],
    }
    for name in names:
        rows[f"{name} pays"] = [money(outcome.bills.get(accounts[name], 0)) for outcome, accounts in outcomes]
    for label, cells in rows.items():
        print(f"| {label} | " + " | ".join(cells) + " |")
    print()


def main() -> None:
    """Print both tables."""
    table("The worked example (EUR):", "ABCDEF", [worked(mechanism) for mechanism in Mechanism])
    table(
        "The street's summer day (EUR):",
        ("home-01", "home-07", "home-08", "home-11", "utility"),
        [street(mechanism) for mechanism in Mechanism],
    )


if __name__ == "__main__":
    main()
