"""A PostgreSQL server of the tests' own: started for the run, on a free port of the loopback, gone afterwards.

Needs Debian's `postgresql`; nothing of a server that runs already is touched.
"""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "merit"


def binaries() -> Path:
    """Return the folder of the newest PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    assert found, "PostgreSQL is not installed: apt-get install postgresql"
    return found[-1].parent


class Cluster:
    """A running server."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    def run(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs as a user it agrees to run as: it refuses root."""
        command = [str(binaries() / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        ended = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def start(self) -> None:
        """Start, and wait until it answers: on a slow machine that takes a while."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self.run(
            "pg_ctl",
            "-D",
            str(self.folder / "data"),
            "-l",
            str(self.folder / "log"),
            "-o",
            options,
            "-w",
            "-t",
            "300",
            "start",
        )

    def stop(self, mode: str = "immediate") -> None:
        """Stop; `immediate` is as good as a power cut."""
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", mode, "-w", "stop")

    @property
    def url(self) -> str:
        """Where the server is."""
        return f"postgresql+pg8000://{USER}@127.0.0.1:{self.port}/postgres"

    def new_schema(self) -> str:
        """Return the URL of a place of its own on this server."""
        import pg8000.dbapi

        name = f"t{secrets.token_hex(8)}"
        connection = pg8000.dbapi.connect(host="127.0.0.1", port=self.port, user=USER, database="postgres")
        connection.autocommit = True
        connection.cursor().execute(f"CREATE SCHEMA {name}")
        connection.close()
        return f"{self.url}?schema={name}"


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start a server with an empty database, and end it."""
    # root's own folder for temporary files may be closed to the user the server runs as
    folder = Path(tempfile.mkdtemp(prefix="merit-postgres-", dir="/tmp" if os.geteuid() == 0 else None))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    server = Cluster(folder, 0)
    try:
        server.run("initdb", "-D", str(folder / "data"), "-U", USER, "-A", "trust", "--no-sync", "-E", "UTF8")
        _start_somewhere(server)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start_somewhere(server: Cluster) -> None:
    """Start on a free port; another process may take it before the server does, and then on another."""
    for left in reversed(range(5)):
        server.port = _free_port()
        try:
            server.start()
        except AssertionError:
            if not left:
                raise
        else:
            return


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
