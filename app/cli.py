"""The command line: one verb each, and what it imports only when it runs, so that `--help` answers at once.

Results go to standard output (with `--json` as one document), everything else to standard error. Exit codes:
0 done, 1 unexpected, 2 wrong usage, 3 invalid input, 4 verification failed, 5 chain unreachable, 130 interrupted.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app.bounds import MOST_A_SECOND
from app.cli_access import add_access
from app.cli_asset import asset
from app.cli_credential import credential, did
from app.cli_meter import imbalance, meter
from app.cli_node import node
from app.cli_role import role
from app.exit_codes import Exit
from app.options import AsJson, Data, KeyFile, Rpc

app = typer.Typer(
    name="merit",
    help="Merit: a settlement exchange for local energy.",
    epilog="Exit codes: 0 done, 1 unexpected, 2 usage, 3 invalid input, 4 verification failed, 5 chain unreachable.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for group in (asset, node, role, credential, did, meter, imbalance):
    app.add_typer(group)


class Fork(StrEnum):
    """The rules a new local chain may have."""

    LONDON = "london"
    PRAGUE = "prague"


class LogFormat(StrEnum):
    """How log lines are written."""

    TEXT = "text"
    JSON = "json"


class Against(StrEnum):
    """What code on chain is compared with."""

    SOURCE = "source"
    ARTIFACT = "artifact"


CommunityFile = Annotated[
    Path | None, typer.Option("--community", help="The community's TOML file; without it, the demo street.")
]
DemoFile = Annotated[
    Path | None, typer.Option("--community", help="The community's TOML file; without it, the demo neighbourhood.")
]
StorageUrl = Annotated[
    str | None,
    typer.Option(
        "--storage",
        envvar="MERIT_STORAGE",
        show_envvar=True,
        help="Where journal and store lie: sqlite:///folder or postgresql+pg8000://user@host/database; "
        "without it, in the folder of the exchange.",
    ),
]

OtherStorage = Annotated[
    str | None, typer.Option("--storage", help="Where journal and store lie, if not in the folder: see `merit serve`.")
]

ChainSettingsFile = Annotated[
    Path | None,
    typer.Option(
        help="A TOML file that says how chains are treated; without it, chains.toml in the folder.", exists=True
    ),
]


@app.command()
def demo(
    data: Annotated[Path, typer.Option(help="Where to keep the day; an earlier demo there is replaced.")] = Path(
        "merit-demo"
    ),
    community: DemoFile = None,
    serve: Annotated[bool, typer.Option(help="Keep the exchange and its chain running afterwards.")] = False,
    port: Annotated[int, typer.Option(help="HTTP port with --serve.")] = 8080,
    rpc_port: Annotated[int, typer.Option(help="JSON-RPC port of the chain with --serve.")] = 8545,
    as_json: AsJson = False,
) -> None:
    """Let a neighbourhood trade a whole day, settle it, audit it, and show what an auditor catches."""
    from app.commands.demo import run

    run(data, community, serve=serve, port=port, rpc_port=rpc_port, as_json=as_json)


@app.command()
def serve(
    data: Data = Path("merit-data"),
    community: CommunityFile = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="HTTP port; 0 takes a free one.")] = 8080,
    rpc_port: Annotated[int, typer.Option(help="JSON-RPC port of a chain in this process; 0 takes a free one.")] = 8545,
    key_file: KeyFile = None,
    keeper_key_file: Annotated[
        Path | None,
        typer.Option(help="The key that has the contract ask the registries anew; nobody else may send with it."),
    ] = None,
    confirmations: Annotated[
        int | None,
        typer.Option(
            min=0, help="Blocks on top of a batch until it is final; without it, as the chain's settings say."
        ),
    ] = None,
    chain_settings: ChainSettingsFile = None,
    storage: StorageUrl = None,
    rate_address: Annotated[
        int,
        typer.Option(
            min=0,
            max=MOST_A_SECOND,
            help="What an address may ask for each second (see docs/http.md); 0 takes the limit away.",
        ),
    ] = 2_000,
    public_url: Annotated[
        str | None,
        typer.Option(help="What people reach this server by, and sign in to; without it, where it listens."),
    ] = None,
    rate_account: Annotated[
        int,
        typer.Option(
            min=0, max=MOST_A_SECOND, help="Orders taken from an account each second; 0 takes the limit away."
        ),
    ] = 200,
    settled_orders: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Orders of settled sessions that stay in memory (20,000 without it); older ones are read again.",
        ),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option(help="How log lines are written to standard error.")
    ] = LogFormat.TEXT,
    log_requests: Annotated[bool, typer.Option("--log-requests", help="Write a log line for every request.")] = False,
    status_lists: Annotated[
        list[str] | None,
        typer.Option(help="Where credentials' status lists may be fetched: the beginning of an address, up to a /."),
    ] = None,
) -> None:
    """Run the exchange: HTTP, gates by the clock, settlement. A new folder is founded on a chain in this process."""
    from app.commands.serve import run

    run(
        data,
        community,
        host=host,
        port=port,
        rpc_port=rpc_port,
        key_file=key_file,
        keeper_key_file=keeper_key_file,
        confirmations=confirmations,
        settings=chain_settings,
        storage=storage,
        rate_address=rate_address,
        rate_account=rate_account,
        public_url=public_url,
        settled_orders=settled_orders,
        json_lines=log_format is LogFormat.JSON,
        log_requests=log_requests,
        status_lists=status_lists or [],
    )


@app.command()
def devnet(
    data: Annotated[
        Path | None, typer.Option(help="Show the recorded chain of this folder; without it, a new chain in memory.")
    ] = None,
    port: Annotated[int, typer.Option(help="JSON-RPC port; 0 takes a free one.")] = 8545,
    fork: Annotated[Fork, typer.Option(help="The rules of a new chain.")] = Fork.LONDON,
) -> None:
    """Serve a local chain as JSON-RPC on the loopback, so that other tools can look."""
    from app.commands.devnet import run

    run(data, port=port, fork=fork)


@app.command()
def deploy(
    rpc: Annotated[
        str | None, typer.Option(help="The JSON-RPC URL of the node; with --check, else the one it was founded on.")
    ] = None,
    data: Data = Path("merit-data"),
    community: CommunityFile = None,
    key_file: KeyFile = None,
    token: Annotated[str | None, typer.Option(help="The ERC-20 to hold; without it, a test euro is deployed.")] = None,
    chain_id: Annotated[int | None, typer.Option(help="Refuse a node that serves another chain.")] = None,
    chain_settings: ChainSettingsFile = None,
    check: Annotated[
        bool, typer.Option("--check", help="Deploy nothing: compare the code on chain with the source, byte by byte.")
    ] = False,
    against: Annotated[
        Against, typer.Option(help="With --check: compile the source (needs Vyper), or take the committed artifacts.")
    ] = Against.SOURCE,
    record: Annotated[
        Path | None,
        typer.Option(help="With --check: a published record; without it, the one in the folder.", exists=True),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put the contracts on a chain and found an exchange there, for `merit serve`; or check what stands there.

    --check exits 4 where there is any difference.
    """
    if check:
        from app.commands.deploy import run_check

        run_check(rpc, data, record, from_source=against is Against.SOURCE, as_json=as_json)
        return
    if rpc is None:
        raise typer.BadParameter("name the node to deploy to", param_hint="--rpc")
    from app.commands.deploy import run

    run(
        rpc,
        data,
        community,
        key_file=key_file,
        token=token,
        chain_id=chain_id,
        settings=chain_settings,
        as_json=as_json,
    )


@app.command()
def audit(
    data: Annotated[Path, typer.Argument(help="The folder of an exchange, or an export of it.", exists=True)],
    rpc: Rpc = None,
    storage: OtherStorage = None,
    as_json: AsJson = False,
) -> None:
    """Check everything again: signatures, admission, clearing, fees, money, and what the chain holds.

    Exit 0 where all is sound, 4 with every finding named.
    """
    from app.commands.audit import run

    run(data, rpc=rpc, as_json=as_json, storage=storage)


@app.command()
def verify(
    proof: Annotated[Path, typer.Argument(help="A proof, as /v1/proofs gives it; - reads standard input.")],
    rpc: Annotated[str, typer.Option(help="The JSON-RPC URL of a node you trust.")],
    contract: Annotated[
        str | None, typer.Option(help="The settlement contract you trust; without it, the one the proof names.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check one proof against a node: neither our server nor our database is needed."""
    from app.commands.verify import run

    run(proof, rpc=rpc, contract=contract, as_json=as_json)


@app.command()
def backup(
    data: Annotated[Path, typer.Argument(help="The folder of an exchange.", exists=True, file_okay=False)],
    to: Annotated[Path, typer.Argument(help="A new folder for the copy.")],
    storage: OtherStorage = None,
    as_json: AsJson = False,
) -> None:
    """Copy an exchange while it runs, in an order that hangs together, and check the copy."""
    from app.commands.backup import run

    run(data, to, storage=storage, as_json=as_json)


journal = typer.Typer(name="journal", help="Look at the journal, which may be in use.", no_args_is_help=True)
app.add_typer(journal)


@journal.command()
def check(
    data: Annotated[Path, typer.Argument(help="The folder of an exchange.", exists=True, file_okay=False)],
    storage: OtherStorage = None,
    as_json: AsJson = False,
) -> None:
    """Name every damaged entry. Exit 0 where there is none, 4 otherwise."""
    from app.commands.journal import check as run

    run(data, storage=storage, as_json=as_json)


@journal.command()
def show(
    data: Annotated[Path, typer.Argument(help="The folder of an exchange.", exists=True, file_okay=False)],
    start: Annotated[int, typer.Option("--from", min=1, help="The first entry.")] = 1,
    most: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    storage: OtherStorage = None,
) -> None:
    """Print entries, one JSON document a line."""
    from app.commands.journal import show as run

    run(data, storage=storage, start=start, most=most)


@app.command()
def export(
    data: Annotated[Path, typer.Argument(help="The folder of an exchange.", exists=True, file_okay=False)],
    to: Annotated[Path, typer.Argument(help="A new folder for the books.")],
    as_json: AsJson = False,
) -> None:
    """Write the published books, one JSON file a session, with what an auditor needs to check them."""
    from app.commands.export import run

    run(data, to, as_json=as_json)


add_access(app)


@app.command()
def version() -> None:
    """Print the version."""
    from app.version import NAME, installed_version

    typer.echo(f"{NAME} {installed_version()}")


def main() -> None:
    """Run the command line; expected refusals become a sentence and an exit code, a bug keeps its trace."""
    import os
    import signal
    import sys

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)  # a service that is stopped ends as one that is interrupted
    try:
        app()
    except KeyboardInterrupt:
        # everything is closed by now; threads of libraries that still run would be in the interpreter's way as it ends
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(Exit.INTERRUPTED)
    except Exception as error:
        from app.refusals import exit_of

        code = exit_of(error)
        if code is Exit.UNEXPECTED:
            raise
        typer.echo(f"merit: {error}", err=True)
        sys.exit(code)
