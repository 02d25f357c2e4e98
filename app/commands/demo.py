"""`merit demo`: a street of homes trades a whole day."""

import shutil
from dataclasses import asdict
from pathlib import Path
from time import monotonic

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.auditing import VerificationFailed
from app.community import CommunityRefused
from app.demo import Bill, Day, Demo, Registered, prepare
from app.output import Output
from app.street import street_file
from app.verdict_view import show_verdict
from exchange.units import Nano, in_cents, per_kwh, to_decimal

_MARK = "made-by-demo"
"""A file that says that a folder may be thrown away."""

_DATABASES = ("journal.db", "settlement.db", "access.db", "archive.db")
_MADE_BY_US = {
    _MARK,
    "exchange.json",
    "journal.db.lock",
    "journal.db.mark",
    "chain.jsonl",
    "keys",
    "deployments",
    *(name + end for name in _DATABASES for end in ("", "-wal", "-shm")),
}


def run(data: Path, community: Path | None, *, serve: bool, port: int, rpc_port: int, as_json: bool) -> None:
    """Play the day and print bills, the chain's totals, the audit's verdict, and what it says of an altered trade.

    Raises `VerificationFailed` where the audit finds something, or misses the altered trade.
    """
    output = Output(as_json=as_json)
    _clear(data)
    began = monotonic()
    output.say("founding the exchange on a chain in this process …")
    demo, periods = prepare(community or street_file(), data)
    with demo:
        _trade(demo, periods, output)
        output.say("auditing the day …")
        day = demo.conclude()
        output.result(_document(day))
        _show(day, output)
        output.say(f"done in {monotonic() - began:.1f} s; the day is kept in {data}: try `merit audit {data}`")
        if not day.verdict.sound or not day.caught:
            raise VerificationFailed("the audit did not go as it must")
        if serve:
            _keep_serving(demo, data, output, port, rpc_port)


def _clear(data: Path) -> None:
    """Make an empty folder, in the place of an earlier demo; refuses to remove anything else."""
    if data.exists() and not data.is_dir():
        raise CommunityRefused(f"{data} is no folder; name another with --data")
    held = {path.name for path in data.iterdir()} if data.exists() else set()
    if held and _MARK not in held:
        raise CommunityRefused(f"{data} holds something else than a demo; name another folder with --data")
    if held - _MADE_BY_US:
        foreign = ", ".join(sorted(held - _MADE_BY_US))
        raise CommunityRefused(f"{data} holds {foreign}, which no demo made; name another folder with --data")
    if held:
        shutil.rmtree(data)
    data.mkdir(parents=True, exist_ok=True)
    (data / _MARK).write_text("merit demo made this folder, and replaces it when it is run again\n")


def _trade(demo: Demo, periods: int, output: Output) -> None:
    with Progress(
        TextColumn("trading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=output.err
    ) as progress:
        task = progress.add_task("trading", total=periods)
        demo.trade(lambda index: progress.update(task, completed=index + 1))


def _show(day: Day, output: Output) -> None:
    _show_registered(day.registered, output)
    rows = [_row(bill) for bill in day.bills]
    homes = [bill for bill in day.bills if bill.drawn or bill.fed_in]
    rows.append(_row(_sum(homes, "all homes")))
    output.table(
        "Bills of the day (kWh, EUR; a bill below zero is money earned)",
        ["", "own use", "bought", "sold", "paid", "earned", "bill", "without market", "better by"],
        rows,
        totals=1,
    )
    chain = day.chain
    output.table(
        "On the chain",
        ["sessions", "trades", "energy kWh", "to sellers EUR", "fees EUR", "gas", "gas a trade", "blocks"],
        [
            [
                str(chain.sessions),
                str(chain.trades),
                to_decimal(chain.energy, 3),
                _euro(chain.value),
                _euro(chain.fees),
                f"{chain.gas:,}",
                f"{per_unit(chain.gas, chain.trades):,}",
                str(chain.blocks),
            ]
        ],
    )
    output.text("")
    output.text("The audit: everything again, from the journal and the chain")
    show_verdict(output, day.verdict)
    output.text("")
    output.text(f"What an auditor catches. In a copy, {day.altered}:")
    for finding in day.caught:
        output.text(f"  ✗ {finding}")


def _show_registered(registered: Registered, output: Output) -> None:
    late = registered.late
    output.text("The registries")
    output.text(f"  {registered.certified} assets were certified, and enrolled for that")
    if registered.aggregated:
        output.text(f"  {', '.join(registered.aggregated)} let the aggregator trade for them")
    if late is None:
        return
    output.text(f"  {late.home} was sold at noon; an order the aggregator signed for it afterwards was refused")
    output.text(f"    by the exchange: {late.by_exchange}")
    output.text(f"    by the contract: {late.by_contract}")


def per_unit(total: int, count: int) -> int:
    """Return a whole average for display, rounded down; zero of nothing."""
    return int(per_kwh(Nano(total), count) or 0)  # type: ignore[arg-type]  # any two whole numbers


def _row(bill: Bill) -> list[str]:
    return [
        bill.name,
        to_decimal(bill.own_use, 3),
        to_decimal(bill.bought, 3),
        to_decimal(bill.sold, 3),
        _euro(bill.paid),
        _euro(bill.earned),
        _euro(bill.net),
        _euro(bill.without) if bill.drawn or bill.fed_in else "",
        _euro(bill.saved) if bill.drawn or bill.fed_in else "",
    ]


def _sum(bills: list[Bill], name: str) -> Bill:
    names = [field for field in Bill.__dataclass_fields__ if field != "name"]
    return Bill(name=name, **{field: sum(getattr(bill, field) for bill in bills) for field in names})


def _euro(amount: Nano) -> str:
    return to_decimal(in_cents(amount), 2)


def _document(day: Day) -> dict[str, object]:
    return {
        "bills": [
            {
                "name": bill.name,
                "own_use_wh": bill.own_use,
                "bought_wh": bill.bought,
                "sold_wh": bill.sold,
                "paid_nano": bill.paid,
                "earned_nano": bill.earned,
                "bill_nano": bill.net,
                "without_market_nano": bill.without,
            }
            for bill in day.bills
        ],
        "chain": {
            "sessions": day.chain.sessions,
            "trades": day.chain.trades,
            "energy_wh": day.chain.energy,
            "value_nano": day.chain.value,
            "fee_nano": day.chain.fees,
            "gas": day.chain.gas,
            "blocks": day.chain.blocks,
        },
        "audit": day.verdict.to_document(),
        "registered": {
            "certified": day.registered.certified,
            "aggregated": list(day.registered.aggregated),
            "late_order": None if day.registered.late is None else asdict(day.registered.late),
        },
        "altered": day.altered,
        "caught": [finding.to_document() for finding in day.caught],
    }


def _keep_serving(demo: Demo, data: Path, output: Output, port: int, rpc_port: int) -> None:
    """Serve what the day left behind until interrupted; simulated time stands still at its end."""
    from app.play import write_member_keys
    from app.server import Serving
    from contracts.devnet_server import DevnetServer

    write_member_keys(data / "keys", demo.founded)
    with DevnetServer(demo.evm, rpc_port) as chain, Serving(demo.app, port=port) as server:
        output.announce(server.url, chain.url)
        server.wait()
