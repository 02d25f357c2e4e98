"""`merit imbalance`: what deviations cost, settled in numbered runs."""

from contextlib import closing
from pathlib import Path

from app.auditing import gather
from app.clock import WallClock
from app.imbalance import read_imbalance_rules, read_prices, registry_of, settle_imbalance
from app.output import Output
from app.storage import storage_of
from app.wiring import Places
from exchange.documents import hexed
from identity.address import to_text
from settlement.effects.meter_desk import MeterDesk
from settlement.effects.meter_routes import stored_run_document
from settlement.metering import Registries
from settlement.run_document import run_hash, run_to_document
from settlement.runs import Run

_MANY = 1_000


def make(data: Path, storage: str | None, *, as_of: int | None, prices: Path | None, as_json: bool) -> None:
    """Publish prices, if there are any, and make the next run; an exchange may be running on the same folder.

    Raises `RunOutOfTurn`, `PricesConflict`, `RulesMalformed`, and what reading the journal raises.
    """
    output, place = Output(as_json=as_json), storage_of(storage, data)
    published = {} if prices is None else read_prices(prices)
    evidence = gather(data, place)
    parameters = evidence.founded.parameters
    rules = read_imbalance_rules(Places(data).imbalance, parameters)
    registry = registry_of(parameters, (fact.witnessed for fact in evidence.facts))

    def registries() -> Registries:
        return Registries(authority=registry.authority, asset_role=registry.roles.asset)

    with closing(place.open_meters()) as store:
        store.publish(published)
        desk = MeterDesk(store, registries, rules, parameters.domain.separator(), WallClock())
        run = settle_imbalance(desk, evidence.books, registry, as_of)
    _tell(output, run)


def show(data: Path, storage: str | None, number: int | None, *, as_json: bool) -> None:
    """Print one run, or list all. Raises `UnknownRun`."""
    output = Output(as_json=as_json)
    with closing(storage_of(storage, data).open_meters()) as store:
        if number is not None:
            _tell(output, store.run(number))
            return
        runs, last = [], 0
        while page := store.runs(last, _MANY):
            runs += page
            last = page[-1].number
    output.result({"runs": [stored_run_document(run) for run in runs]})
    output.table(
        "Imbalance runs",
        ("run", "as of", "lines", "postings", "hash"),
        [(str(run.number), str(run.as_of), str(run.lines), str(run.postings), hexed(run.hash)) for run in runs],
    )


def _tell(output: Output, run: Run) -> None:
    output.result(run_to_document(run) | {"hash": hexed(run_hash(run))})
    output.table(
        f"Imbalance run {run.number}, as of {run.as_of}",
        ("asset", "slot", "account", "nano", "reason", "estimate"),
        [
            (
                to_text(posting.asset),
                str(posting.start),
                str(posting.account),
                str(posting.amount),
                posting.reason.value,
                "" if posting.estimate is None else posting.estimate.value,
            )
            for posting in run.postings
        ],
    )
    estimated = sum(line.estimate is not None for line in run.lines)
    output.text(
        f"{len(run.lines)} slots of assets are new or changed, {estimated} of them estimated; {hexed(run_hash(run))}"
    )
