"""The verbs of `merit meter` and `merit imbalance`: what each imports is imported only when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from app.options import DATA, AsJson, Data

meter = typer.Typer(name="meter", help="Meters: hand in what they read.", no_args_is_help=True)
imbalance = typer.Typer(name="imbalance", help="Imbalance: settle deviations in runs.", no_args_is_help=True)

MeterKey = Annotated[Path, typer.Option("--key-file", help="The file of the meter's key: hex, or a keystore.")]
OtherStorage = Annotated[
    str | None, typer.Option("--storage", help="Where journal and store lie, if not in the folder: see `merit serve`.")
]


@meter.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="CSV: see docs/metering.md.", exists=True, metavar="FILE")],
    key_file: MeterKey,
    url: Annotated[str, typer.Option(help="Where the exchange is served.")] = "http://127.0.0.1:8080",
    version: Annotated[
        int, typer.Option(min=1, help="The version of readings that are made from a register: higher to correct.")
    ] = 1,
    rolls_over_at: Annotated[
        int | None, typer.Option(min=1, help="The Wh at which a register's counters begin anew.")
    ] = None,
    spread: Annotated[
        bool, typer.Option("--spread/--no-spread", help="Hand in what was spread over a gap, too: marked as estimated.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Sign readings with a meter's key, and hand them in. Exit 4 where any was refused."""
    from app.commands.meter import import_file as run

    run(path, key_file, url, version=version, rolls_over_at=rolls_over_at, spread=spread, as_json=as_json)


@imbalance.command("run")
def run_(
    as_of: Annotated[
        int | None, typer.Option(min=0, help="Take readings from before this instant (unix seconds); without it, now.")
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(help="CSV of prices to publish first: start,short_micro_per_kwh,long_micro_per_kwh.", exists=True),
    ] = None,
    data: Data = DATA,
    storage: OtherStorage = None,
    as_json: AsJson = False,
) -> None:
    """Settle the deviations of all slots that were waited for; posts what differs from earlier runs."""
    from app.commands.imbalance import make as run

    run(data, storage, as_of=as_of, prices=prices, as_json=as_json)


@imbalance.command()
def show(
    number: Annotated[int | None, typer.Argument(min=1, help="A run; without it, all are listed.")] = None,
    data: Data = DATA,
    storage: OtherStorage = None,
    as_json: AsJson = False,
) -> None:
    """Show one run with every posting, or list them."""
    from app.commands.imbalance import show as run

    run(data, storage, number, as_json=as_json)
