"""One delivery traded three times, from a community's file over HTTP to the contract, the audit and the positions."""

import pytest

from app.auditing import gather, judge
from app.client.client import MeritClient
from app.client.errors import ClientError, Refused
from app.demo import prepare
from app.founding import Keys, member_key
from app.server import Serving, create_app
from app.wiring import keeper_of
from exchange.order import Side
from exchange.session import SessionState
from settlement.facts import BatchSettled, MarketOpened
from tests.e2e.day import FIRST, VILLAGE

DAY = 86_400
DELIVERY = FIRST + DAY
"""The delivery that is traded: by the hour, by its first quarter within the day, and on the spot."""

PRODUCTS = """
[[products]]
title = "intraday"
mechanism = "pay-as-bid"
period_seconds = 900
opening_seconds = 86400
lead_seconds = 900
window_seconds = 172800

[[products]]
title = "day-ahead"
period_seconds = 3600
opening_seconds = 172800
lead_seconds = 86400
window_seconds = 259200
"""
SPOT, INTRADAY, DAY_AHEAD = 7, 8, 9
CLOSURES = {DAY_AHEAD: DELIVERY - DAY, INTRADAY: DELIVERY - 900, SPOT: DELIVERY - 300}
ENERGY = {DAY_AHEAD: 402, INTRADAY: 30, SPOT: 7}


@pytest.fixture(scope="module")
def traded(tmp_path_factory):
    """The village with three products and forecasts, after the delivery was traded in each."""
    folder = tmp_path_factory.mktemp("products")
    (folder / "village.csv").write_text(VILLAGE.with_name("village.csv").read_text())
    file = folder / "village.toml"
    text = VILLAGE.read_text().replace("[utility]", "forecast_caps = true\n\n[utility]", 1)
    file.write_text(text + PRODUCTS)
    demo, _ = prepare(file, folder / "data")
    with demo, Serving(create_app(demo.house)) as server:
        asset = demo.founded.member("consumer").assets["load"].identity
        keeper = keeper_of(demo.house, Keys.devnet().certifier)
        other = demo.founded.member("producer").assets["pv"].identity
        with MeritClient(server.url, member_key("consumer")) as buyer:
            seller = buyer.with_key(member_key("producer"))
            for product, closure in CLOSURES.items():
                demo.clock.set(closure - 60)
                keeper.keep_now(closure - 60)
                demo.house.heartbeat.read_chain()
                if product == DAY_AHEAD:
                    with pytest.raises(Refused, match="forecast"):
                        buyer.submit(bid_of(buyer, product, 1))
                    forecasts = [buyer.forecast(asset, DELIVERY, 3_600, consumption_wh=600)]
                    forecasts_of_roof = [seller.forecast(other, DELIVERY, 3_600, production_wh=1_000)]
                    answers = buyer.set_forecasts(forecasts) + seller.set_forecasts(forecasts_of_roof)
                    assert not any(isinstance(answer, Refused) for answer in answers)
                buyer.submit(bid_of(buyer, product, ENERGY[product]))
                seller.submit(
                    seller.order(Side.OFFER, ENERGY[product], 100_000, asset=hexed(other), delivery_start=DELIVERY,
                                 market=product)
                )  # fmt: skip
                demo.clock.set(closure + 1)
                demo.house.heartbeat.beat(closure + 1)
            yield demo, buyer, asset, folder / "data"


def hexed(asset):
    return "0x" + asset.hex()


def bid_of(client, product, energy):
    return client.order(Side.BID, energy, 250_000, delivery_start=DELIVERY, market=product)


def test_each_product_is_a_market_on_the_chain_and_its_session_is_settled_there(traded):
    demo, _, _, _ = traded
    facts = [stored.witnessed.fact for stored in demo.house.store.facts()]
    opened = {fact.market: (fact.tree, fact.period, fact.lead) for fact in facts if isinstance(fact, MarketOpened)}
    assert opened == {SPOT: (7, 900, 300), INTRADAY: (7, 900, 900), DAY_AHEAD: (7, 3_600, DAY)}
    settled = [fact.session >> 48 for fact in facts if isinstance(fact, BatchSettled)]
    assert settled == [DAY_AHEAD, INTRADAY, SPOT]
    sessions = demo.house.desk.look(lambda market, _: {key: each.state for key, each in market.sessions.items()})
    assert [key.delivery_start for key in sessions] == [DELIVERY] * 3
    assert set(sessions.values()) == {SessionState.SETTLED}


def test_the_positions_add_up_over_the_products_and_are_shown_to_the_account(traded):
    _, buyer, asset, _ = traded
    found = buyer.positions(asset, DELIVERY, DELIVERY + 3_600)
    assert [each["bought_wh"] for each in found["positions"]] == [101 + 30 + 7, 101, 100, 100]
    assert found["bought_wh"] == sum(ENERGY.values())
    statement = buyer.statement(found["positions"][0]["account"])
    assert statement["totals"]["bought_wh"] == found["bought_wh"]


def test_the_audit_of_all_products_finds_nothing(traded):
    demo, _, _, folder = traded
    assert judge(gather(folder), demo.evm).findings == ()


def test_open_deliveries_are_listed_by_market_and_orders_default_to_the_first(traded):
    demo, buyer, _, _ = traded
    meta = buyer.meta()
    assert {*meta.open_by_market} == {SPOT, INTRADAY, DAY_AHEAD}
    assert meta.open_by_market[SPOT] == meta.open_deliveries
    order = buyer.order(Side.BID, 10, 250_000, market=DAY_AHEAD)
    assert (order.market, order.delivery_start) == (DAY_AHEAD, meta.open_by_market[DAY_AHEAD][0])
    assert buyer.order(Side.BID, 10, 250_000).market == SPOT
    with pytest.raises(ClientError, match="no market 99"):
        buyer.order(Side.BID, 10, 250_000, market=99)
    with MeritClient(buyer._url, Keys.devnet().operator) as operator:
        names = [each["name"] for each in operator.get("/v1/sessions")["sessions"]]
    assert names == [f"7-spot-{DELIVERY}", f"8-forward-{DELIVERY}", f"9-forward-{DELIVERY}"]
