"""The command line of reading and granting: `merit sign-in`, `merit grant give|list|revoke`."""

import re
from pathlib import Path
from typing import Annotated

import typer

DIGEST = re.compile("0x[0-9a-f]{64}")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Url = Annotated[str, typer.Option(help="Where the exchange is served.")]
OwnKeyFile = Annotated[Path, typer.Option("--key-file", help="The file of the private key: hex, or a keystore.")]


def sign_in(key_file: OwnKeyFile, url: Url = "http://127.0.0.1:8080", as_json: AsJson = False) -> None:
    """Print a token to read with, for half an hour: curl -H "Authorization: Bearer $(merit sign-in …)"."""
    from app.commands.access import sign_in as run

    run(url, key_file, as_json=as_json)


grant = typer.Typer(name="grant", help="Let others read what is yours, for a while.", no_args_is_help=True)


@grant.command()
def give(
    key_file: OwnKeyFile,
    scope: Annotated[str, typer.Option(help="account:7, node:1, session:42, meter:0x…, or trail.")],
    purpose: Annotated[str, typer.Option(help="audit, billing, forecast, grid, research or support.")],
    to: Annotated[str | None, typer.Option(help="The reader: a DID, or an address.")] = None,
    role: Annotated[str | None, typer.Option(help="Instead of a reader: whoever holds this role.")] = None,
    days: Annotated[int, typer.Option(min=1, max=732, help="For how long.")] = 30,
    url: Url = "http://127.0.0.1:8080",
    as_json: AsJson = False,
) -> None:
    """Let a reader, or the holders of a role, read something; prints the grant's digest."""
    if (to is None) == (role is None):
        raise typer.BadParameter("name a reader, or a role", param_hint="--to")
    from app.commands.access import give as run

    run(url, key_file, to=to, role=role, scope=scope, purpose=purpose, days=days, as_json=as_json)


@grant.command("list")
def show(key_file: OwnKeyFile, url: Url = "http://127.0.0.1:8080", as_json: AsJson = False) -> None:
    """Show what was granted to others, and what others granted."""
    from app.commands.access import show as run

    run(url, key_file, as_json=as_json)


@grant.command()
def revoke(
    digest: Annotated[str, typer.Argument(help="The grant's digest, as `merit grant list` has it.")],
    key_file: OwnKeyFile,
    url: Url = "http://127.0.0.1:8080",
    as_json: AsJson = False,
) -> None:
    """Take a grant back: it counts no longer once this returns."""
    if not DIGEST.fullmatch(digest):
        raise typer.BadParameter("a digest is 0x and 64 hex digits", param_hint="DIGEST")
    from app.commands.access import revoke as run

    run(url, key_file, digest, as_json=as_json)


def add_access(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command()(sign_in)
    app.add_typer(grant)
