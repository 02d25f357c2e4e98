"""What the verbs of the command line have in common: options, and where an exchange's registries are to be found.

Nothing slow is imported here, so that `--help` answers at once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
Data = Annotated[Path, typer.Option(help="The folder of the exchange.", file_okay=False)]
Rpc = Annotated[str | None, typer.Option(help="The JSON-RPC URL of a node; without it, the chain in this process.")]
KeyFile = Annotated[Path | None, typer.Option(help="The file of the private key: hex, or a keystore.")]

DATA = Path("merit-data")

Node = Annotated[
    str | None,
    typer.Option(
        "--rpc",
        envvar="MERIT_RPC",
        help="The JSON-RPC URL of a node; without it, the chain the exchange was founded on.",
    ),
]
Contract = Annotated[
    str | None,
    typer.Option("--contract", help="The settlement contract, where there is no folder of the exchange; with --rpc."),
]
OwnKey = Annotated[Path, typer.Option("--key-file", help="The file of the key that acts: hex, or a keystore.")]
PayerKey = Annotated[
    Path | None, typer.Option("--payer-key-file", help="The key that pays for the transaction, if another.")
]
Days = Annotated[int, typer.Option("--days", min=1, max=36_600, help="For how long, in days.")]


@dataclass(frozen=True, slots=True)
class Where:
    """Which exchange is meant: its folder, or its contract on a node."""

    data: Path
    rpc: str | None
    contract: str | None


KINDS = "load, pv, storage, wind, power-plant, heat-pump, ev-charger, meter, market-maker"
TYPES = "none, pv, wind, storage, hydro, biomass, cogeneration, grid, other"

Kind = Annotated[str | None, typer.Option("--kind", help=f"What the asset is: {KINDS}.")]
EnergyTypeName = Annotated[
    str | None, typer.Option("--energy-type", help=f"Where its energy comes from: {TYPES}; without it, by its kind.")
]
PowerW = Annotated[int | None, typer.Option("--power-w", min=0, help="Rated power in W.")]
CapacityWh = Annotated[int, typer.Option("--capacity-wh", min=0, help="Capacity in Wh, of what stores energy.")]
Demand = Annotated[
    int | None, typer.Option("--demand", min=0, help="For balancing: paid for taking a kWh, in millionths.")
]
Supply = Annotated[
    int | None, typer.Option("--supply", min=0, help="For balancing: paid for giving a kWh, in millionths.")
]
MarketNumber = Annotated[int | None, typer.Option("--market", min=0, help="A grid operator's market; 0 is every one.")]
