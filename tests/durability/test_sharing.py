"""Two servers, one PostgreSQL storage: one decides, the other answers, and takes over when the first is killed."""

import threading
import time
from contextlib import ExitStack

import httpx2
import pytest

from app.auditing import gather, judge
from app.clock import HeldClock, WallClock
from app.community import read_community
from app.founding import Keys, found
from app.storage import storage_of
from app.wiring import Places
from bench.kill import STREET, Load, Server, Told, as_operator, check_answers, wait_until_settled
from contracts.devnet_server import DevnetServer
from contracts.local_evm import LocalEvm
from contracts.rpc_evm import RpcEvm

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture
def chain():
    """A chain of its own that mines a block every second, as others do."""
    with ExitStack() as stack:
        held = HeldClock(WallClock(), 600)  # founding takes more of the chain's time than of ours
        evm = LocalEvm(held, genesis_time=held())
        evm.present = held.let_go
        stack.callback(evm.close)
        evm.node = stack.enter_context(DevnetServer(evm, 0)).url
        over = threading.Event()

        def mine():
            while not over.wait(1):
                evm.mine()

        miner = threading.Thread(target=mine)
        miner.start()
        stack.callback(miner.join)
        stack.callback(over.set)
        yield evm


def decides(url):
    return httpx2.get(f"{url}/v1/health").json()["journal"]["decides"]


def until(condition, patience=60):
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_when_the_one_that_decides_is_killed_the_other_goes_on_and_nothing_is_lost(tmp_path, postgres, chain):
    storage = postgres.new_schema()
    (tmp_path / "street.toml").write_text(STREET)
    data, told = tmp_path / "data", Told()
    data.mkdir()
    founded = found(RpcEvm(chain.node), read_community(tmp_path / "street.toml"), Keys.devnet(), rpc=chain.node)
    chain.present()
    founded.write(Places(data).exchange)
    with ExitStack() as stack:
        first = Server(tmp_path, data, "--storage", storage)
        stack.callback(first.stop)
        leading = first.url()
        (tmp_path / "second").mkdir()
        (tmp_path / "second" / "street.toml").write_text(STREET)
        second = Server(tmp_path / "second", data, "--storage", storage)
        stack.callback(second.stop)
        following = second.url()
        assert (decides(leading), decides(following)) == (True, False)

        load = Load(founded, told, 1, 60)
        load.start(leading)
        time.sleep(4)
        answer = httpx2.post(f"{following}/v1/orders", json=load.any_order())
        assert (answer.status_code, answer.json()["code"]) == (503, "not-the-sequencer")
        assert answer.headers["Retry-After"] == "1"
        digest = next(iter(told.receipts))
        reader = as_operator(following)
        until(lambda: httpx2.get(f"{following}/v1/orders/{digest}", headers=reader).status_code == 200)

        first.kill()
        load.stop()
        until(lambda: decides(following))
        assert check_answers(following, told) > 0

        more = Load(founded, told, 2, 60)
        more.start(following)
        time.sleep(3)
        more.stop()
        check_answers(following, told)
        wait_until_settled(following, told, 120)
    place = storage_of(storage, data)
    assert place.check_journal() == []
    verdict = judge(gather(data, place), chain)
    assert verdict.findings == ()
    assert verdict.orders >= len(told.receipts) > 0
