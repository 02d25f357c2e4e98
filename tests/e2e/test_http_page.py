"""What docs/http.md shows works as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.founding import member_key
from app.problems import PROBLEMS
from app.streams import HEARTBEAT_SECONDS, SLOW_SECONDS
from tests.app.command_line import ROOT
from tests.e2e.day import NEXT, running

PAGE = (ROOT / "docs" / "http.md").read_text()
EXAMPLES = re.findall(r"^```(sh|python)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def exchange(copy):
    with running(copy, NEXT - 2_000) as exchange:
        yield exchange


@pytest.mark.parametrize(("language", "text"), EXAMPLES, ids=lambda value: value.splitlines()[-1][:40])
def test_an_example_works_as_it_stands_on_the_page(exchange, tmp_path, language, text):
    if language == "sh" and shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    keys = tmp_path / "merit-data" / "keys"
    keys.mkdir(parents=True)
    (keys / "home-02.key").write_text("0x" + member_key("consumer").hex() + "\n")
    here = text.replace("http://127.0.0.1:8080", exchange.url).replace("http://127.0.0.1:8545", exchange.chain_url)
    command = ["sh", "-eu", "-c", here] if language == "sh" else [sys.executable, "-c", here]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip(), "an example shows something"
    if language == "sh":
        assert '"status":"open"' in done.stdout


def test_the_page_has_examples_of_both_kinds():
    assert {language for language, _ in EXAMPLES} == {"sh", "python"}


def test_every_code_and_path_that_the_page_names_is_there():
    codes = set(re.findall(r"(?:429|503) `([a-z-]+)`", PAGE))
    assert codes
    assert codes <= {*PROBLEMS}
    for path in set(re.findall(r"`((?:app|tests|docs)/[\w/.]+\.(?:py|json|md))`", PAGE)):
        assert (ROOT / path).exists(), path


def test_the_figures_on_the_page_are_those_of_the_code():
    from app.bounds import Bounds, Rate
    from app.health import MOST_AHEAD_SECONDS, MOST_BEHIND_SECONDS, MOST_LAG_BLOCKS

    bounds = Bounds()
    for figure in (bounds.most_waiting_orders, bounds.most_requests):
        assert f"| {figure:,} |" in PAGE
    assert f"| {bounds.most_streams} |" in PAGE
    assert f"| {bounds.request_seconds:g} s |" in PAGE
    assert f"Every {HEARTBEAT_SECONDS:g} s" in PAGE
    assert f"for {SLOW_SECONDS:g} s is let go" in PAGE
    assert f"more than {MOST_AHEAD_SECONDS} s" in PAGE
    assert f"at most {MOST_LAG_BLOCKS} blocks" in PAGE
    assert (MOST_BEHIND_SECONDS, Rate.of(200)) == (15 * 60, Rate(200, 2_000))
