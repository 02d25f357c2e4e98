"""`merit` as a user runs it: in this process, which is quick, or in a process of its own."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.cli import main

ROOT = Path(__file__).parents[2]
STARTED_WITHIN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What was printed, as the one JSON document it must be."""
        return json.loads(self.out)


@pytest.fixture
def merit(monkeypatch, capsys):
    """Return what runs one command in this process."""

    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["merit", *map(str, arguments)])
        handler = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGTERM, handler)
        printed = capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    return run


def command(*arguments: object) -> list[str]:
    """The words of a command that runs `merit` in a process of its own."""
    return [sys.executable, "-m", "app", *map(str, arguments)]


def environment() -> dict[str, str]:
    """Where a process finds the house, wherever it runs."""
    return os.environ | {"PYTHONPATH": str(ROOT)}


def run_apart(*arguments: object, cwd: Path, stdin: bytes | None = None) -> Ended:
    """Run one command in a process of its own, in the folder `cwd`."""
    done = subprocess.run(
        command(*arguments), cwd=cwd, env=environment(), input=stdin, capture_output=True, timeout=300
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


@dataclass(frozen=True, slots=True)
class Service:
    """A `merit` that keeps running, and where it said it listens."""

    process: "subprocess.Popen[str]"
    url: str
    chain_url: str
    said: list[str]


@contextmanager
def service(*arguments: object, cwd: Path) -> Iterator[Service]:
    """Run a command that serves, until the block ends; it has said where it listens when the block begins."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # tests that run in the background are deaf to an interrupt, and would hand that down
        signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        command(*arguments), cwd=cwd, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    said: list[str] = []
    lines: queue.Queue[str | None] = queue.Queue()

    def listen() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            lines.put(line)
        lines.put(None)

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        while True:
            line = lines.get(timeout=STARTED_WITHIN_SECONDS)
            assert line is not None, f"it ended at once: {''.join(said)}"
            if "Ctrl-C" in line:
                break
        text = "".join(said)
        exchange = re.search(r"exchange\s+(http://[\w.:]+)/v1/meta", text)
        chain = re.search(r"chain\s.*?(http://[\w.:]+)", text)
        yield Service(process, exchange[1] if exchange else "", chain[1] if chain else "", said)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        listener.join()
        assert process.stderr is not None
        process.stderr.close()
