"""The village under each mechanism it can choose: from its file over HTTP to the contract, the audit and a proof.

The day of pay-as-clear is the one every other test uses; the other two play its sunny hour.
"""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest

from app.auditing import audit_folder
from app.client.client import MeritClient, check_on_chain
from app.demo import Day, prepare
from app.founding import Keys
from exchange.units import in_cents
from tests.e2e.day import LAST, VILLAGE, Running, running

FROM, PERIODS = 2, 3
OWN_RATES = ("pay-as-bid", "pay-as-offer")


@dataclass(frozen=True, slots=True)
class Shown:
    """A day by one mechanism: how it ended, and what the exchange shows of it over HTTP."""

    mechanism: str
    day: Day
    sessions: list[dict]
    orders: list[dict]
    trades: list[dict]
    batches: int


def sunny_hour(folder: Path, mechanism: str) -> Path:
    """Write the village with this mechanism, and three of its quarter-hours, into `folder`; return its file.

    In the first the roofs give too little, in the others more than is used: either side has several rates once.
    """
    head, *rows = VILLAGE.with_name("village.csv").read_text().splitlines()
    (folder / "village.csv").write_text("\n".join([head, *rows[FROM : FROM + PERIODS], ""]))
    path = folder / "village.toml"
    path.write_text(VILLAGE.read_text().replace("[utility]", f'mechanism = "{mechanism}"\n\n[utility]'))
    return path


def look(exchange: Running, mechanism: str, day: Day) -> Shown:
    """Read what the exchange says of its day, and have one proof checked against the chain."""
    with MeritClient(exchange.url, Keys.devnet().operator) as client:
        names = [session["name"] for session in client.get("/v1/sessions")["sessions"]]
        trades = client.trades()
        digests = sorted({trade[side] for trade in trades for side in ("bid", "offer")})
        check_on_chain(client.proof_of_trade(bytes.fromhex(trades[-1]["leaf"][2:])), exchange.chain_url)
        return Shown(
            mechanism=mechanism,
            day=day,
            sessions=[client.get(f"/v1/sessions/{name}") for name in names],
            orders=[client.order_state(bytes.fromhex(digest[2:])) for digest in digests],
            trades=trades,
            batches=len(client.get("/v1/batches")["batches"]),
        )


@pytest.fixture(scope="module")
def shown(request, tmp_path_factory, played):
    mechanism = request.param
    if mechanism == "pay-as-clear":
        folder, day = played.copy(tmp_path_factory.mktemp("mechanism") / "day"), played.day
    else:
        base = tmp_path_factory.mktemp("mechanism")
        folder = base / "day"
        demo, periods = prepare(sunny_hour(base, mechanism), folder)
        assert periods == PERIODS
        with demo:
            demo.trade(lambda _: None)
            day = demo.conclude()
    with running(folder, LAST) as exchange:
        found = look(exchange, mechanism, day)
    assert audit_folder(folder).findings == ()
    return found


def under(*mechanisms):
    return pytest.mark.parametrize(
        "shown",
        [pytest.param(one, marks=() if one == "pay-as-clear" else pytest.mark.slow) for one in mechanisms],
        indirect=True,
    )


@under("pay-as-clear", *OWN_RATES)
def test_a_village_trades_settles_and_is_sound_by_the_mechanism_it_chose(shown):
    assert shown.day.verdict.findings == ()
    assert shown.day.caught
    assert {session["mechanism"] for session in shown.sessions} == {shown.mechanism}
    assert {session["state"] for session in shown.sessions} == {"settled"}
    assert shown.batches == len(shown.sessions) == shown.day.chain.sessions
    assert len(shown.trades) == shown.day.chain.trades


@under("pay-as-clear", *OWN_RATES)
def test_nobody_pays_more_than_without_the_market_and_what_is_paid_is_earned(shown):
    bills = shown.day.bills
    assert all(bill.net <= bill.without for bill in bills[1:])
    assert sum(bill.paid for bill in bills) == sum(bill.earned for bill in bills) + shown.day.chain.fees


@under("pay-as-clear")
def test_by_pay_as_clear_a_session_has_one_rate(shown):
    for session, trades in groupby(shown.trades, key=lambda trade: trade["session"]):
        (rate,) = {trade["rate_micro_per_kwh"] for trade in trades}
        (told,) = (one for one in shown.sessions if one["session"] == session)
        assert told["rate_micro_per_kwh"] == told["average_micro_per_kwh"] == rate


@under(*OWN_RATES)
def test_by_the_others_every_trade_has_the_limit_of_one_side(shown):
    limit = {one["digest"]: one["order"]["limit_micro_per_kwh"] for one in shown.orders}
    for trade in shown.trades:
        if shown.mechanism == "pay-as-bid":
            assert trade["rate_micro_per_kwh"] + trade["fee_rate_micro_per_kwh"] == limit[trade["bid"]]
        else:
            assert trade["rate_micro_per_kwh"] == limit[trade["offer"]]


@under(*OWN_RATES)
def test_by_the_others_a_session_has_several_rates_and_says_between_which(shown):
    several = 0
    for session in shown.sessions:
        rates = [t["rate_micro_per_kwh"] for t in shown.trades if t["session"] == session["session"]]
        clearing = session["clearing"]
        assert session["rate_micro_per_kwh"] is None
        assert (clearing["low_micro_per_kwh"], clearing["high_micro_per_kwh"]) == (min(rates), max(rates))
        assert min(rates) <= session["average_micro_per_kwh"] <= max(rates)
        several += len(set(rates)) > 1
    assert several


@under("pay-as-bid")
def test_by_pay_as_bid_homes_without_a_roof_save_nothing_and_those_with_one_earn_it_all(shown):
    by_name = {bill.name: bill for bill in shown.day.bills}
    assert in_cents(by_name["consumer"].saved) == 0
    assert by_name["producer"].saved > 0


@under("pay-as-offer")
def test_by_pay_as_offer_homes_with_a_roof_earn_no_more_and_those_without_save(shown):
    by_name = {bill.name: bill for bill in shown.day.bills}
    assert by_name["producer"].saved == 0
    assert by_name["consumer"].saved > 0


@under(*OWN_RATES)
def test_members_are_told_the_rates_of_their_own_trades(shown):
    for one in shown.orders:
        assert one["outcome"]["code"] in ("filled", "partly-filled")
        assert "clearing rate" not in one["outcome"]["sentence"]
        rates = [trade["rate_micro_per_kwh"] for step in one["trail"] for trade in step.get("trades") or ()]
        assert f"{min(rates) // 10**6}.{min(rates) % 10**6:06}" in one["outcome"]["sentence"]
