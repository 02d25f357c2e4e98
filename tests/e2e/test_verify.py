"""A proof is fetched over HTTP and checked against a node by a process that has only the proof and the node."""

import json
import socket

import httpx2
import pytest

from exchange.documents import hexed
from tests.app.command_line import run_apart
from tests.e2e.day import LAST, operator_of, running
from tests.e2e.tampering import flip_hex


@pytest.fixture(scope="module")
def exchange(played, tmp_path_factory):
    with running(played.copy(tmp_path_factory.mktemp("verify") / "copy"), LAST) as exchange:
        yield exchange


@pytest.fixture(scope="module")
def proofs(exchange, played):
    """The proof of a trade, of an order nobody matched and of one that was taken back, as the server gives them."""
    with httpx2.Client(base_url=exchange.url, headers=operator_of(exchange.url)) as client:
        leaf = client.get("/v1/trades", params={"limit": 1}).json()["trades"][0]["leaf"]
        return {
            "trade": client.get(f"/v1/proofs/trades/{leaf}").raise_for_status().json(),
            "order": client.get(f"/v1/proofs/orders/{hexed(played.unmatched)}").raise_for_status().json(),
            "cancelled": client.get(f"/v1/proofs/orders/{hexed(played.cancelled)}").raise_for_status().json(),
        }


@pytest.fixture
def verify(merit, exchange, tmp_path):
    """Check a document as a proof, against the exchange's chain unless another is named."""

    def check(document, *options, rpc=exchange.chain_url):
        path = tmp_path / "proof.json"
        path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
        return merit("verify", path, "--rpc", rpc, *options)

    return check


def test_a_proof_counts_for_a_process_that_has_only_the_node(proofs, exchange, tmp_path):
    proof = json.dumps(proofs["trade"]).encode()
    contract = proofs["trade"]["contract"]
    options = ("--rpc", exchange.chain_url, "--contract", contract, "--json")
    ended = run_apart("verify", "-", *options, cwd=tmp_path, stdin=proof)
    assert (ended.code, ended.err) == (0, "")
    assert ended.document == {"sound": True, "problems": [], "contract": contract}
    assert not list(tmp_path.iterdir())


def test_a_proof_that_counts_is_said_in_a_sentence(verify, proofs):
    ended = verify(proofs["trade"])
    assert ended.code == 0
    assert ended.out.startswith(f"verified: {proofs['trade']['trade']['energy_wh']} Wh at ")


@pytest.mark.parametrize(("kind", "said"), [("order", "the order 0x"), ("cancelled", "the cancelled order 0x")])
def test_the_receipt_of_an_order_that_did_not_trade_is_proved_as_well(verify, proofs, kind, said):
    ended = verify(proofs[kind])
    assert (ended.code, ended.out.startswith(f"verified: {said}")) == (0, True)


def of_trade(**changes):
    return "trade", lambda proof: proof.update({name: change(proof[name]) for name, change in changes.items()})


def of_order(**changes):
    return "order", lambda proof: proof.update({name: change(proof[name]) for name, change in changes.items()})


def more(value):
    return value + 1


def inside(name, change):
    return lambda value: value | {name: change(value[name])}


ALTERED = {
    "a trade's energy": of_trade(trade=inside("energy_wh", more)),
    "a trade's rate": of_trade(trade=inside("rate_micro_per_kwh", more)),
    "a trade's fee": of_trade(
        trade=inside("fees", lambda fees: [fees[0] | {"rate_micro_per_kwh": fees[0]["rate_micro_per_kwh"] + 1}])
    ),
    "a trade's bid": of_trade(trade=inside("bid", flip_hex)),
    "a leaf": of_trade(leaf=flip_hex),
    "a sibling": of_trade(siblings=lambda siblings: [flip_hex(siblings[0]), *siblings[1:]]),
    "no siblings": of_trade(siblings=lambda _: []),
    "the trade root": of_trade(trade_root=flip_hex),
    "the order root of a trade": of_trade(order_root=flip_hex),
    "the parameters of a trade": of_trade(parameters=flip_hex),
    "the part": of_trade(part=more),
    "the session": of_trade(delivery_start=lambda start: start + 900),
    "the market": of_trade(market=more),
    "the transaction": of_trade(transaction=flip_hex),
    "the block": of_trade(block_number=more),
    "the chain": of_trade(chain_id=more),
    "the contract": of_trade(contract=lambda _: "0x" + "11" * 20),
    "the bid's limit": of_trade(bid=inside("limit_micro_per_kwh", more)),
    "the bid's signature": of_trade(bid=inside("signature", flip_hex)),
    "the offer's signature": of_trade(offer=inside("signature", lambda text: text[:-2] + "00")),
    "a receipt's time": of_order(receipt=inside("received_at", more)),
    "a receipt's number": of_order(receipt=inside("sequence", more)),
    "a receipt's blind": of_order(receipt=inside("blind", flip_hex)),
    "a receipt's path": of_order(receipt=inside("path", lambda text: text + "11" * 32)),
    "a receipt's signature": of_order(receipt=inside("signature", flip_hex)),
    "who signs receipts": of_order(receipts=lambda _: "0x" + "11" * 20),
    "whether an order was cancelled": of_order(cancelled=lambda cancelled: not cancelled),
    "the order root": of_order(order_root=flip_hex),
    "the parameters": of_order(parameters=flip_hex),
}


@pytest.mark.parametrize("altered", ALTERED)
def test_an_altered_proof_does_not_count(verify, proofs, altered):
    kind, change = ALTERED[altered]
    proof = json.loads(json.dumps(proofs[kind]))
    change(proof)
    ended = verify(proof, "--json")
    assert ended.code == 4
    assert ended.document["sound"] is False
    assert ended.document["problems"]


def test_a_proof_about_the_contract_one_trusts_counts(verify, proofs):
    assert verify(proofs["trade"], "--contract", proofs["trade"]["contract"].lower()).code == 0


def test_a_proof_about_another_contract_than_the_one_one_trusts_does_not(verify, proofs):
    ended = verify(proofs["trade"], "--contract", "0x" + "11" * 20)
    assert (ended.code, "not about 0x1111" in ended.out) == (4, True)


def test_a_node_that_does_not_answer_ends_with_5(verify, proofs):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        ended = verify(proofs["trade"], rpc=f"http://127.0.0.1:{nobody.getsockname()[1]}")
    assert (ended.code, ended.out) == (5, "")
    assert "does not answer" in ended.err


def test_an_altered_proof_does_not_count_even_where_the_node_does_not_answer(verify, proofs):
    proof = proofs["trade"] | {"leaf": flip_hex(proofs["trade"]["leaf"])}
    assert verify(proof, rpc="http://127.0.0.1:9").code == 4


@pytest.mark.parametrize(
    "garbage",
    [b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b"[" * 200_000, b'{"format": "merit-proof/1"}', b"9" * 5_000],
    ids=["empty", "half", "a list", "null", "not UTF-8", "deep", "nothing in it", "a long number"],
)
def test_what_is_no_proof_ends_with_3(verify, garbage):
    ended = verify(garbage)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("merit: ")


def test_a_file_that_is_not_there_ends_with_3(merit, exchange, tmp_path):
    assert merit("verify", tmp_path / "nothing.json", "--rpc", exchange.chain_url).code == 3


def test_a_contract_that_is_no_address_ends_with_3(verify, proofs):
    assert verify(proofs["trade"], "--contract", "0x1234").code == 3
