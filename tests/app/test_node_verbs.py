"""`merit node`: the nodes of the tree from a shell."""

import pytest
from fastapi import FastAPI

from app.problems import install, problem_of
from app.server import Serving
from exchange.effects.desk import Desk
from exchange.effects.journal import SqliteJournal
from exchange.effects.routes import exchange_router
from exchange.market import Market
from tests.actors import OPERATOR, STRANGER
from tests.exchange import street
from tests.exchange.neighbourhood import EAST, PARAMETERS
from tests.exchange.street import START
from tests.registries import GRID_OPERATOR
from tests.simulators.everybody import Everybody


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """Where an exchange without a chain is served."""
    journal = SqliteJournal(tmp_path_factory.mktemp("nodes") / "journal.db")
    clock = street.Clock(START - 1_000)
    desk = Desk(journal, Market(), street.registry, street.Purse(), OPERATOR.key, clock)
    desk.open(PARAMETERS)
    app = FastAPI()
    install(app)
    app.include_router(
        exchange_router(desk, name="Merit", version="0", settlement_of={}.get, problem_of=problem_of, reads=Everybody())
    )
    with Serving(app) as serving:
        yield serving.url
    journal.close()


@pytest.fixture
def key_of(tmp_path):
    """Return what writes an actor's key to a file, as a key file has to be."""

    def write(actor):
        path = tmp_path / "any.key"
        path.write_text(actor.key.hex())
        path.chmod(0o600)
        return path

    return write


def test_a_grid_operator_changes_its_node_and_everybody_sees_it(merit, url, key_of):
    before = merit("node", "list", "--url", url, "--json").document["nodes"]
    assert [each["name"] for each in before] == ["feeder", "east", "west"]
    key = key_of(GRID_OPERATOR)
    taken = merit(
        "node", "set", EAST, "--key-file", key, "--url", url, "--fee-micro-per-kwh", 12_000, "--import-limit-wh", 500,
        "--json",
    ).document  # fmt: skip
    assert (taken["serial"], taken["fee_micro_per_kwh"], taken["import_limit_wh"]) == (1, 12_000, 500)
    merit("node", "set", EAST, "--key-file", key, "--url", url, "--fee-ppm", 1_000, "--import-limit-wh", -1)
    changes = merit("node", "terms", EAST, "--url", url, "--json").document["changes"]
    assert [(each["fee_micro_per_kwh"], each["fee_ppm"], each["import_limit_wh"]) for each in changes] == [
        (12_000, 0, 500),
        (0, 1_000, None),
    ]
    east = merit("node", "list", "--url", url, "--json").document["nodes"][1]
    assert [change["serial"] for change in east["to_come"]] == [1, 2]
    assert "1000 ppm" in merit("node", "terms", EAST, "--url", url).out


def test_somebody_else_is_refused_with_the_code(merit, url, key_of):
    ended = merit("node", "set", EAST, "--key-file", key_of(STRANGER), "--url", url, "--fee-ppm", 1)
    assert ended.code == 3
    assert "not-the-grid-operator" in ended.err


@pytest.mark.parametrize("options", [(), ("--fee-ppm", 1, "--fee-micro-per-kwh", 1)])
def test_a_change_of_nothing_or_of_two_kinds_of_fee_is_wrong_usage(merit, url, key_of, options):
    ended = merit("node", "set", EAST, "--key-file", key_of(GRID_OPERATOR), "--url", url, *options)
    assert ended.code == 2
