"""`merit demo`: a neighbourhood trades a whole day."""

import shutil
from pathlib import Path
from time import monotonic

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.auditing import VerificationFailed
from app.community import CommunityRefused
from app.demo import Demo, prepare
from app.demo_view import day_document, show_day
from app.example_communities import neighbourhood_file
from app.output import Output

_MARK = "made-by-demo"
"""A file that says that a folder may be thrown away."""

_DATABASES = ("journal.db", "settlement.db", "access.db", "archive.db", "meters.db")
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
    """Play the day and print what it came to, the audit's verdict, and what it says of altered books.

    Raises `VerificationFailed` where the audit finds something, or misses what was altered.
    """
    output = Output(as_json=as_json)
    _clear(data)
    began = monotonic()
    output.say("founding the exchange on a chain in this process …")
    demo, periods = prepare(community or neighbourhood_file(), data)
    with demo:
        _trade(demo, periods, output)
        output.say("auditing the day …")
        day = demo.conclude()
        output.result(day_document(day))
        show_day(day, output)
        output.say(f"done in {monotonic() - began:.1f} s; the day is kept in {data}: try `merit audit {data}`")
        if not day.verdict.sound or not all(caught.findings for caught in day.caught):
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


def _keep_serving(demo: Demo, data: Path, output: Output, port: int, rpc_port: int) -> None:
    """Serve what the day left behind until interrupted; simulated time stands still at its end."""
    from app.play import write_member_keys
    from app.server import Serving
    from contracts.devnet_server import DevnetServer

    write_member_keys(data / "keys", demo.founded)
    with DevnetServer(demo.evm, rpc_port) as chain, Serving(demo.app, port=port) as server:
        output.announce(server.url, chain.url)
        server.wait()
