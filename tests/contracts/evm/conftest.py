"""Chains to run the port's suite against."""

import pytest

from contracts.devnet_keys import devnet_key
from contracts.devnet_server import DevnetServer
from contracts.local_evm import LocalEvm
from contracts.rpc_evm import RpcEvm
from contracts.transaction import sender_of
from tests.contracts.evm.anvil import CHAIN_ID, FORKS, running_anvil
from tests.contracts.evm.bell import GENESIS_TIME, Clock, Ringer, ask


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["london", "prague"])
def any_fork(request):
    return request.param


@pytest.fixture
def local(clock):
    return LocalEvm(clock, genesis_time=GENESIS_TIME)


@pytest.fixture
def served(local):
    with DevnetServer(local, port=0) as server:
        yield server


@pytest.fixture(
    params=[
        "in-process",
        "behind-json-rpc",
        pytest.param("anvil-london", marks=pytest.mark.anvil),
        pytest.param("anvil-latest", marks=pytest.mark.anvil),
    ]
)
def evm(request, clock):
    """Each implementation of the port in turn, and a node that is not ours under both sets of rules."""
    if request.param.startswith("anvil"):
        with running_anvil(*FORKS[request.param.removeprefix("anvil-")]) as url:
            node = RpcEvm(url, timeout=10, expected_chain_id=CHAIN_ID)
            for index in range(3):
                ask(url, "anvil_setBalance", "0x" + sender_of(devnet_key(index)).hex(), hex(10**24))
            yield node
        return
    local = LocalEvm(clock, genesis_time=GENESIS_TIME)
    if request.param == "in-process":
        yield local
        return
    with DevnetServer(local, port=0) as server:
        yield RpcEvm(server.url, timeout=10, expected_chain_id=local.chain_id)


@pytest.fixture
def ringer(evm):
    return Ringer(evm, devnet_key(0))


@pytest.fixture
def bell(ringer):
    return ringer.found_bell()
