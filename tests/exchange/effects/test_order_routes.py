"""Orders over HTTP."""

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from exchange.documents import hexed, order_to_document, receipt_from_document
from exchange.order import NO_PREFERENCES, Side
from exchange.units import MicroPerKwh
from identity.signature import recover
from tests.actors import AGENT, CONSUMER, NEIGHBOUR, STRANGER
from tests.exchange import street


def post(client, order):
    """Hand in a signed order as it is."""
    return client.post("/v1/orders", json=order_to_document(order))


def problem(answer, status, code):
    """Hold that the answer is this problem, and return it."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["type"] == f"/problems/{code}"
    assert body["title"]
    assert body["detail"]
    return body


def taken_back(client, order, by=None):
    """Take an order back."""
    signature = hexed(street.cancellation(order, by))
    return client.request("DELETE", f"/v1/orders/{hexed(street.digest_of(order))}", json={"signature": signature})


def test_an_order_is_answered_with_a_receipt(client, clock):
    order = street.bid()
    answer = post(client, order)
    body = answer.json()
    assert answer.status_code == 201
    assert body["digest"] == hexed(street.digest_of(order))
    assert (body["session"], body["session_name"]) == (street.SESSION.number, "1-spot-1800000000")
    assert body["status"] == "open"
    receipt = receipt_from_document(body["receipt"])
    assert (receipt.sequence, receipt.received_at) == (1, clock.now)
    assert recover(receipt.digest(street.SEPARATOR), receipt.signature) == street.PARAMETERS.receipts


def test_an_order_sent_again_is_answered_with_200_and_the_first_receipt(client):
    first, again = post(client, street.bid()), post(client, street.bid())
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


def test_product_and_preferences_may_be_left_out(client):
    document = order_to_document(street.bid())
    del document["product"], document["preferences"]
    assert client.post("/v1/orders", json=document).status_code == 201


def test_a_signature_of_65_bytes_is_taken_as_wallets_give_it(client):
    order = street.order()
    signature = Account.unsafe_sign_hash(order.digest(street.SEPARATOR), CONSUMER.key).signature
    document = order_to_document(street.signed(order)) | {"signature": hexed(bytes(signature))}
    assert len(signature) == 65
    assert client.post("/v1/orders", json=document).status_code == 201
    assert post(client, street.signed(order)).status_code == 200


def test_a_wallet_can_sign_what_typed_data_says(client):
    document = order_to_document(street.bid(street.FLAT, salt=(1 << 64) - 1, limit=MicroPerKwh(-7)))
    signature = document.pop("signature")
    body = client.post("/v1/orders/typed-data", json=document).json()
    signed = Account.sign_message(encode_typed_data(full_message=body["typed_data"]), NEIGHBOUR.key)
    assert body["digest"] == hexed(bytes(signed.message_hash))
    assert hexed(bytes(signed.signature[:32])) == signature[:66]


def test_a_wallet_can_sign_a_cancellation(client):
    order = street.bid()
    digest = post(client, order).json()["digest"]
    body = client.get(f"/v1/orders/{digest}/cancellation/typed-data").json()
    signed = Account.sign_message(encode_typed_data(full_message=body["typed_data"]), CONSUMER.key)
    answer = client.post(f"/v1/orders/{digest}/cancellation", json={"signature": hexed(bytes(signed.signature))})
    assert answer.status_code == 200


BROKEN = {
    "missing": ({"energy_wh": None}, "energy_wh"),
    "surplus": ({"colour": "green"}, "colour"),
    "text for a number": ({"energy_wh": "1000"}, "energy_wh"),
    "a fraction": ({"energy_wh": 1000.0}, "energy_wh"),
    "true for a number": ({"market": True}, "market"),
    "no energy": ({"energy_wh": 0}, "energy_wh"),
    "too much energy": ({"energy_wh": 1 << 48}, "energy_wh"),
    "a limit beyond its field": ({"limit_micro_per_kwh": 1 << 47}, "limit_micro_per_kwh"),
    "another side": ({"side": "both"}, "side"),
    "another product": ({"product": "balancing"}, "product"),
    "a short asset": ({"asset": "0x1234"}, "asset"),
    "a wrong checksum": ({"asset": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD".swapcase().replace("X", "x")}, "asset"),
    "no hex": ({"preferences": "0x" + "zz" * 32}, "preferences"),
    "blanks in hex": ({"preferences": "0x" + "00 " * 21 + "0"}, "preferences"),
    "a short signature": ({"signature": "0x" + "00" * 63}, "signature"),
    "a long salt": ({"salt": 1 << 64}, "salt"),
    "a negative salt": ({"salt": -1}, "salt"),
    "an endless validity": ({"valid_until": 1 << 40}, "valid_until"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_malformed_order_is_refused_and_its_field_named(client, name):
    changes, field = BROKEN[name]
    document = {key: value for key, value in (order_to_document(street.bid()) | changes).items() if value is not None}
    body = problem(client.post("/v1/orders", json=document), 422, "malformed-order")
    assert field in [pair[0] for pair in body["fields"]]


@pytest.mark.parametrize("document", [[], 7, "order", {}, [{}]])
def test_what_is_no_order_at_all_is_refused(client, document):
    problem(client.post("/v1/orders", json=document), 422, "malformed-order")


@pytest.mark.parametrize("body", [b"{", b"", b"[1,"])
def test_what_is_no_json_is_refused(client, body):
    headers = {"Content-Type": "application/json"}
    problem(client.post("/v1/orders", content=body, headers=headers), 422, "malformed-request")


@pytest.mark.parametrize("body", [b"1" * 5_000, b"\xff"])
def test_what_cannot_be_read_is_refused(client, body):
    headers = {"Content-Type": "application/json"}
    problem(client.post("/v1/orders", content=body, headers=headers), 400, "bad-request")


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'["]",', b'["\\"]",'])
def test_a_hundred_thousand_brackets_do_not_end_the_exchange(client, opening):
    headers = {"Content-Type": "application/json"}
    problem(client.post("/v1/orders", content=opening * 100_000, headers=headers), 400, "body-too-deep")
    problem(
        client.post("/v1/orders", content=opening.decode().encode("utf-16") * 9, headers=headers), 400, "body-too-deep"
    )
    assert client.get("/v1/meta").status_code == 200


@pytest.mark.parametrize("body", [b'{"asset": NaN}', b'{"\\ud800": 1}', b'{"asset": "\\ud800"}'])
def test_json_that_is_hard_to_repeat_is_refused_all_the_same(client, body):
    headers = {"Content-Type": "application/json"}
    problem(client.post("/v1/orders", content=body, headers=headers), 422, "malformed-order")
    problem(client.post("/v1/orders/batch", content=body, headers=headers), 422, "malformed-request")
    result = client.post("/v1/orders/batch", content=b'{"orders": [' + body + b"]}", headers=headers).json()
    assert result["results"][0]["problem"]["code"] == "malformed-order"


def test_a_body_that_is_not_declared_as_json_is_refused_with_the_remedy(client):
    answer = client.post("/v1/orders", content=b"{}", headers={"Content-Type": "text/plain"})
    assert "Content-Type: application/json" in problem(answer, 422, "malformed-order")["detail"]


def test_a_signature_in_the_upper_half_is_refused(client):
    document = order_to_document(street.bid()) | {"signature": "0x" + "11" * 32 + "7f" + "ff" * 31}
    problem(client.post("/v1/orders", json=document), 403, "bad-signature")


def test_a_refusal_carries_its_data(client, purse):
    purse.free[2] = 5
    body = problem(post(client, street.bid()), 409, "short-of-collateral")
    assert (body["needed"], body["free"]) == (300_000_000, 5)
    other = street.bid(street.BARN)
    post(client, other)
    body = problem(post(client, street.offer(street.HOUSE)), 409, "own-crossing")
    assert body["other"] == hexed(street.digest_of(other))


def test_a_stranger_may_not_order(client):
    problem(post(client, street.signed(street.order(), STRANGER)), 403, "not-authorised")
    assert post(client, street.signed(street.order(), AGENT)).status_code == 201


def test_each_order_of_a_batch_has_its_own_result(client):
    malformed = order_to_document(street.bid(salt=5)) | {"energy_wh": -1}
    documents = [
        order_to_document(street.bid()),
        malformed,
        17,
        order_to_document(street.bid()),
        order_to_document(street.signed(street.order(salt=3), STRANGER)),
        order_to_document(street.bid(salt=4)) | {"signature": "0x" + "11" * 32 + "7f" + "ff" * 31},
        order_to_document(street.offer()),
    ]
    answer = client.post("/v1/orders/batch", json={"orders": documents})
    results = answer.json()["results"]
    assert answer.status_code == 200
    assert [result["status"] for result in results] == [201, 422, 422, 200, 403, 403, 201]
    codes = [result.get("problem", {}).get("code") for result in results]
    assert codes == [None, "malformed-order", "malformed-order", None, "not-authorised", "bad-signature", None]
    assert results[0]["receipt"] == results[3]["receipt"]
    assert results[1]["problem"]["fields"][0][0] == "energy_wh"
    assert [results[0]["receipt"]["sequence"], results[6]["receipt"]["sequence"]] == [1, 2]
    assert "problem" not in results[0]


def test_a_thousand_orders_may_come_at_once_and_no_more(client):
    document = order_to_document(street.bid())
    answer = client.post("/v1/orders/batch", json={"orders": [document] * 1_000})
    assert [result["status"] for result in answer.json()["results"]] == [201] + [200] * 999
    problem(client.post("/v1/orders/batch", json={"orders": [document] * 1_001}), 422, "malformed-request")
    problem(client.post("/v1/orders/batch", json={"orders": []}), 422, "malformed-request")


def test_an_order_is_cancelled_by_its_signer(client, clock):
    order = street.bid()
    post(client, order)
    clock.now += 5
    answer = taken_back(client, order)
    assert answer.status_code == 200
    assert answer.json() == {
        "digest": hexed(street.digest_of(order)),
        "session": street.SESSION.number,
        "status": "cancelled",
        "cancelled_at": clock.now,
    }
    clock.now += 5
    assert taken_back(client, order).json() == answer.json()
    problem(post(client, order), 409, "order-cancelled")


def test_a_cancellation_may_be_posted_where_delete_has_no_body(client):
    order = street.bid()
    digest = post(client, order).json()["digest"]
    path = f"/v1/orders/{digest}/cancellation"
    assert client.post(path, json={"signature": hexed(street.cancellation(order))}).status_code == 200


def test_a_cancellation_that_is_not_signed_rightly_is_refused(client):
    order = street.bid()
    post(client, order)
    problem(taken_back(client, order, STRANGER), 403, "not-authorised")
    path = f"/v1/orders/{hexed(street.digest_of(order))}"
    problem(client.request("DELETE", path, json={"signature": "0x" + "00" * 64}), 403, "bad-signature")
    problem(client.request("DELETE", path, json={"signature": "0x00"}), 422, "malformed-request")
    problem(client.request("DELETE", path), 422, "malformed-request")
    assert taken_back(client, order).status_code == 200


def test_a_cancellation_at_gate_closure_is_refused(client, clock):
    order = street.bid()
    post(client, order)
    clock.now = street.CLOSURE
    assert problem(taken_back(client, order), 409, "gate-closed")["closed_at"] == street.CLOSURE


def test_an_unknown_order_is_not_found(client):
    problem(client.get("/v1/orders/0x" + "00" * 32), 404, "unknown-order")
    problem(taken_back(client, street.bid()), 404, "unknown-order")
    problem(client.get("/v1/orders/0x00"), 422, "malformed-request")


def steps(client, order):
    """Return the steps of an order's trail, and the order."""
    body = client.get(f"/v1/orders/{hexed(street.digest_of(order))}").json()
    return [step["step"] for step in body["trail"]], body


def test_an_order_shows_its_trail_from_receipt_to_chain(client, desk, clock, settlements):
    order = street.bid()
    post(client, order)
    post(client, street.offer(energy=400))
    trail, body = steps(client, order)
    assert trail == ["received", "accepted"]
    assert (body["status"], body["outcome"]) == ("open", None)
    assert body["order"] == order_to_document(order)

    desk.close_and_clear(street.CLOSURE)
    trail, body = steps(client, order)
    assert trail == ["received", "accepted", "gate-closed", "matched"]
    assert (body["status"], body["outcome"]["code"]) == ("cleared", "partly-filled")
    assert body["outcome"]["filled_wh"] == 400
    (trade,) = body["trail"][-1]["trades"]
    assert (trade["bid"], trade["energy_wh"], trade["buyer"], trade["seller"]) == (body["digest"], 400, 2, 1)
    assert trade["cost_nano"] == trade["value_nano"] + trade["fee_nano"]

    settlements[street.SESSION] = {"state": "mined", "tx": "0xabcd", "block": 7}
    assert steps(client, order)[1]["trail"][-1] == {
        "step": "settled",
        "at": None,
        "settlement": {"state": "mined", "tx": "0xabcd", "block": 7},
    }
    desk.settled(street.SESSION, street.START)
    trail, body = steps(client, order)
    assert body["status"] == "settled"
    assert body["trail"][-1]["at"] == street.START


def test_an_order_that_was_not_matched_says_why(client, desk):
    low = street.bid(limit=MicroPerKwh(50_000))
    post(client, low)
    post(client, street.offer())
    desk.close_and_clear(street.CLOSURE)
    trail, body = steps(client, low)
    assert trail[-1] == "not-matched"
    assert body["trail"][-1]["why"] == body["outcome"]["code"] == "not-matched-limit"
    assert body["outcome"]["sentence"]


def test_own_energy_shows_in_the_trail(client, desk):
    bid, offer = street.bid(street.HOUSE, energy=300), street.offer(street.HOUSE, energy=300)
    post(client, bid)
    post(client, offer)
    desk.close_and_clear(street.CLOSURE)
    trail, body = steps(client, bid)
    assert trail[-1] == "matched"
    assert body["trail"][-1]["own_uses"] == [
        {"bid": hexed(street.digest_of(bid)), "offer": hexed(street.digest_of(offer)), "energy_wh": 300}
    ]
    assert body["outcome"]["code"] == "own-energy"


def test_a_cancelled_order_shows_when(client, desk):
    order = street.bid()
    post(client, order)
    taken_back(client, order)
    assert steps(client, order)[0] == ["received", "accepted", "cancelled"]
    desk.close_and_clear(street.CLOSURE)
    trail, body = steps(client, order)
    assert trail == ["received", "accepted", "cancelled", "gate-closed"]
    assert (body["status"], body["outcome"]["code"]) == ("cancelled", "cancelled")


def test_preferences_are_not_known_here(client):
    order = street.bid(preferences=b"\1" * 32)
    problem(post(client, order), 422, "preferences-unknown")
    assert post(client, street.bid(preferences=NO_PREFERENCES)).status_code == 201


def test_a_broken_journal_is_answered_with_503(client, desk):
    desk._journal.close()
    problem(post(client, street.bid()), 503, "journal-broken")
    problem(client.get("/v1/sessions"), 503, "journal-broken")
    problem(client.post("/v1/orders/batch", json={"orders": [1]}), 503, "journal-broken")


def test_both_sides_can_be_handed_in(client):
    for side in Side:
        assert post(client, street.signed(street.order(street.FLAT, side, salt=side))).status_code == 201


def test_both_ways_in_answer_alike(client):
    orders = [order_to_document(street.bid(salt=salt)) for salt in range(3)] + [{"side": "bid"}]
    batch = {"orders": orders}
    roundabout = {"content-type": "application/json; charset=utf-8"}  # the quick way in hands this on
    client.post("/v1/orders/batch", json=batch)
    quick, slow = (client.post("/v1/orders/batch", json=batch, headers=given) for given in ({}, roundabout))
    assert quick.json() == slow.json()
    assert [result["status"] for result in quick.json()["results"]] == [200, 200, 200, 422]
    quick, slow = (client.post("/v1/orders", json=orders[0], headers=given) for given in ({}, roundabout))
    assert (quick.status_code, quick.json()) == (slow.status_code, slow.json())
    assert quick.headers["content-type"] == slow.headers["content-type"]
