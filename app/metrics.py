"""The figures of a server for Prometheus, gathered when they are asked for."""

from collections import Counter
from collections.abc import Iterable

from anyio import to_thread
from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from app.figures import Figures
from app.health import OWN_THREADS, Health
from app.version import installed_version
from app.wiring import House
from exchange.errors import ExchangeRefused
from exchange.session import SessionState
from settlement.effects.errors import SettlementEffectError
from settlement.effects.progress import Hold
from settlement.lifecycle import State


class HouseCollector(Collector):
    """What was counted, and how the exchange stands. What cannot be read is left out, and `merit_ready` says why."""

    def __init__(self, house: House, health: Health, figures: Figures) -> None:
        self._house = house
        self._health = health
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        """Yield every metric."""
        yield from self._counted()
        yield from self._exchange()
        yield from self._settlement()
        yield from self._heartbeat()
        ready = GaugeMetricFamily("merit_ready", "Whether a part that is needed is there.", labels=["part"])
        for name, part in self._health.parts().items():
            ready.add_metric([name], float(part.missing is None))
        yield ready
        build = GaugeMetricFamily("merit_build_info", "Which version this is.", labels=["version"])
        build.add_metric([installed_version()], 1)
        yield build

    def _counted(self) -> Iterable[Metric]:
        figures = self._figures
        requests = CounterMetricFamily(
            "merit_http_requests", "Requests answered.", labels=["method", "route", "status"]
        )
        for (method, route, status), count in dict(figures.requests).items():
            requests.add_metric([method, route, str(status)], count)
        yield requests
        orders = CounterMetricFamily(
            "merit_orders", "Orders decided on: accepted, held before, or the code of the refusal.", labels=["outcome"]
        )
        for outcome, count in dict(figures.orders).items():
            orders.add_metric([outcome], count)
        yield orders
        problems = CounterMetricFamily("merit_problems", "Problems told of, by code.", labels=["code"])
        for code, count in dict(figures.problems).items():
            problems.add_metric([code], count)
        yield problems
        durable = HistogramMetricFamily(
            "merit_orders_durable_seconds", "From reading an order, or a batch of them, to having it on the disk."
        )
        counts, below, buckets = list(figures.durable.counts), 0, []
        for bound, count in zip((*map(str, figures.durable.bounds), "+Inf"), counts, strict=True):
            below += count
            buckets.append((bound, below))
        durable.add_metric([], buckets, figures.durable.sum)
        yield durable
        yield GaugeMetricFamily("merit_orders_waiting", "Orders that are not durable yet.", value=figures.waiting)
        yield GaugeMetricFamily("merit_http_requests_under_way", "Requests not answered yet.", value=figures.under_way)
        yield GaugeMetricFamily("merit_streams", "Open event streams.", value=figures.streams)
        yield CounterMetricFamily(
            "merit_streams_dropped", "Streams ended because nobody read.", value=figures.streams_dropped
        )

    def _exchange(self) -> Iterable[Metric]:
        try:
            states = self._house.desk.look(
                lambda market, _: (
                    Counter([session.state for session in market.sessions.values()])
                    + Counter({SessionState.SETTLED: len(market.forgotten)})
                )
            )
            sequence = self._house.journal.sequence
        except ExchangeRefused:
            return
        sessions = GaugeMetricFamily("merit_sessions", "Sessions by state.", labels=["state"])
        for state in SessionState:
            sessions.add_metric([state.value], states[state])
        yield sessions
        yield GaugeMetricFamily("merit_journal_sequence", "The newest durable entry of the journal.", value=sequence)

    def _settlement(self) -> Iterable[Metric]:
        head = self._health.head()
        if head is not None:
            yield GaugeMetricFamily("merit_chain_head_block", "The chain's newest block.", value=head.number)
        try:
            cursor, tally = self._house.store.cursor(), self._house.store.tally()
        except SettlementEffectError:
            return
        if cursor is not None:
            yield GaugeMetricFamily("merit_chain_read_block", "The last block that was read.", value=cursor.number)
            if head is not None:
                lag = max(head.number - cursor.number, 0)
                yield GaugeMetricFamily("merit_chain_lag_blocks", "Blocks that are yet to be read.", value=lag)
        batches = GaugeMetricFamily("merit_batches", "Batches by state.", labels=["state"])
        for state in State:
            batches.add_metric([state.value], tally.get(state, 0))
        yield batches

    def _heartbeat(self) -> Iterable[Metric]:
        heartbeat = self._house.heartbeat
        yield GaugeMetricFamily(
            "merit_sessions_unsealed", "Cleared sessions that cannot be sealed.", value=len(heartbeat.unsealed)
        )
        yield CounterMetricFamily(
            "merit_deep_reorgs", "Times the chain took back what was read as lasting.", value=heartbeat.deep_reorgs
        )
        held = GaugeMetricFamily("merit_batches_held", "Batches that need a look, by why.", labels=["code"])
        codes = Counter(found.code for found in heartbeat.held)
        for code in Hold:
            held.add_metric([code.value], codes[code])
        yield held


def metrics_router(collector: HouseCollector) -> APIRouter:
    """Return the route that Prometheus reads."""
    router = APIRouter(tags=["operation"])
    registry = CollectorRegistry()
    registry.register(collector)

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Return every figure of this server in Prometheus' text form."""
        text = await to_thread.run_sync(generate_latest, registry, limiter=OWN_THREADS)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return router
