"""The thread in which the heart beats, by the clock."""

import logging
from collections.abc import Callable
from threading import Event, Thread

from app.beat import Beat
from app.heartbeat import Heartbeat
from contracts.errors import EvmError
from exchange.effects.desk import Desk
from settlement.effects.progress import Held, Hold

_FOLLOWING_SECONDS = 0.2
"""How long one who follows is behind at most, and how soon somebody takes over."""

_log = logging.getLogger("merit.heartbeat")


class HeartbeatThread:
    """Beats in a thread of its own, every `every` seconds, until it is stopped; a beat that fails is logged, and the
    next one goes on from there. `before` is called with the time before every beat.
    """

    def __init__(
        self,
        heartbeat: Heartbeat,
        desk: Desk,
        *,
        every: float = 1.0,
        before: Callable[[int], None] | None = None,
    ) -> None:
        self._before = before
        self._heartbeat = heartbeat
        self._desk = desk
        self._every = every
        self._told: set[tuple[object, ...]] = set()
        self._stop = Event()
        self._thread = Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the beat that is under way, and end."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            pause = self._every
            try:
                now = self._desk.clock()
                if not self._heartbeat.lead():
                    pause = min(_FOLLOWING_SECONDS, self._every)
                    self._heartbeat.last_error = None
                    continue
                if self._before is not None:
                    self._before(now)
                beat = self._heartbeat.beat(now)
            except EvmError as error:
                self._heartbeat.last_error = str(error)
                _log.warning("the chain does not answer: %s", error)
                continue
            except Exception as error:  # noqa: BLE001  # logged with its trace; a thread that dies settles nothing
                self._heartbeat.last_error = f"{type(error).__name__}: {error}"
                _log.exception("a beat failed")
                continue
            self._heartbeat.last_error = None
            self._tell(beat)

    def _tell(self, beat: Beat) -> None:
        """Log what happened; what waits is told of once, and again when its reason changes."""
        waiting = {_reason(held): held for held in beat.held}
        for held in (held for reason, held in waiting.items() if reason not in self._told):
            fields = {"session": held.session, "part": held.part, "code": held.code.value}
            _log.warning("session %s part %s waits: %s", held.session, held.part, held.why, extra={"fields": fields})
        self._told = set(waiting)
        for cleared in beat.cleared:
            fields = {"session": str(cleared.session), "energy_wh": cleared.clearing.energy}
            _log.info("cleared %s: %s Wh", cleared.session, cleared.clearing.energy, extra={"fields": fields})


def _reason(held: Held) -> tuple[object, ...]:
    """Return what makes two of them the same: not the seconds that are left."""
    return held.session, held.part, held.code, held.why if held.code is Hold.WAITS else ""
