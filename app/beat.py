"""What one beat of the heart did, and what stands in its way."""

from dataclasses import dataclass

from exchange.delivery import SessionKey
from exchange.events import SessionCleared
from settlement.effects.indexer import DeepReorg
from settlement.effects.progress import Held
from settlement.effects.store import Lease, StoredBatch


@dataclass(frozen=True, slots=True)
class Unsealed:
    """A cleared session of which no batch can be stored: the code and the words of the refusal, and since when.

    It is tried again when the process starts anew or takes over; the others go on.
    """

    session: SessionKey
    code: str
    why: str
    since: int


@dataclass(frozen=True, slots=True)
class Beat:
    """What one beat did. `led_by` is another submitter that has the lease; `unsealed` is what is new of its kind."""

    cleared: tuple[SessionCleared, ...]
    moved: tuple[StoredBatch, ...]
    held: tuple[Held, ...]
    settled: tuple[SessionKey, ...]
    unsealed: tuple[Unsealed, ...] = ()
    led_by: Lease | None = None
    deep_reorg: DeepReorg | None = None
