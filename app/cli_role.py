"""The verbs of `merit role`: what each imports is imported only when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from app.options import (
    DATA,
    AsJson,
    CapacityWh,
    Contract,
    Data,
    Days,
    Demand,
    EnergyTypeName,
    Kind,
    MarketNumber,
    Node,
    OwnKey,
    PowerW,
    Supply,
    Where,
)

role = typer.Typer(name="role", help="Roles: who may be what, by whose word.", no_args_is_help=True)

RoleName = Annotated[
    str, typer.Argument(help="A role's name, or the label alone of one of the field's roles.", metavar="ROLE")
]
Subject = Annotated[str, typer.Argument(help="An address, or a DID.")]
FormFile = Annotated[Path, typer.Argument(help="The form of the claim; - reads standard input.")]


@role.command("list")
def list_(data: Data = DATA, rpc: Node = None, contract: Contract = None, as_json: AsJson = False) -> None:
    """List the roles that are defined, and who issues each."""
    from app.commands.role import list_roles as run

    run(Where(data, rpc, contract), as_json=as_json)


@role.command()
def holders(
    name: RoleName,
    at: Annotated[int | None, typer.Option(min=0, help="Unix seconds; without it, as of the newest block.")] = None,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """List who has claims to a role, and why each holds or not."""
    from app.commands.role import holders as run

    run(Where(data, rpc, contract), name, at=at, as_json=as_json)


@role.command()
def define(
    name: RoleName,
    key_file: OwnKey,
    issuer: Annotated[list[str] | None, typer.Option(help="Who issues it; may be named several times.")] = None,
    issuer_role: Annotated[
        str | None, typer.Option(help="The role whose holders issue it, if nobody is named.")
    ] = None,
    revoker: Annotated[list[str] | None, typer.Option(help="Who revokes it besides its issuer.")] = None,
    revoker_role: Annotated[str | None, typer.Option(help="The role whose holders revoke it.")] = None,
    needs: Annotated[list[str] | None, typer.Option(help="A role that must be held before.")] = None,
    any_of_them: Annotated[bool, typer.Option("--any", help="One of those is enough.")] = False,
    most_days: Annotated[int, typer.Option(min=0, help="How long a claim lasts at most, in days; 0: no bound.")] = 0,
    ends_at_sale: Annotated[
        bool, typer.Option("--ends-at-sale", help="An asset's claim ends when it is sold.")
    ] = False,
    version: Annotated[int | None, typer.Option(min=1, help="Without it, the present one, or 1.")] = None,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Say what a role is, as the owner of its name or of the name above."""
    from app.commands.role import define as run

    run(
        Where(data, rpc, contract),
        name,
        key_file,
        issuers=issuer or [],
        issuer_role=issuer_role,
        revokers=revoker or [],
        revoker_role=revoker_role,
        needs=needs or [],
        any_of_them=any_of_them,
        most_days=most_days,
        ends_at_sale=ends_at_sale,
        version=version,
        as_json=as_json,
    )


@role.command()
def agree(
    name: RoleName,
    subject: Subject,
    key_file: OwnKey,
    kind: Kind = None,
    energy_type: EnergyTypeName = None,
    power_w: PowerW = None,
    capacity_wh: CapacityWh = 0,
    demand: Demand = None,
    supply: Supply = None,
    market: MarketNumber = None,
    word: Annotated[
        str | None, typer.Option("--data-word", help="The claim's 32 bytes, in hex, for other roles.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Until when it may be registered, in days.")] = 7,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
) -> None:
    """Agree to a role, as the subject or as the owner of the asset it is: prints a form for the issuer to sign."""
    from app.claiming import Said
    from app.commands.role import agree_to as run

    said = Said.of(
        kind=kind,
        energy_type=energy_type,
        power_w=power_w,
        capacity_wh=capacity_wh,
        demand=demand,
        supply=supply,
        market=market,
    )
    run(Where(data, rpc, contract), name, subject, said, word, key_file, days=days)


@role.command()
def issue(
    form: FormFile,
    key_file: OwnKey,
    issuer: Annotated[
        str | None, typer.Option(help="Whose word it is, if the key is one that speaks for somebody else.")
    ] = None,
    days: Days = 365,
    send: Annotated[bool, typer.Option("--send/--no-send", help="Register it, or only print the signed form.")] = True,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Give a role to who has agreed to it: adds the issuer's proof to the form, and registers the claim."""
    from app.commands.role import issue_claim as run

    run(Where(data, rpc, contract), form, key_file, issuer=issuer, days=days, send=send, as_json=as_json)


@role.command()
def register(
    form: FormFile,
    key_file: OwnKey,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Register a claim that subject and issuer have signed; anybody may."""
    from app.commands.role import register as run

    run(Where(data, rpc, contract), form, key_file, as_json=as_json)


@role.command()
def revoke(
    name: RoleName,
    subject: Subject,
    key_file: OwnKey,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Take back somebody's present claim, as its issuer or as who else may."""
    from app.commands.role import revoke as run

    run(Where(data, rpc, contract), name, subject, key_file, as_json=as_json)


@role.command("import")
def import_(
    rates: Annotated[Path, typer.Argument(help='JSON: {"home-01 pv": [33, 35], …}, cents per kWh.', exists=True)],
    key_file: OwnKey,
    names: Annotated[
        Path | None, typer.Option(help="JSON: which asset each name means, if not by member and kind.", exists=True)
    ] = None,
    owner_keys: Annotated[
        Path | None, typer.Option(help="A folder of owners' keys (*.key), who agree.", exists=True, file_okay=False)
    ] = None,
    agreement: Annotated[
        list[Path] | None,
        typer.Option(help="An owner's agreement, from `merit role agree`; several times.", exists=True),
    ] = None,
    days: Days = 365,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Make assets balancing providers at the two rates that a dictionary gives each: for demand, for supply."""
    from app.commands.balancing import run

    run(
        Where(data, rpc, contract),
        rates,
        key_file,
        names=names,
        owner_keys=owner_keys,
        agreements=agreement or [],
        days=days,
        as_json=as_json,
    )
