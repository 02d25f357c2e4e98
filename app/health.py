"""Whether this server is alive, and whether it is fit to work: each part it needs, looked at by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Response

from app.problems import problem, problem_response
from app.wiring import House
from contracts.errors import EvmError
from contracts.evm import Block
from contracts.local_evm import LocalEvm
from exchange.errors import ExchangeRefused
from settlement.effects.errors import SettlementEffectError

MOST_LAG_BLOCKS = 25
MOST_AHEAD_SECONDS = 60
"""How far the newest block of a chain that others run may be ahead of this machine's clock."""

MOST_BEHIND_SECONDS = 900
"""How old the newest block of a chain may be that others run; a chain in this process has blocks when it needs them."""

_FRESH_SECONDS = 1.0

OWN_THREADS = CapacityLimiter(2)
"""For who looks after the server: requests that are slow, however many, are not in its way."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """Something this server needs: why it is not ready, if it is not, and figures of it."""

    missing: str | None
    figures: Document


class Health:
    """Looks at one exchange. The chain is asked once a second at most, however often somebody wants to know."""

    def __init__(self, house: House, now: Callable[[], float] = monotonic) -> None:
        self._house = house
        self._now = now
        self._asked_at: float | None = None
        self._head: Block | None = None
        self._why = ""

    def head(self) -> Block | None:
        """Return the chain's newest block, or none where the chain does not answer."""
        if self._asked_at is None or self._now() - self._asked_at >= _FRESH_SECONDS:
            try:
                self._head = self._house.evm.head()
            except EvmError as error:
                self._head, self._why = None, str(error)
            self._asked_at = self._now()
        return self._head

    def parts(self) -> dict[str, Part]:
        """Return every part by its name."""
        return {
            "chain": self._chain(),
            "clock": self._clock(),
            "indexing": self._indexing(),
            "journal": self._journal(),
            "sealing": self._sealing(),
            "lease": self._lease(),
            "heartbeat": Part(self._house.heartbeat.last_error, {}),
        }

    def _chain(self) -> Part:
        chain_id = self._house.founded.deployment.chain_id
        head = self.head()
        if head is None:
            return Part(f"the chain does not answer: {self._why}", {"chain_id": chain_id})
        return Part(None, {"chain_id": chain_id, "head": head.number})

    def _clock(self) -> Part:
        now, head = self._house.desk.clock(), self.head()
        if head is None:
            return Part(None, {"now": now})
        alone = isinstance(self._house.evm, LocalEvm)
        return Part(skew(head, now, alone=alone), {"now": now, "head_at": head.timestamp})

    def _indexing(self) -> Part:
        try:
            cursor = self._house.store.cursor()
        except SettlementEffectError as error:
            return Part(f"the store cannot be read: {error}", {})
        if cursor is None:
            return Part("the chain was not read yet", {})
        head = self.head()
        lag = 0 if head is None else max(head.number - cursor.number, 0)
        missing = f"{lag} blocks are yet to be read" if lag > MOST_LAG_BLOCKS else None
        figures: Document = {"read_to_block": cursor.number, "lag_blocks": lag}
        found = self._house.heartbeat.last_deep_reorg
        if found is not None:
            figures |= {"deep_reorgs": self._house.heartbeat.deep_reorgs, "last_deep_reorg": str(found)}
        return Part(missing, figures)

    def _journal(self) -> Part:
        desk, journal = self._house.desk, self._house.journal
        try:
            desk.look(lambda market, _: market.next_sequence)
            figures = {"sequence": journal.sequence, "decides": desk.decides}
        except ExchangeRefused as refusal:
            return Part(str(refusal), {})
        return Part(None if desk.decides else "another process decides", figures)

    def _sealing(self) -> Part:
        """Sessions that cannot be sealed hold up nobody else, so the server is as ready as it was."""
        unsealed = {str(key): found.code for key, found in sorted(self._house.heartbeat.unsealed.items())}
        return Part(None, {"unsealed": unsealed} if unsealed else {})

    def _lease(self) -> Part:
        try:
            lease = self._house.store.lease()
            leads = self._house.submitter.leads(self._house.desk.clock())
        except SettlementEffectError as error:
            return Part(f"the store cannot be read: {error}", {})
        if lease is None:
            return Part("nobody submits yet", {})
        figures = {"holder": lease.holder, "until": lease.until, "term": lease.term}
        return Part(None if leads else f"{lease.holder} has, or had, the lease to submit", figures)


def skew(head: Block, now: int, *, alone: bool) -> str | None:
    """Say how the clock and the chain's newest block disagree, if they do beyond what is usual.

    `alone`: the chain is in this process. It has a block only when something happens, and blocks of one second are
    each a second later than the one before: founding an exchange takes it a minute ahead.
    """
    ahead = head.timestamp - now
    if ahead > MOST_AHEAD_SECONDS + (head.number if alone else 0):
        return f"the chain is {ahead} s ahead of this machine's clock: is the clock right?"
    if not alone and -ahead > MOST_BEHIND_SECONDS:
        return f"the newest block is {-ahead} s old: is the clock right, and does the node follow its chain?"
    return None


def health_router(health: Health) -> APIRouter:
    """Return the routes for whoever looks after this server."""
    router = APIRouter(tags=["operation"])

    @router.get("/healthz")
    async def alive() -> Document:
        """Answer, as long as this process can: where it does not, start it anew."""
        return {"status": "alive"}

    @router.get("/readyz", response_model=None)
    async def ready() -> Response | Document:
        """Say whether this server can take orders and settle them; 503 `not-ready` names what is missing."""
        parts = await to_thread.run_sync(health.parts, limiter=OWN_THREADS)
        missing = {name: part.missing for name, part in parts.items() if part.missing is not None}
        figures = {name: part.figures for name, part in parts.items() if part.figures}
        if missing:
            detail = "; ".join(f"{name}: {why}" for name, why in missing.items())
            return problem_response(problem("not-ready", detail) | {"missing": missing, "parts": figures})
        return {"status": "ready", "parts": figures}

    return router
