"""The scene most tests start from: one bid, one offer, one trade, and its session may be settled."""

from typing import Any

from tests.contracts.orders import Batch, Order, Trade
from tests.contracts.town import Town

RATE, FEE, ENERGY = 150_000, 20_000, 800


def bid_and_offer(town: Town, **changes: Any) -> list[Order]:
    """A bid at 300,000 and an offer at 80,000 micro per kWh, of 1,000 Wh each; `changes` are made to both."""
    return [town.bid("the consumer", **changes), town.offer("the producer", **changes)]


def trade(**changes: Any) -> Trade:
    return Trade(**({"bid": 0, "offer": 1, "energy": ENERGY, "rate": RATE, "fee": FEE} | changes))


def one_trade(town: Town, *, orders: list[Order] | None = None, **changes: Any) -> Batch:
    """A batch of that one trade; `changes` are made to the trade."""
    return town.batch(orders or bid_and_offer(town), [trade(**changes)])
