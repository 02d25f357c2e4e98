"""What the desk is told besides orders, signed: terms of a node by its operator, forecasts, states of charge."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager

from exchange.charge import StateOfCharge
from exchange.errors import ExchangeRefused
from exchange.events import ChargeStated, Event, ForecastSet, NodeTermsSet
from exchange.forecast import Forecast
from exchange.market import Market
from exchange.terms import NodeTerms
from identity.errors import IdentityRefused
from identity.registry import Registry

ForecastResult = tuple[ForecastSet, bool] | Exception
"""What became of a forecast: how it stands, and whether that is new; or why it is refused."""


class Notices:
    """The notices of one desk: `deciding` holds its lock at an instant, `carry_out` makes events happen.

    It also writes them down, refuses where this process does not decide, and is called with the lock held.
    """

    def __init__(
        self,
        market: Market,
        registry: Callable[[], Registry],
        deciding: Callable[[], AbstractContextManager[int]],
        carry_out: Callable[[Sequence[Event]], "Future[int]"],
    ) -> None:
        self._market = market
        self._registry = registry
        self._deciding = deciding
        self._carry_out = carry_out

    def set_terms(self, terms: NodeTerms, signature: bytes) -> tuple[NodeTermsSet, bool]:
        """Change a node's terms as its grid operator signed it; says whether that is new.

        Refuses as the market does: unknown node, terms out of turn or out of bounds, bad signature, no grid operator.
        """
        with self._deciding() as now:
            durable = self._carry_out([])
            event = self._market.set_terms(terms, signature, registry=self._registry(), now=now)
            if event is not None:
                durable = self._carry_out([event])
            change = self._market.rulebook.held(terms.digest(self._market.separator))
        durable.result()
        assert change is not None, "what was taken is held"
        return change, event is not None

    def state_charge(self, charge: StateOfCharge, signature: bytes) -> tuple[ChargeStated, bool]:
        """Take how full a storage is, as it was signed; says whether that is new.

        Refuses a bad signature, who has no authority, and a charge that is overtaken or out of bounds.
        """
        with self._deciding() as now:
            durable = self._carry_out([])
            reserves, separator = self._market.reserves, self._market.separator
            event = reserves.decide(charge, signature, separator=separator, registry=self._registry(), now=now)
            if event is not None:
                durable = self._carry_out([event])
            stated = reserves.stated(charge.asset)
        durable.result()
        assert stated is not None, "what was taken is held"
        return stated, event is not None

    def set_forecasts(self, given: Sequence[tuple[Forecast, bytes]]) -> list[ForecastResult]:
        """Decide on signed forecasts, one after the other, and answer each; raises `JournalBroken` for all of them."""
        market = self._market
        results: list[ForecastResult] = []
        with self._deciding() as now:
            durable, registry = self._carry_out([]), self._registry()
            for forecast, signature in given:
                result: ForecastResult
                try:
                    event = market.forecasts.decide(
                        forecast,
                        signature,
                        separator=market.separator,
                        registry=registry,
                        sequence=market.next_sequence,
                        now=now,
                    )
                except (ExchangeRefused, IdentityRefused) as refusal:
                    result = refusal
                else:
                    if event is not None:
                        durable = self._carry_out([event])
                    held = market.forecasts.held(forecast.digest(market.separator))
                    assert held is not None, "what was taken is held"
                    result = held, event is not None
                results.append(result)
        durable.result()
        return results
