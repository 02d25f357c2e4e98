"""Whether journal, outbox and chain tell the same story of every session.

The three are written one after the other, so after a crash one may be behind; a break that is no more than that is
marked as `behind` and mends itself. Every other break needs a person.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from exchange.delivery import SessionKey
from exchange.session import SessionState
from settlement.calldata import SettleCall, decode, packed_amounts
from settlement.errors import CalldataMalformed
from settlement.facts import BatchSettled
from settlement.fee_words import rows_in
from settlement.kept_batch import KeptBatch
from settlement.lifecycle import State

CODES = {
    "not-sealed": "the journal has the session cleared, and the outbox has no batch of it",
    "not-final": "the journal has the session settled, and a batch of it is not final",
    "not-noted": "every batch of the session is final, and the journal does not have it settled",
    "not-in-journal": "the outbox or the chain has a session that the journal does not have cleared",
    "parts-missing": "the outbox has not every part of the session",
    "not-on-chain": "the outbox has a batch mined that the chain does not hold",
    "not-in-outbox": "the chain holds a batch that the outbox does not have",
    "behind-chain": "the chain holds a batch that the outbox does not have mined",
    "refused-on-chain": "the chain holds a batch that the outbox has refused",
    "roots-differ": "the chain holds a batch with other roots or parameters than the outbox",
    "amounts-differ": "the chain counts other orders, trades, energy or money than the batch in the outbox",
}
"""Every kind of break with its meaning."""

BEHIND = {"not-sealed", "not-noted", "behind-chain"}
"""The breaks of a writer that has not come so far yet."""


@dataclass(frozen=True, slots=True)
class Break:
    """One place where two stories differ. `part` is none where the session as a whole is meant."""

    code: str
    session: int
    part: int | None
    sentence: str

    def __post_init__(self) -> None:
        assert self.code in CODES, f"{self.code} is no kind of break"

    @property
    def behind(self) -> bool:
        """Whether a writer is merely behind."""
        return self.code in BEHIND


def reconcile(
    journal: Mapping[SessionKey, SessionState], outbox: Iterable[KeptBatch], chain: Iterable[BatchSettled]
) -> list[Break]:
    """Return every break between the journal's sessions, the batches in the outbox and what the chain holds."""
    sessions = {key.number: state for key, state in journal.items()}
    kept = {(batch.session, batch.part): batch for batch in outbox}
    held = {(fact.session, fact.part): fact for fact in chain}
    parts: dict[int, list[KeptBatch]] = {}
    for batch in kept.values():
        parts.setdefault(batch.session, []).append(batch)
    breaks: list[Break] = []
    settled = {session for session, _ in held}
    for number in sorted({*sessions, *parts, *settled}):
        breaks += _of_session(number, sessions.get(number), parts.get(number, []), on_chain=number in settled)
    for name in sorted({*kept, *held}):
        breaks += _of_part(kept.get(name), held.get(name))
    return breaks


def _of_session(number: int, state: SessionState | None, kept: list[KeptBatch], *, on_chain: bool) -> Iterator[Break]:
    cleared = state in (SessionState.CLEARED, SessionState.SETTLED)
    if (kept or on_chain) and not cleared:
        said = "not have it" if state is None else f"have it {state.value}"
        yield Break("not-in-journal", number, None, f"batches of this session are there, and the journal does {said}")
        return
    if not cleared:
        return
    if not kept:
        yield Break("not-sealed", number, None, "the session is cleared, and no batch of it was sealed")
        return
    if len(kept) != kept[0].parts:
        sentence = f"the session has {kept[0].parts} parts, and {len(kept)} are kept"
        yield Break("parts-missing", number, None, sentence)
    unfinished = [batch.part for batch in kept if batch.state is not State.FINAL]
    if state is SessionState.SETTLED and unfinished:
        sentence = f"the journal has the session settled, and part {min(unfinished)} is not final"
        yield Break("not-final", number, None, sentence)
    if state is SessionState.CLEARED and not unfinished and len(kept) == kept[0].parts:
        yield Break("not-noted", number, None, "every part is final, and the journal does not have the session settled")


def _of_part(kept: KeptBatch | None, held: BatchSettled | None) -> Iterator[Break]:
    if held is None:
        assert kept is not None, "a part is named by what keeps or holds it"
        if kept.state in (State.MINED, State.FINAL):
            sentence = f"the batch is {kept.state.value}, and the chain does not hold it"
            yield Break("not-on-chain", kept.session, kept.part, sentence)
        return
    if kept is None:
        yield Break("not-in-outbox", held.session, held.part, "the chain holds a batch that was never sealed here")
        return
    if kept.state in (State.SEALED, State.SUBMITTED):
        sentence = f"the chain holds the batch, which is {kept.state.value} here"
        yield Break("behind-chain", kept.session, kept.part, sentence)
    if kept.state is State.REFUSED:
        sentence = "the chain holds the batch, which counts as refused here"
        yield Break("refused-on-chain", kept.session, kept.part, sentence)
    here = (kept.parts, kept.order_root, kept.trade_root, kept.parameters)
    if here != (held.parts, held.order_root, held.trade_root, held.parameters):
        yield Break("roots-differ", kept.session, kept.part, "parts, roots or parameters differ")
    try:
        amounts = _amounts(decode(kept.calldata))
    except CalldataMalformed as error:
        yield Break("amounts-differ", kept.session, kept.part, f"the kept call cannot be read: {error}")
        return
    if amounts != (held.orders, held.trades, held.energy, held.value, held.fee):
        yield Break("amounts-differ", kept.session, kept.part, "orders, trades, energy or money differ")


def _amounts(call: SettleCall) -> tuple[int, int, int, int, int]:
    """Return orders, trades, energy, value and fees of a call; raises `CalldataMalformed` where its rows are none."""
    fees = [row.rate for row in rows_in(call.fees)]
    trades = [packed_amounts(packed) for packed in call.trades]
    if any(place >= len(fees) for _, _, place in trades):
        raise CalldataMalformed("a trade names a fee row that is not in the call")
    energy = sum(energy for energy, _, _ in trades)
    value = sum(energy * rate for energy, rate, _ in trades)
    fee = sum(energy * fees[place] for energy, _, place in trades)
    return len(call.orders), len(call.trades), energy, value, fee
