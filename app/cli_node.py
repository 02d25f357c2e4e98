"""The verbs of `merit node`: what each imports is imported only when it runs."""

from typing import Annotated

import typer

from app.cli_access import Url
from app.options import AsJson, OwnKey

node = typer.Typer(
    name="node", help="Nodes of the tree: what they take and let through, and changing it.", no_args_is_help=True
)

URL = "http://127.0.0.1:8080"

NodeNumber = Annotated[int, typer.Argument(min=1, help="The node's number, as `merit node list` has it.")]


@node.command("list")
def list_(url: Url = URL, as_json: AsJson = False) -> None:
    """List the nodes: fees and limits in force and to come, by node."""
    from app.commands.node import list_nodes as run

    run(url, as_json=as_json)


@node.command()
def terms(number: NodeNumber, url: Url = URL, as_json: AsJson = False) -> None:
    """Show the terms of a node from the founding on, and from when each change holds."""
    from app.commands.node import show_terms as run

    run(url, number, as_json=as_json)


@node.command("set")
def set_(
    number: NodeNumber,
    key_file: OwnKey,
    fee_micro_per_kwh: Annotated[
        int | None, typer.Option(min=0, help="The fee for each kWh, in millionths of the currency.")
    ] = None,
    fee_ppm: Annotated[
        int | None, typer.Option(min=0, max=1_000_000, help="Instead: the fee in millionths of what the seller gets.")
    ] = None,
    import_limit_wh: Annotated[
        int | None, typer.Option(min=-1, help="How much may come in per shortest delivery period; -1: no bound.")
    ] = None,
    export_limit_wh: Annotated[
        int | None, typer.Option(min=-1, help="How much may go out per shortest delivery period; -1: no bound.")
    ] = None,
    url: Url = URL,
    as_json: AsJson = False,
) -> None:
    """Change fee or limits, as the node's grid operator: for every session whose gate opens from then on.

    What is not named stays as it is.
    """
    if (fee_micro_per_kwh, fee_ppm, import_limit_wh, export_limit_wh) == (None,) * 4:
        raise typer.BadParameter("name what is to change", param_hint="--fee-micro-per-kwh")
    if fee_micro_per_kwh is not None and fee_ppm is not None:
        raise typer.BadParameter("a fee is constant or a share, not both", param_hint="--fee-ppm")
    from app.client.node_talks import TermsChange
    from app.commands.node import set_terms as run

    change = TermsChange(
        fee_micro_per_kwh=fee_micro_per_kwh,
        fee_ppm=fee_ppm,
        import_limit_wh=import_limit_wh,
        export_limit_wh=export_limit_wh,
    )
    run(url, number, key_file, change, as_json=as_json)
