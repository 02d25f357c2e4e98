"""The verbs of `merit asset`: what each imports is imported only when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli_access import Url
from app.options import (
    DATA,
    AsJson,
    CapacityWh,
    Contract,
    Data,
    Days,
    EnergyTypeName,
    Kind,
    Node,
    OwnKey,
    PayerKey,
    PowerW,
    Where,
)

asset = typer.Typer(
    name="asset", help="Assets: create, certify, delegate, sell, enrol, retire, look.", no_args_is_help=True
)

AssetText = Annotated[str, typer.Argument(help="The asset's address, or its DID.", metavar="ASSET")]
Purpose = Annotated[
    str, typer.Option(help="What for: merit.trade.v1, merit.data.meter.v1, or merit.meter.v1 (a meter's key).")
]
TRADE = "merit.trade.v1"


@asset.command("list")
def list_(
    owner: Annotated[str | None, typer.Option(help="Only what belongs to this address.")] = None,
    account: Annotated[int | None, typer.Option(help="Only what trades for this account.")] = None,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """List assets: whose they are, in which ownership, and where they are enrolled."""
    from app.commands.asset import list_assets as run

    run(Where(data, rpc, contract), owner=owner, account=account, as_json=as_json)


@asset.command()
def show(
    name: AssetText, data: Data = DATA, rpc: Node = None, contract: Contract = None, as_json: AsJson = False
) -> None:
    """Show one asset: owner, claims and why they hold or not, delegations, device keys, offer."""
    from app.commands.asset import show as run

    run(Where(data, rpc, contract), name, as_json=as_json)


@asset.command()
def positions(
    name: Annotated[str, typer.Argument(help="The asset's address.", metavar="ASSET")],
    key_file: OwnKey,
    begin: Annotated[int, typer.Option("--from", min=0, help="The first slot, unix seconds.")] = 0,
    end: Annotated[int | None, typer.Option("--to", min=0, help="Up to this instant, unix seconds.")] = None,
    url: Url = "http://127.0.0.1:8080",
    as_json: AsJson = False,
) -> None:
    """Show what an asset has bought and sold in each delivery period, over all products."""
    from app.commands.positions import run

    run(url, name, key_file, begin=begin, end=end, as_json=as_json)


@asset.command()
def create(
    key_file: OwnKey,
    payer_key_file: PayerKey = None,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Create an asset that belongs to the holder of the key."""
    from app.commands.asset import create as run

    run(Where(data, rpc, contract), key_file, payer_key_file, as_json=as_json)


@asset.command()
def certify(
    name: AssetText,
    key_file: OwnKey,
    owner_key_file: Annotated[Path, typer.Option(help="The key of the asset's owner, who agrees.")],
    kind: Kind = None,
    energy_type: EnergyTypeName = None,
    power_w: PowerW = None,
    capacity_wh: CapacityWh = 0,
    days: Days = 365,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Certify what an asset is, as a certifier who has the owner's key at hand; else see `merit role agree`."""
    from app.claiming import Said
    from app.commands.asset import certify as run

    properties = Said.of(kind=kind, energy_type=energy_type, power_w=power_w, capacity_wh=capacity_wh).properties()
    run(Where(data, rpc, contract), name, properties, key_file, owner_key_file, days=days, as_json=as_json)


@asset.command()
def offer(
    name: AssetText,
    to: Annotated[str, typer.Argument(help="To whom: an address, or a DID.")],
    key_file: OwnKey,
    until: Annotated[
        int, typer.Option(min=0, help="The last second in which it can be accepted (unix seconds); 0: no end.")
    ] = 0,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Offer an asset, as its owner; this replaces an offer before."""
    from app.commands.asset import act

    act(Where(data, rpc, contract), "offered", name, key_file, as_json=as_json, to=to, seconds=until)


@asset.command()
def accept(
    name: AssetText,
    key_file: OwnKey,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Take over an asset that is offered to the holder of the key: every delegation before ends."""
    from app.commands.asset import act

    act(Where(data, rpc, contract), "accepted", name, key_file, as_json=as_json)


@asset.command()
def reject(
    name: AssetText,
    key_file: OwnKey,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Decline an asset that is offered to the holder of the key."""
    from app.commands.asset import act

    act(Where(data, rpc, contract), "rejected", name, key_file, as_json=as_json)


@asset.command()
def cancel(
    name: AssetText,
    key_file: OwnKey,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Take an offer back, as the asset's owner."""
    from app.commands.asset import act

    act(Where(data, rpc, contract), "cancelled", name, key_file, as_json=as_json)


@asset.command()
def retire(
    name: AssetText,
    key_file: OwnKey,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """End an asset for ever, as its owner."""
    from app.commands.asset import act

    act(Where(data, rpc, contract), "retired", name, key_file, as_json=as_json)


@asset.command()
def delegate(
    name: AssetText,
    agent: Annotated[str, typer.Argument(help="Who is to act for it: an address, or a DID.")],
    key_file: OwnKey,
    purpose: Purpose = TRADE,
    days: Days = 30,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Let an agent act for an asset, as its owner: for one purpose, for a time, until the asset is sold at most."""
    from app.commands.asset import delegate as run

    run(Where(data, rpc, contract), name, agent, purpose, key_file, days=days, as_json=as_json)


@asset.command()
def dismiss(
    name: AssetText,
    agent: Annotated[str, typer.Argument(help="Who is no longer to act for it.")],
    key_file: OwnKey,
    purpose: Purpose = TRADE,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """End a delegation now, as the asset's owner."""
    from app.commands.asset import delegate as run

    run(Where(data, rpc, contract), name, agent, purpose, key_file, days=None, as_json=as_json)


@asset.command()
def device_key(
    name: AssetText,
    device: Annotated[str, typer.Argument(help="The device's address.")],
    key_file: OwnKey,
    days: Days = 365,
    revoke: Annotated[bool, typer.Option("--revoke", help="The key vouches for nothing from now on.")] = False,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Let a device's key vouch for what an asset measures, as its owner."""
    from app.claiming import DAY_SECONDS
    from app.commands.asset import act

    what, seconds = ("device key revoked", 0) if revoke else ("device key added", days * DAY_SECONDS)
    act(Where(data, rpc, contract), what, name, key_file, as_json=as_json, to=device, seconds=seconds)


@asset.command()
def enrol(
    name: AssetText,
    account: Annotated[int, typer.Argument(min=1, help="The number of an account of the asset's owner.")],
    key_file: OwnKey,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Enrol a certified asset, so that it may trade; anybody may."""
    from app.commands.asset import enrol as run

    run(Where(data, rpc, contract), name, account, key_file, as_json=as_json)


@asset.command()
def refresh(
    names: Annotated[list[str], typer.Argument(help="Assets by address or DID, 64 at most.", metavar="ASSET...")],
    key_file: OwnKey,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Have the settlement contract ask the registries anew about enrolled assets; anybody may."""
    from app.commands.asset import refresh as run

    run(Where(data, rpc, contract), names, key_file, as_json=as_json)
