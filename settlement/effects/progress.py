"""What a step of the outbox tells: which batches moved, and which somebody should look at, and why."""

from dataclasses import dataclass
from enum import StrEnum

from settlement.effects.store import Lease, StoredBatch


class Hold(StrEnum):
    """Why somebody should look at a batch; the code of a `Held`."""

    WAITS = "waits"
    FEE_ABOVE_CAP = "fee-above-cap"
    DEADLINE = "deadline-near"
    CONTRADICTED = "receipt-contradicted"
    DEEP_REORG = "deep-reorg"


@dataclass(frozen=True, slots=True)
class Held:
    """A batch that could not move in this step, or that needs a look, and why: in the contract's or node's words."""

    session: int
    part: int
    why: str
    code: Hold = Hold.WAITS


@dataclass(frozen=True, slots=True)
class Progress:
    """What one step did: the batches that moved, as they stand now, and those held up.

    Where another submitter has the lease, it is `led_by`, and what did not move before it took over did not move.
    """

    moved: tuple[StoredBatch, ...]
    held: tuple[Held, ...]
    led_by: Lease | None = None
