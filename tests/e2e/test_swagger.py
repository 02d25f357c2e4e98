"""The Swagger page in a real browser: every operation is shown, and nothing is fetched from anybody else."""

import json
import re
import shutil
import subprocess
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.e2e.day import LAST, running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def exchange(played, tmp_path_factory):
    with running(played.copy(tmp_path_factory.mktemp("swagger") / "copy"), LAST) as exchange:
        yield exchange


@pytest.fixture(scope="module")
def page(exchange, tmp_path_factory):
    """The page as the browser renders it, and the hosts it talked to."""
    folder = tmp_path_factory.mktemp("browser")
    log = folder / "net.json"
    switches = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--virtual-time-budget=10000",
        f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={log}",
        "--dump-dom",
    ]
    shown = subprocess.run(
        [str(CHROMIUM), *switches, f"{exchange.url}/docs"], capture_output=True, text=True, timeout=300
    )
    return shown.stdout, log.read_text()


def test_every_operation_is_rendered(exchange, page):
    dom, _ = page
    rendered = set(re.findall(r'data-path="([^"]+)"', dom))
    operations = httpx2.get(f"{exchange.url}/openapi.json").json()["paths"]
    assert "/v1/orders" in operations
    assert rendered == {*operations}


def test_nothing_is_fetched_from_anybody_else(exchange, page):
    dom, log = page
    sources = re.findall(r'(?:src|href)="(https?://[^"]+)"', dom)
    elsewhere = [source for source in sources if urlsplit(source).hostname not in (None, "127.0.0.1")]
    assert not [source for source in elsewhere if re.search(r"\.(js|css|png|svg|ico)\b", source)]
    events = json.loads(log if log.rstrip().endswith("}") else log.rstrip().rstrip(",") + "]}")["events"]
    asked = {
        urlsplit(event["params"]["url"]).hostname
        for event in events
        if "url" in event.get("params", {}) and event["params"].get("initiator", "").startswith(exchange.url)
    }
    assert asked == {"127.0.0.1"}
