"""Who may ask how often: nobody beyond the rate, nobody below it refused, and one is not charged for another."""

from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from app.bounds import MOST_A_SECOND, Rate
from app.figures import Figures
from app.limits import BodyLimit
from app.observe import Observe
from app.problems import install
from app.rate_limit import AddressLimit, Allowances, network_of

SECOND = 1_000_000_000


@dataclass
class Nanoseconds:
    """A clock that stands until it is moved on."""

    now: int = 5 * SECOND

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock():
    return Nanoseconds()


# Allowances


def test_a_burst_is_allowed_at_once_and_no_more(clock):
    allowances = Allowances(Rate(2, 5), clock)
    assert [allowances.spend("trader") for _ in range(7)] == [0, 0, 0, 0, 0, 1, 1]
    assert allowances.left("trader") == 0
    assert allowances.left("another") == 5


def test_what_was_spent_is_earned_back_with_time(clock):
    allowances = Allowances(Rate(2, 5), clock)
    for _ in range(5):
        allowances.spend("trader")
    clock.now += SECOND
    assert [allowances.spend("trader") for _ in range(3)] == [0, 0, 1]
    assert allowances.seconds_to_all("trader") == 3
    clock.now += 3 * SECOND
    assert allowances.left("trader") == 5


def test_more_than_there_ever_is_costs_all_there_is(clock):
    allowances = Allowances(Rate(2, 5), clock)
    assert allowances.spend("trader", 100) == 0
    assert allowances.left("trader") == 0
    assert allowances.spend("trader", 100) == 3


def test_what_is_charged_afterwards_must_be_earned_back_first(clock):
    allowances = Allowances(Rate(2, 5), clock)
    allowances.charge("trader", 9)
    assert allowances.seconds_to("trader") == 3
    clock.now += 3 * SECOND
    assert allowances.seconds_to("trader") == 0


def test_who_has_all_again_is_forgotten(clock):
    allowances = Allowances(Rate(1, 1), clock)
    for address in range(9_999):
        allowances.spend(address)
    clock.now += 2 * SECOND
    allowances.spend("trader")
    assert len(allowances) == 1


def test_a_rate_that_allows_nothing_is_refused():
    for per_second, burst in ((0, 5), (5, 0), (MOST_A_SECOND + 1, 5)):
        with pytest.raises(ValueError, match="allows something"):
            Rate(per_second, burst)
    assert Rate.of(0) is None
    assert Allowances(Rate(MOST_A_SECOND, 5), lambda: 0).left("anybody") == 5
    assert Rate.of(7) == Rate(7, 70)


@given(
    rate=st.builds(Rate, st.sampled_from([1, 2, 5, 10, 1_000]), st.integers(1, 20)),
    asked=st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(1, 5)), max_size=60),
)
def test_in_no_stretch_of_time_is_more_allowed_than_the_burst_and_what_was_earned(rate, asked):
    clock = Nanoseconds()
    allowances, spent = Allowances(rate, clock), []
    for passed, cost in asked:
        clock.now += passed
        left = allowances.left("trader")
        wait = allowances.spend("trader", cost)
        assert (wait == 0) == (left >= min(cost, rate.burst)), "what is said to be left can be spent, and no more"
        if not wait:
            spent.append((clock.now, min(cost, rate.burst)))
    for first, (began, _) in enumerate(spent):
        total = 0
        for at, cost in spent[first:]:
            total += cost
            assert total <= rate.burst + (at - began) * rate.per_second / SECOND + 1e-6


@given(st.integers(1, 2_000), st.integers(1, 50), st.integers(1, 200))
def test_who_waits_as_long_as_told_is_let_in(per_second, burst, cost):
    clock = Nanoseconds()
    allowances = Allowances(Rate(per_second, burst), clock)
    allowances.spend("trader", burst)
    wait = allowances.spend("trader", cost)
    clock.now += wait * SECOND
    assert allowances.spend("trader", cost) == 0


# Addresses over HTTP


@pytest.fixture
def client(clock):
    app = FastAPI()
    app.add_middleware(BodyLimit)
    app.add_middleware(AddressLimit, rate=Rate(1, 10), clock=clock)
    app.add_middleware(Observe, figures=Figures())
    install(app)

    @app.post("/length")
    async def length(text: str = "") -> int:
        return len(text)

    return TestClient(app, raise_server_exceptions=False)


def test_every_answer_says_what_is_left(client):
    first, second = client.post("/length"), client.post("/length")
    assert [answer.headers["ratelimit-limit"] for answer in (first, second)] == ["10", "10"]
    assert [answer.headers["ratelimit-remaining"] for answer in (first, second)] == ["9", "8"]
    assert second.headers["ratelimit-reset"] == "2"


def test_who_asks_too_often_is_told_when_to_come_again(client, clock):
    for _ in range(10):
        assert client.post("/length").status_code == 200
    refused = client.post("/length")
    assert (refused.status_code, refused.json()["code"]) == (429, "too-many-requests")
    assert refused.headers["content-type"] == "application/problem+json"
    assert (refused.headers["retry-after"], refused.json()["retry_after_seconds"]) == ("1", 1)
    assert refused.headers["ratelimit-remaining"] == "0"
    clock.now += SECOND
    assert client.post("/length").status_code == 200


def test_a_long_body_costs_more_than_a_short_one(client):
    client.post("/length", content=b"x" * 511)
    assert client.post("/length", content=b"x" * 512 * 3).headers["ratelimit-remaining"] == "5"


def test_a_body_that_does_not_say_how_long_it_is_costs_as_much_as_the_longest(client):
    assert client.post("/length", content=iter([b"x"])).headers["ratelimit-remaining"] == "0"


@pytest.mark.parametrize(
    ("client", "network"),
    [
        (("192.0.2.7", 50), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 50), "20010db800010002/64"),
        (("2001:db8:1:2:ffff::", 51), "20010db800010002/64"),
        (("2001:db8:1:3::1", 51), "20010db800010003/64"),
        (("no:address", 1), "no:address"),
        (None, ""),
    ],
)
def test_a_customers_network_counts_as_one(client, network):
    assert network_of({"client": client}).rjust(19, "0") == network.rjust(19, "0")
