"""What an audit reads, and from where: the folder of an exchange, or one that was exported, and a chain.

The audit itself is pure and stands in `settlement/audit.py`. Here files that may have been tampered with become
values: what cannot be read becomes a finding, and everything else goes on to be checked.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.clock import Clock, WallClock
from app.founding import Founded
from app.storage import Storage
from app.wiring import Places, open_chain
from contracts.errors import DamagedRecord
from contracts.evm import Evm
from contracts.local_evm import LocalEvm
from exchange.anonymous import NO_BLIND
from exchange.book import Book, book_from_document
from exchange.documents import event_from_document, hexed
from exchange.errors import JournalBroken, OrderMalformed
from exchange.events import (
    Event,
    GateClosed,
    NodeTermsSet,
    OrderAccepted,
    OrderCancelled,
    ParametersSet,
    ProposalTaken,
    SessionCleared,
    TickCleared,
)
from exchange.parameters import Parameters
from exchange.rulebook import Rulebook
from identity.address import Address
from identity.errors import IdentityRefused
from settlement.audit import audit, audit_batches
from settlement.chain_view import ChainView
from settlement.effects.chain_view import read_chain
from settlement.effects.errors import SettlementEffectError
from settlement.effects.settlement_contract import SettlementContract
from settlement.effects.store import StoredBatch, StoredFact
from settlement.facts import BatchSettled
from settlement.findings import Finding

BOOKS = "books"
"""The folder of published books in an export."""


@dataclass(slots=True)
class Evidence:
    """What was found in a folder: books, batches, facts the operator had read of the chain, and what is unreadable."""

    founded: Founded
    books: list[Book] = field(default_factory=list)
    batches: list[StoredBatch] = field(default_factory=list)
    facts: list[StoredFact] = field(default_factory=list)
    uncleared: set[int] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of an audit, with what it looked at."""

    findings: tuple[Finding, ...]
    sessions: int
    orders: int
    trades: int
    energy_wh: int
    batches: int
    blocks: int

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def to_document(self) -> dict[str, object]:
        """Return the verdict as plain values for JSON."""
        return {
            "sound": self.sound,
            "findings": [finding.to_document() for finding in self.findings],
            "sessions": self.sessions,
            "orders": self.orders,
            "trades": self.trades,
            "energy_wh": self.energy_wh,
            "batches": self.batches,
            "blocks": self.blocks,
        }


def gather(folder: Path, storage: Storage | None = None) -> Evidence:
    """Read the evidence in a folder: a running or finished exchange's own, or an export of it.

    `storage` says where journal and store lie, if not in the folder.

    Raises `ExchangeFileUnusable` where it does not say which exchange it is of.
    """
    places = Places(folder)
    evidence = Evidence(Founded.read(places.exchange))
    storage = Storage(folder, None) if storage is None else storage
    if storage.is_there():
        _read_journal(storage, evidence)
    if (folder / BOOKS).is_dir():
        for path in sorted((folder / BOOKS).glob("*.json")):
            _read_book(path, evidence)
    if storage.store is None or storage.store.exists():
        try:
            with closing(storage.open_store()) as store:
                evidence.batches.extend(store.batches())
                evidence.facts.extend(store.facts())
        except (ValueError, TypeError, LookupError, SettlementEffectError) as error:
            evidence.findings.append(Finding("stored-batch", None, "", f"the store cannot be read: {error}"))
    return evidence


def judge(evidence: Evidence, evm: Evm, *, now: int | None = None) -> Verdict:
    """Audit the evidence against a chain. Raises `EvmError` where the chain does not answer."""
    deployment = evidence.founded.deployment
    contract = SettlementContract(evm, Address(deployment.settlement))
    view = read_chain(contract, start_block=min(deployment.block, deployment.registries_since))
    findings = list(evidence.findings)
    findings += audit(evidence.books, view, whole=True, elsewhere=evidence.uncleared, now=now)
    findings += audit_batches(evidence.batches, evidence.books)
    findings += _check_store(evidence, view)
    return _verdict(evidence, findings, batches=len(view.calldata), blocks=evm.head().number + 1)


def _check_store(evidence: Evidence, view: ChainView) -> Iterator[Finding]:
    """Yield where what the operator stored of the chain, and serves, is not what the chain says."""
    told = {(witnessed.block_number, witnessed.log_index): witnessed for witnessed in view.facts}
    settled = {
        (witnessed.fact.session, witnessed.fact.part): (witnessed.tx_hash, witnessed.block_number, witnessed.block_hash)
        for witnessed in view.facts
        if isinstance(witnessed.fact, BatchSettled)
    }
    for stored in evidence.facts:
        witnessed = stored.witnessed
        sentence = f"the store tells of {witnessed.fact}, the chain does not"
        if told.get((witnessed.block_number, witnessed.log_index)) != witnessed:
            yield Finding("stored-fact", None, hexed(witnessed.tx_hash), sentence)
        elif isinstance(witnessed.fact, BatchSettled):
            sentence = "the stored calldata is not the transaction's"
            if stored.calldata != view.calldata.get((witnessed.fact.session, witnessed.fact.part)):
                yield Finding("stored-fact", None, hexed(witnessed.tx_hash), sentence)
    for batch in evidence.batches:
        place = (batch.tx_hash, batch.block_number, batch.block_hash)
        if any(item is not None for item in place) and settled.get((batch.session, batch.part)) != place:
            sentence = f"part {batch.part} of session {batch.session} was settled by another transaction or block"
            yield Finding("stored-batch", None, str(batch.part), sentence)


def _verdict(evidence: Evidence, findings: Iterable[Finding], *, batches: int, blocks: int) -> Verdict:
    trades = [trade for book in evidence.books for trade in book.cleared.clearing.trades]
    return Verdict(
        findings=tuple(findings),
        sessions=len(evidence.books),
        orders=sum(len(book.orders) for book in evidence.books),
        trades=len(trades),
        energy_wh=sum(trade.energy for trade in trades),
        batches=batches,
        blocks=blocks,
    )


def audit_folder(
    folder: Path, *, rpc: str | None = None, clock: Clock | None = None, storage: Storage | None = None
) -> Verdict:
    """Audit the exchange in a folder against the chain at `rpc`, else the one it was founded on.

    A chain in this process is rebuilt by executing its recording: the contract checks everything once more.
    """
    evidence = gather(folder, storage)
    clock = WallClock() if clock is None else clock
    if rpc is not None:
        from contracts.rpc_evm import RpcEvm

        return judge(evidence, RpcEvm(rpc, expected_chain_id=evidence.founded.deployment.chain_id), now=clock())
    try:
        evm = open_chain(Places(folder), evidence.founded, clock)
    except DamagedRecord as damage:
        # Without a chain only the files can still be held against each other.
        findings = [*evidence.findings, Finding("chain-record", None, str(damage.line), damage.why)]
        findings += audit_batches(evidence.batches, evidence.books)
        return _verdict(evidence, findings, batches=0, blocks=0)
    try:
        return judge(evidence, evm, now=None)
    finally:
        if isinstance(evm, LocalEvm):
            evm.close()


def books_of(parameters: Parameters, events: Iterable[Event]) -> tuple[list[Book], set[int]]:
    """Return the books that events make, and the sequence numbers of orders in sessions not cleared yet."""
    rulebook = Rulebook(parameters)
    orders: dict[object, list[OrderAccepted]] = {}
    cancellations: dict[object, list[OrderCancelled]] = {}
    ticks: dict[object, list[TickCleared]] = {}
    blinds: dict[object, bytes] = {}
    proposals: dict[object, list[ProposalTaken]] = {}
    cleared: list[SessionCleared] = []
    for event in events:
        match event:
            case ParametersSet():
                rulebook = Rulebook(event.parameters)
            case NodeTermsSet():
                # what makes no rules cannot have held: the books then differ from what the chain has
                with suppress(ValueError, LookupError, AssertionError):
                    rulebook.set(event)
            case OrderAccepted():
                orders.setdefault(event.signed.order.session, []).append(event)
            case OrderCancelled():
                cancellations.setdefault(event.session, []).append(event)
            case TickCleared():
                ticks.setdefault(event.session, []).append(event)
            case GateClosed():
                blinds[event.session] = event.blind
            case ProposalTaken():
                proposals.setdefault(event.session, []).append(event)
            case SessionCleared():
                cleared.append(event)
            case _:
                pass
    books = [
        Book(
            key=event.session,
            parameters=rulebook.founding,
            changes=rulebook.changes_before(event.session),
            orders=tuple(orders.get(event.session, ())),
            cancellations=tuple(cancellations.get(event.session, ())),
            ticks=tuple(ticks.get(event.session, ())),
            blind=blinds.get(event.session, NO_BLIND),
            proposals=tuple(proposals.get(event.session, ())),
            cleared=event,
        )
        for event in cleared
        if rulebook.founding.market_or_none(event.session.market) is not None
    ]
    done = {event.session for event in cleared}
    waiting = {order.receipt.sequence for key, taken in orders.items() if key not in done for order in taken}
    return books, waiting


def _read_journal(storage: Storage, evidence: Evidence) -> None:
    """Read every entry that can still be read, whatever its hash says; damage is reported entry by entry."""
    evidence.findings += [
        Finding("journal", None, "" if damage.sequence is None else str(damage.sequence), damage.why)
        for damage in storage.check_journal()
    ]
    events: list[Event] = []
    try:
        for body in storage.bodies():
            try:
                events.append(event_from_document(json.loads(body)))
            except (ValueError, TypeError, RecursionError, OrderMalformed, IdentityRefused):
                continue  # named as damage above
    except JournalBroken as broken:
        evidence.findings.append(Finding("journal", None, "", str(broken)))
    books, evidence.uncleared = books_of(evidence.founded.parameters, events)
    evidence.books += books


def _read_book(path: Path, evidence: Evidence) -> None:
    try:
        evidence.books.append(book_from_document(json.loads(path.read_text())))
    except (OSError, ValueError, TypeError, RecursionError, OrderMalformed, IdentityRefused) as error:
        evidence.findings.append(Finding("book-malformed", None, path.name, str(error)))


class VerificationFailed(Exception):
    """An audit or a verification found something; what it was has been printed."""

    code = "verification-failed"
