"""The batches of one step: who waits to be mined, and which nonces are taken."""

from collections.abc import Iterable

from settlement.effects.store import StoredBatch
from settlement.lifecycle import State


class Flight:
    """The unfinished batches as they stand, while a step moves them."""

    def __init__(self, unfinished: Iterable[StoredBatch] = ()) -> None:
        self._batches = {name_of(batch): batch for batch in unfinished}

    def note(self, batch: StoredBatch) -> None:
        """Take a batch as it stands now."""
        self._batches[name_of(batch)] = batch

    def waiting(self, *, below: int | None = None, but: StoredBatch | None = None) -> list[StoredBatch]:
        """Return the batches that wait to be mined: all, those with a nonce below, or all but one."""
        return [
            batch
            for name, batch in self._batches.items()
            if batch.state is State.SUBMITTED
            and (below is None or nonce_of(batch) < below)
            and (but is None or name != name_of(but))
        ]

    def free_nonce(self, batch: StoredBatch, pending: int) -> int:
        """Return the first nonce from `pending`, the node's next, that no other batch sent or mined has."""
        others = (other for name, other in self._batches.items() if name != name_of(batch))
        taken = {nonce_of(other) for other in others if other.state in {State.SUBMITTED, State.MINED}}
        nonce = pending
        while nonce in taken:
            nonce += 1
        return nonce


def name_of(batch: StoredBatch) -> tuple[int, int]:
    """Return what a batch is called: its session and part."""
    return batch.session, batch.part


def nonce_of(batch: StoredBatch) -> int:
    """Return the nonce of the newest attempt, or -1 where another process settled the batch."""
    return batch.attempts[-1].nonce if batch.attempts else -1
