"""Anvil, a node of another house: where `MERIT_ANVIL` says, on the PATH, or among the packages of `tests/node`."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from tests.contracts.evm.bell import ask

PACKAGED = Path(__file__).parents[2] / "node" / "node_modules" / ".bin" / "anvil"
CHAIN_ID = 31_337
FORKS = {"london": ("--hardfork", "london"), "latest": ()}
"""What anvil is told to keep the rules of Energy Web Chain, and its own newest ones."""


@cache
def anvil_binary() -> str | None:
    """Where anvil is; None where there is none that runs."""
    for name in (os.environ.get("MERIT_ANVIL"), shutil.which("anvil"), str(PACKAGED)):
        if name and Path(name).exists() and subprocess.run([name, "--version"], capture_output=True).returncode == 0:
            return name
    return None


@contextmanager
def running_anvil(*arguments: str) -> Iterator[str]:
    """Run anvil until the block ends, and yield its URL; the test is skipped where there is none."""
    binary = anvil_binary()
    if binary is None:
        pytest.skip("there is no anvil on this machine: npm ci --ignore-scripts --prefix tests/node")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([binary, "--silent", "--port", str(port), *arguments])
    try:
        for _ in range(200):
            assert process.poll() is None, "anvil ended at once"
            try:
                ask(url, "eth_chainId")
                break
            except OSError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()
