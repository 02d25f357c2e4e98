"""Metering and imbalance over HTTP: readings handed in and read, deviations, rules, prices and runs.

Readings and deviations are for the owner of the asset, the meter operator, and who was granted the meter. Of runs the
sums are public; what they post to an account is the account's, and whole runs are for who may read the audit trail.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from exchange.documents import hexed
from identity.access import TRAIL, Item, Scope, account_scope
from identity.address import Address, to_text
from identity.effects.paging import Limit, link_next
from identity.effects.reads import Reads
from identity.effects.routes import subject_of
from identity.errors import IdentityRefused
from settlement.effects.meter_desk import MeterDesk
from settlement.effects.meter_schema import (
    ReadingIn,
    ReadingResults,
    ReadingsIn,
    ReadingTaken,
    read_reading,
)
from settlement.effects.meter_store import StoredRun
from settlement.metering import Admitted
from settlement.metering_errors import MeteringRefused
from settlement.reading import AcceptedReading, SignedReading
from settlement.run_document import line_to_document, posting_to_document, run_to_document

Document = dict[str, Any]
ProblemOf = Callable[[Exception], Document]
"""A refusal as a problem document (RFC 9457), with its HTTP status under `status`."""

AssetText = Annotated[str, Path(max_length=600, description="an asset's address, or its DID")]
Begin = Annotated[int, Query(alias="from", ge=0, lt=1 << 40, description="the first slot, unix seconds")]
End = Annotated[int, Query(alias="to", ge=0, lt=1 << 40, description="unix seconds, not included")]
_EVER = (1 << 40) - 1


def metering_router(desk: MeterDesk, *, reads: Reads, problem_of: ProblemOf, chain_id: int) -> APIRouter:
    """Return the routes of readings and of imbalance; `chain_id` is that of assets' DIDs."""
    router = APIRouter(prefix="/v1", tags=["metering"])
    store = desk.store

    @router.post(
        "/readings",
        name="submit_reading",
        status_code=201,
        response_model=ReadingTaken,
        responses={200: {"model": ReadingTaken, "description": "Held already: as it was taken the first time"}},
    )
    def submit(reading: ReadingIn, response: Response) -> Document:
        """Hand in what a meter has read and signed. Handing it in again is harmless."""
        (answer,) = desk.submit([read_reading(reading)])
        if not isinstance(answer, Admitted):
            raise answer
        response.status_code = 201 if answer.new else 200
        return _taken(answer)

    @router.post("/readings/batch", response_model=ReadingResults, response_model_exclude_none=True)
    def submit_batch(batch: ReadingsIn) -> Document:
        """Hand in up to 1,000 readings. Each is decided on by itself, in the order given, with its own result."""
        results: dict[int, Document] = {}
        signed: dict[int, SignedReading] = {}
        for place, document in enumerate(batch.readings):
            try:
                signed[place] = read_reading(document)
            except (MeteringRefused, IdentityRefused) as refusal:
                results[place] = _refused(problem_of(refusal))
        for place, answer in zip(signed, desk.submit(list(signed.values())), strict=True):
            if isinstance(answer, Admitted):
                results[place] = {"status": 201 if answer.new else 200, **_taken(answer)}
            else:
                results[place] = _refused(problem_of(answer))
        return {"results": [results[place] for place in range(len(batch.readings))]}

    @router.get("/assets/{asset}/readings", name="readings_of_asset")
    def readings(
        request: Request,
        response: Response,
        asset: AssetText,
        begin: Begin = 0,
        end: End = _EVER,
        cursor: Annotated[int, Query(ge=0, lt=1 << 62, description="the last reading seen")] = 0,
        limit: Limit = 100,
    ) -> Document:
        """List the readings of an asset in the order they were taken, every version of each slot."""
        identity = _judged(request, reads, asset, chain_id)
        found = store.readings(identity, begin, end, cursor, limit + 1)
        following = found[limit - 1][0] if len(found) > limit else None
        link_next(request, response, following)
        shown = [reading_document(accepted) for _, accepted in found[:limit]]
        return {"asset": to_text(identity), "readings": shown, "next": following}

    @router.get("/assets/{asset}/deviations", name="deviations_of_asset")
    def deviations(
        request: Request,
        response: Response,
        asset: AssetText,
        begin: Begin = 0,
        end: End = _EVER,
        cursor: Annotated[int, Query(ge=0, lt=1 << 40, description="the slot to go on from")] = 0,
        limit: Limit = 100,
    ) -> Document:
        """List what an asset comes to by slot, as the runs so far have it, with the readings it rests on."""
        identity = _judged(request, reads, asset, chain_id)
        lines = store.lines(identity, max(begin, cursor), end, limit + 1)
        following = lines[limit].start if len(lines) > limit else None
        link_next(request, response, following)
        shown = [line_to_document(line) for line in lines[:limit]]
        return {"asset": to_text(identity), "deviations": shown, "next": following}

    _add_imbalance(router, desk, reads)
    return router


def _add_imbalance(router: APIRouter, desk: MeterDesk, reads: Reads) -> None:
    """Add the routes of rules, prices and runs."""
    store = desk.store

    @router.get("/imbalance/rules", tags=["imbalance"])
    def rules() -> Document:
        """Return the rules that readings are taken and deviations are charged under, and their hash."""
        return {"rules": desk.rules.to_document(), "hash": hexed(desk.rules.hash())}

    @router.get("/imbalance/prices", tags=["imbalance"])
    def prices(
        request: Request,
        response: Response,
        begin: Begin = 0,
        end: End = _EVER,
        cursor: Annotated[int, Query(ge=0, lt=1 << 40, description="the slot to go on from")] = 0,
        limit: Limit = 100,
    ) -> Document:
        """List the prices that were published for single slots; elsewhere those of the rules hold."""
        found = [*store.prices(max(begin, cursor), end, limit + 1).items()]
        following = found[limit][0] if len(found) > limit else None
        link_next(request, response, following)
        shown = [
            {"start": start, "short_micro_per_kwh": price.short, "long_micro_per_kwh": price.long}
            for start, price in found[:limit]
        ]
        return {"prices": shown, "next": following}

    @router.get("/imbalance/runs", tags=["imbalance"])
    def runs(
        request: Request,
        response: Response,
        cursor: Annotated[int, Query(ge=0, lt=1 << 40, description="the last run seen")] = 0,
        limit: Limit = 100,
    ) -> Document:
        """List runs by number: as of when, under which rules, how much is in them, and their linked hashes."""
        found = store.runs(cursor, limit + 1)
        following = found[limit - 1].number if len(found) > limit else None
        link_next(request, response, following)
        return {"runs": [stored_run_document(run) for run in found[:limit]], "next": following}

    @router.get("/imbalance/runs/{number}", tags=["imbalance"])
    def run(
        request: Request,
        number: Annotated[int, Path(ge=1, lt=1 << 40, description="the run's number")],
        account: Annotated[int | None, Query(ge=1, lt=1 << 32, description="only what concerns this account")] = None,
    ) -> Document:
        """Return a run: what it posted to an account, and why; or, for who may read the trail, all of it."""
        if account is None:
            reads.judge(request, Item((TRAIL,)))
            return run_to_document(store.run(number))
        reads.judge(request, Item((account_scope(account), TRAIL)))
        made = store.run(number)
        return {
            "run": made.number,
            "as_of": made.as_of,
            "account": account,
            "lines": [line_to_document(line) for line in made.lines if line.account == account],
            "postings": [posting_to_document(posting) for posting in made.postings if posting.account == account],
        }


def reading_document(accepted: AcceptedReading) -> Document:
    """Return a reading that was taken as plain values, with all that is needed to check its signature."""
    return {
        "digest": hexed(accepted.digest),
        **accepted.signed.to_document(),
        "signer": to_text(accepted.signer),
        "received_at": accepted.at,
    }


def stored_run_document(run: StoredRun) -> Document:
    """Return what is told of a run without its content."""
    return {
        "run": run.number,
        "as_of": run.as_of,
        "rules": hexed(run.rules),
        "previous": hexed(run.previous),
        "hash": hexed(run.hash),
        "lines": run.lines,
        "postings": run.postings,
    }


def _judged(request: Request, reads: Reads, text: str, chain_id: int) -> Address:
    identity = subject_of(text, chain_id)
    reads.judge(request, Item((Scope.meter(identity),)))
    return identity


def _taken(admitted: Admitted) -> Document:
    return {"digest": hexed(admitted.accepted.digest), "received_at": admitted.accepted.at}


def _refused(problem: Document) -> Document:
    return {"status": problem["status"], "problem": problem}
