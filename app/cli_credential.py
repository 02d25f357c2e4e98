"""The verbs of `merit credential` and `merit did`: what each imports is imported only when it runs."""

from enum import StrEnum
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

credential = typer.Typer(name="credential", help="Credentials (W3C): issue, take back, verify.", no_args_is_help=True)
did = typer.Typer(name="did", help="Decentralised identifiers.", no_args_is_help=True)


class What(StrEnum):
    """The kinds of credential."""

    ASSET = "asset"
    ENERGY_TYPE = "energy-type"
    BALANCING_PROVIDER = "balancing-provider"
    GRID_OPERATOR = "grid-operator"
    ROLE = "role"
    MANDATE = "mandate"


class Form(StrEnum):
    """How a credential is signed."""

    JWT = "jwt"
    EIP712 = "eip712"


ChainId = Annotated[
    int | None, typer.Option(min=1, help="The chain of the DIDs; without it, that of the exchange in --data.")
]
FormOption = Annotated[Form, typer.Option("--form", help="A JSON Web Token (ES256K), or JSON with an EIP-712 proof.")]


@did.command()
def resolve(
    name: Annotated[str, typer.Argument(help="did:ethr:…, in any spelling.", metavar="DID")],
    version: Annotated[int | None, typer.Option(min=0, help="The document after this block.")] = None,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Print a DID's document, and which version it is. Exit 4 where there is none."""
    from app.commands.did import run

    run(name, Where(data, rpc, contract), version=version, as_json=as_json)


@credential.command()
def issue(
    what: Annotated[What, typer.Argument(help="Which kind of credential.")],
    holder: Annotated[str, typer.Argument(help="Of whom: an address, or a DID; a mandate's is the agent.")],
    key_file: OwnKey,
    kind: Kind = None,
    energy_type: EnergyTypeName = None,
    power_w: PowerW = None,
    capacity_wh: CapacityWh = 0,
    demand: Demand = None,
    supply: Supply = None,
    market: MarketNumber = None,
    role: Annotated[str | None, typer.Option(help="Which of the field's roles, for a credential to a role.")] = None,
    asset: Annotated[str | None, typer.Option(help="A mandate's asset.")] = None,
    purpose: Annotated[str, typer.Option(help="A mandate's purpose.")] = "merit.trade.v1",
    epoch: Annotated[int, typer.Option(min=1, help="The ownership epoch that a mandate is of.")] = 1,
    version: Annotated[int, typer.Option(min=1, help="The role's version.")] = 1,
    issuer: Annotated[str | None, typer.Option(help="Whose word it is, if the key speaks for somebody else.")] = None,
    status: Annotated[str | None, typer.Option(help="The address of the issuer's status list.")] = None,
    index: Annotated[int | None, typer.Option(min=0, help="The credential's bit in that list.")] = None,
    days: Days = 365,
    form: FormOption = Form.JWT,
    community: Annotated[str | None, typer.Option(help="The community's label; else as in --data.")] = None,
    chain_id: ChainId = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Sign a credential and print it. No chain is asked."""
    from app.claiming import Said
    from app.commands.credential import issue as run

    said = Said.of(
        kind=kind,
        energy_type=energy_type,
        power_w=power_w,
        capacity_wh=capacity_wh,
        demand=demand,
        supply=supply,
        market=market,
    )
    run(
        Where(data, None, None),
        what.value,
        holder,
        said,
        key_file,
        chain_id=chain_id,
        community=community,
        role=role,
        asset=asset,
        purpose=purpose,
        epoch=epoch,
        version=version,
        issuer=issuer,
        status=status,
        index=index,
        days=days,
        form=form.value,
        as_json=as_json,
    )


@credential.command()
def status_list(
    url: Annotated[str, typer.Argument(help="The address it will be published at.")],
    key_file: OwnKey,
    before: Annotated[Path | None, typer.Option(help="The list as it was published before.", exists=True)] = None,
    revoke: Annotated[list[int] | None, typer.Option(help="A credential's index to take back; several times.")] = None,
    days: Days = 30,
    form: FormOption = Form.JWT,
    chain_id: ChainId = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Sign the list that says which credentials were taken back, and print it for publishing."""
    from app.commands.credential import status_list as run

    run(
        Where(data, None, None),
        url,
        key_file,
        before=before,
        revoked=revoke or [],
        chain_id=chain_id,
        days=days,
        form=form.value,
        as_json=as_json,
    )


@credential.command()
def verify(
    path: Annotated[Path, typer.Argument(help="The credential; - reads standard input.", metavar="FILE")],
    shown: Annotated[
        list[Path] | None, typer.Option(help="A credential of an issuer above, as far as needed.", exists=True)
    ] = None,
    status: Annotated[
        list[str] | None, typer.Option(help="URL=FILE: the status list of this address, from a file.")
    ] = None,
    fetch: Annotated[
        list[str] | None,
        typer.Option(help="Where status lists may be fetched: the beginning of an address, up to a /."),
    ] = None,
    at: Annotated[int | None, typer.Option(min=0, help="Unix seconds; without it, now.")] = None,
    data: Data = DATA,
    rpc: Node = None,
    contract: Contract = None,
    as_json: AsJson = False,
) -> None:
    """Verify a credential up its whole chain of issuers. Exit 4 where it does not count, with the step that fails."""
    from app.commands.credential import verify as run

    run(
        Where(data, rpc, contract),
        path,
        shown=shown or [],
        status=status or [],
        fetch=fetch or [],
        at=at,
        as_json=as_json,
    )
