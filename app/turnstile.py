"""What stands in front of the desk: orders queue here to become durable, and where the queue is full they are refused.

A queue that only grows ends in answers that come too late for anybody. Here it has a length, and who comes beyond it
is told at once to come again.
"""

from collections.abc import Callable, Sequence
from time import perf_counter

from app.figures import Figures
from app.rate_limit import Allowances
from exchange.effects.desk import Desk
from exchange.effects.taken import Result, Taken
from exchange.errors import Overloaded, TooManyRequests
from exchange.order import SignedOrder
from identity.registry import Registry


class Turnstile:
    """Hands orders to the desk, `most_waiting` at once.

    `accounts` is how many orders of each account are taken, if that is limited. Only a taken order is charged, since
    anybody can name any asset in an order that nobody signed; whose allowance is used up is refused before any work.
    Used from one event loop.
    """

    def __init__(
        self,
        desk: Desk,
        figures: Figures,
        *,
        most_waiting: int,
        accounts: Allowances | None,
        registry: Callable[[], Registry],
    ) -> None:
        self._desk = desk
        self._figures = figures
        self._most_waiting = most_waiting
        self._accounts = accounts
        self._registry = registry

    async def submit(self, orders: Sequence[SignedOrder]) -> list[Result]:
        """Decide on orders and answer each once all is durable; see `Desk.submit_soon`. Raises `Overloaded`."""
        figures, count = self._figures, len(orders)
        if figures.waiting and figures.waiting + count > self._most_waiting:
            raise Overloaded("orders", self._most_waiting)
        began = perf_counter()
        figures.waiting += count
        try:
            results = await (
                self._desk.submit_soon(orders) if self._accounts is None else self._limited(orders, self._accounts)
            )
        finally:
            figures.waiting -= count
        figures.durable.observe(perf_counter() - began)
        for result in results:
            figures.orders[_outcome(result)] += 1
        return results

    async def _limited(self, orders: Sequence[SignedOrder], accounts: Allowances) -> list[Result]:
        """Refuse the orders of accounts that have used up their allowance, and hand in the rest."""
        assets, asked = self._registry().assets, dict[int, int]()
        refused: dict[int, Result] = {}
        for position, signed in enumerate(orders):
            asset = assets.get(signed.order.asset)
            if asset is None:
                continue
            asked[asset.account] = asked.get(asset.account, 0) + 1
            wait = accounts.seconds_to(asset.account, asked[asset.account])
            if wait or asked[asset.account] > accounts.rate.burst:
                refused[position] = TooManyRequests("account", max(wait, 1))
        taken = await self._desk.submit_soon([each for at, each in enumerate(orders) if at not in refused])
        for result in taken:
            if isinstance(result, Taken) and result.new:
                accounts.charge(result.accepted.account, 1)
        rest = iter(taken)
        return [refused[position] if position in refused else next(rest) for position in range(len(orders))]


def _outcome(result: Result) -> str:
    if isinstance(result, Taken):
        return "accepted" if result.new else "held"
    return result.code
