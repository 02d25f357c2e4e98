"""Sessions, trades and the exchange itself over HTTP."""

import pytest

from exchange.book import book_from_document
from exchange.charge import CHARGE_TYPE
from exchange.documents import event_from_document, hexed
from exchange.forecast import FORECAST_TYPE
from exchange.order import CANCELLATION_TYPE, ORDER_TYPE
from exchange.parameters import from_document
from exchange.proposals import PROPOSAL_TYPE
from exchange.receipt import RECEIPT_TYPE, RECEIPTS_TYPE
from exchange.terms import TERMS_TYPE
from exchange.trade import Trade
from exchange.units import MicroPerKwh
from tests.exchange import street
from tests.exchange.effects.test_order_routes import problem
from tests.strategies import fee_row

NAME = str(street.SESSION)


@pytest.fixture
def day(desk, clock):
    """Five delivery periods; in each the consumer and the neighbour buy from the producer; the last stays open."""
    starts = [street.START + 900 * period for period in range(5)]
    for start in starts:
        desk.submit([street.bid(delivery_start=start), street.bid(street.FLAT, delivery_start=start, energy=500)])
        desk.submit([street.offer(delivery_start=start, energy=5_000)])
    desk.close_and_clear(starts[-1] - 301)
    desk.settled(street.TERMS.session(starts[0]), starts[0])
    return [street.TERMS.session(start) for start in starts]


def pages(client, path, **query):
    """Follow the links of a list; yield each page."""
    answer = client.get(path, params=query)
    while True:
        assert answer.status_code == 200, answer.text
        yield answer.json()
        if "next" not in answer.links:
            assert answer.json()["next"] is None
            return
        assert answer.json()["next"] in answer.links["next"]["url"]
        answer = client.get(answer.links["next"]["url"])


def test_sessions_are_listed_newest_last(client, day):
    (page,) = pages(client, "/v1/sessions")
    assert [session["session"] for session in page["sessions"]] == [key.number for key in day]
    assert [session["state"] for session in page["sessions"]] == ["settled", "cleared", "cleared", "cleared", "open"]
    assert (
        page["sessions"][0]
        | {
            "delivery_end": street.START + 900,
            "gate_opening": street.OPENING,
            "gate_closure": street.CLOSURE,
            "orders": 3,
            "cancelled": 0,
            "energy_wh": 1_500,
            "settled_at": street.START,
        }
        == page["sessions"][0]
    )


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_of_sessions_skip_and_repeat_nothing(client, day, limit):
    found = [session["name"] for page in pages(client, "/v1/sessions", limit=limit) for session in page["sessions"]]
    assert found == [str(key) for key in day]


def test_sessions_are_listed_by_state(client, day):
    found = list(pages(client, "/v1/sessions", state="cleared", limit=2))
    assert [session["session"] for page in found for session in page["sessions"]] == [key.number for key in day[1:4]]
    problem(client.get("/v1/sessions?state=asleep"), 422, "malformed-request")


@pytest.mark.parametrize("listing", ["/v1/sessions", "/v1/trades"])
@pytest.mark.parametrize("cursor", ["x", "é", "AAAA", "A" * 13, "A" * 57, "=", "AAAAAAAAAAAAA!"])
def test_a_cursor_of_somebodys_own_making_is_refused(client, listing, cursor):
    problem(client.get(listing, params={"cursor": cursor}), 422, "malformed-cursor")


@pytest.mark.parametrize("limit", [0, 1_001, "many"])
def test_a_page_has_one_to_a_thousand_lines(client, limit):
    problem(client.get("/v1/trades", params={"limit": limit}), 422, "malformed-request")


def test_a_session_is_found_by_number_and_by_name(client, day):
    by_name = client.get(f"/v1/sessions/{NAME}").json()
    assert by_name == client.get(f"/v1/sessions/{street.SESSION.number}").json()


@pytest.mark.parametrize(
    "name", ["0", "7", "1-spot-1", "1-spot-01800000000", "1-balancing-1800000000", "a-b", "-", "٣"]
)
def test_a_session_that_is_none_is_not_found(client, day, name):
    problem(client.get(f"/v1/sessions/{name}"), 404, "unknown-session")
    problem(client.get(f"/v1/sessions/{name}/book"), 404, "unknown-session")


def test_a_cleared_session_shows_its_orders_without_names(client, day, settlements):
    settlements[street.SESSION] = {"state": "final"}
    body = client.get(f"/v1/sessions/{NAME}").json()
    assert body["book"]["bids"] == [
        {"energy_wh": 1_000, "limit_micro_per_kwh": 300_000, "filled_wh": 1_000, "own_use_wh": 0},
        {"energy_wh": 500, "limit_micro_per_kwh": 300_000, "filled_wh": 500, "own_use_wh": 0},
    ]
    assert body["book"]["offers"][0]["filled_wh"] == 1_500
    assert body["clearing"]["rate_micro_per_kwh"] == 100_000
    assert body["clearing"]["trades"] == 2
    assert body["clearing"]["fee_nano"] == 1_500 * 10_000
    assert body["clearing"]["fees_by_node"] == [{"node": street.TERMS.number, "fee_nano": 1_500 * 10_000}]
    assert body["settlement"] == {"state": "final"}


def test_an_open_session_shows_no_orders_to_anybody(client, day):
    body = client.get(f"/v1/sessions/{day[-1]}").json()
    assert (body["state"], body["orders"]) == ("open", 3)
    assert (body["book"], body["clearing"]) == (None, None)
    refused = problem(client.get(f"/v1/sessions/{day[-1]}/book"), 409, "session-not-cleared")
    assert refused["gate_closure"] == street.TERMS.gate_closure(day[-1].delivery_start)


def test_the_book_of_a_cleared_session_is_published_whole(client, desk, day):
    document = client.get(f"/v1/sessions/{NAME}/book").json()
    assert book_from_document(document) == desk.book(street.SESSION)
    assert [event_from_document(order).receipt.sequence for order in document["orders"]] == [1, 2, 3]


def test_a_negative_rate_is_shown_as_it_is(client, desk):
    desk.submit([street.bid(limit=MicroPerKwh(-20_000)), street.offer(limit=MicroPerKwh(-50_000), energy=2_000)])
    desk.close_and_clear(street.CLOSURE)
    (trade,) = client.get("/v1/trades").json()["trades"]
    assert (trade["rate_micro_per_kwh"], trade["value_nano"]) == (-50_000, -50_000_000)


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_trades_are_listed_by_session_then_leaf(client, day, limit):
    found = [trade for page in pages(client, "/v1/trades", limit=limit) for trade in page["trades"]]
    places = [(trade["session"], trade["leaf"]) for trade in found]
    assert len(places) == 8
    assert places == sorted(places)


@pytest.mark.parametrize("limit", [1, 100])
def test_trades_are_listed_by_account_and_session(client, day, limit):
    def listed(**query):
        return [trade for page in pages(client, "/v1/trades", limit=limit, **query) for trade in page["trades"]]

    assert [trade["buyer"] for trade in listed(account=4)] == [4] * 4
    assert len(listed(account=1)) == 8
    assert listed(account=77) == []
    assert {trade["session_name"] for trade in listed(session=str(day[1]))} == {str(day[1])}
    assert [trade["session"] for trade in listed(session=day[2].number, account=2)] == [day[2].number]
    assert listed(session=str(day[-1])) == []
    problem(client.get("/v1/trades?session=noon"), 404, "unknown-session")


def test_a_trade_is_found_by_its_leaf(client, day):
    trade = client.get("/v1/trades").json()["trades"][0]
    assert client.get(f"/v1/trades/{trade['leaf']}").json() == trade
    again = Trade(
        session=street.SESSION,
        bid=bytes.fromhex(trade["bid"][2:]),
        offer=bytes.fromhex(trade["offer"][2:]),
        energy=trade["energy_wh"],
        rate=trade["rate_micro_per_kwh"],
        fees=fee_row(trade["top"], *((share["node"], share["rate_micro_per_kwh"]) for share in trade["fees"])),
    )
    assert trade["fee_rate_micro_per_kwh"] == again.fee_rate == 10_000
    assert hexed(again.leaf()) == trade["leaf"]
    problem(client.get("/v1/trades/0x" + "00" * 32), 404, "unknown-trade")


def test_meta_tells_everything_needed_to_sign_an_order(client, clock):
    body = client.get("/v1/meta").json()
    assert (body["name"], body["version"], body["now"]) == ("Merit", "0.1.0", clock.now)
    assert body["types"] == {
        "Order": ORDER_TYPE,
        "Cancellation": CANCELLATION_TYPE,
        "Receipt": RECEIPT_TYPE,
        "Receipts": RECEIPTS_TYPE,
        "NodeTerms": TERMS_TYPE,
        "Forecast": FORECAST_TYPE,
        "Proposal": PROPOSAL_TYPE,
        "StateOfCharge": CHARGE_TYPE,
    }
    assert body["domain_separator"] == hexed(street.SEPARATOR)
    assert body["domain"]["chainId"] == body["chain_id"] == 31_337
    assert from_document(body["parameters"]) == street.PARAMETERS
    assert body["parameters_hash"] == hexed(street.PARAMETERS.hash())
    assert body["open_deliveries"][0] == street.START
    assert len(body["open_deliveries"]) == 96


def test_the_page_that_explains_the_interface_works(client):
    assert client.get("/docs").status_code == 200
    document = client.get("/openapi.json").json()
    order = document["paths"]["/v1/orders"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert order["examples"][0]["energy_wh"] == 250
    assert {"/v1/orders/batch", "/v1/sessions/{session}/book", "/v1/trades/{leaf}", "/v1/meta"} <= set(
        document["paths"]
    )
