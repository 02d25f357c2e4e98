"""Proofs: an honest one verifies after a journey as JSON, and no single change of one does."""

import json
from dataclasses import replace

import pytest

from exchange.errors import UnknownOrder
from exchange.order import SignedOrder
from exchange.preferences import Alternative, Preferences
from exchange.units import MicroPerKwh, Wh
from identity.hashing import keccak
from settlement.batch import seal
from settlement.errors import NotInTree, ProofMalformed
from settlement.proof import OrderProof, TradeProof, expected, prove_order, prove_trade, verify
from settlement.proof_document import FORMAT, proof_from_document, proof_to_document
from settlement.record import record_of
from tests.settlement.mutations import mutations
from tests.settlement.world import CONTRACT, DOMAIN, FIRST, GRID_OUT, PRODUCER, STRANGER, UTILITY, honest_world
from tests.strategies import one_fee

WORLD = honest_world()
BOOK = WORLD.books[0]
BATCH = seal(BOOK)[0]
TX = keccak(b"transaction")
TRADE_PROOFS = [
    prove_trade(BATCH, trade.leaf(), domain=DOMAIN, transaction=TX, block_number=20) for trade in BATCH.trades
]
ORDER_PROOFS = [prove_order(BOOK, BATCH, accepted.digest, transaction=TX, block_number=20) for accepted in BOOK.orders]


def codes(proof):
    return sorted({finding.code for finding in verify(proof)})


def journey(proof):
    """The proof, written to JSON and read again."""
    return proof_from_document(json.loads(json.dumps(proof_to_document(proof))))


@pytest.mark.parametrize("proof", [*TRADE_PROOFS, *ORDER_PROOFS], ids=lambda proof: type(proof).__name__)
def test_an_honest_proof_verifies_wherever_it_is_read(proof):
    assert verify(proof) == []
    assert journey(proof) == proof
    assert verify(journey(proof)) == []


def test_every_order_has_a_proof_whatever_became_of_it():
    assert len(ORDER_PROOFS) == len(BOOK.orders) > len(BATCH.orders)
    assert sum(proof.cancelled for proof in ORDER_PROOFS) == len(BOOK.cancellations) == 1


def test_a_proof_says_what_the_chain_must_hold():
    of_trade, of_order = expected(PROOF), expected(ORDER_PROOFS[0])
    assert (of_trade.chain_id, of_trade.contract) == (1337, CONTRACT.address)
    assert (of_trade.session, of_trade.part) == (of_order.session, of_order.part) == (BOOK.key.number, 0)
    record = record_of(BATCH.order_root, BATCH.trade_root, BATCH.parameters, 1)
    assert of_trade.record == of_order.record == record
    assert (of_trade.transaction, of_trade.block_number) == (TX, 20)
    assert of_order.signers == expected(replace(PROOF, orders=None)).signers == ()
    bid, offer = PROOF.orders
    assert of_trade.signers == ((bid.order.asset, UTILITY.address), (offer.order.asset, PRODUCER.address))


def test_what_is_not_there_has_no_proof():
    with pytest.raises(NotInTree):
        prove_trade(BATCH, keccak(b"no trade"), domain=DOMAIN, transaction=TX, block_number=20)
    with pytest.raises(UnknownOrder):
        prove_order(BOOK, BATCH, keccak(b"no order"), transaction=TX, block_number=20)


def test_a_proof_without_the_orders_verifies_and_leaves_them_out():
    short = replace(TRADE_PROOFS[0], orders=None)
    assert verify(journey(short)) == []
    assert "bid" not in proof_to_document(short)


PROOF, OTHER, *_ = sorted(TRADE_PROOFS, key=lambda proof: proof.orders[0].order.asset != GRID_OUT)
BID, OFFER = PROOF.orders
OTHER_CHAIN = replace(PROOF.place, chain_id=1)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (replace(PROOF, trade=replace(PROOF.trade, energy=Wh(PROOF.trade.energy - 1))), ["proof-leaf"]),
        (
            replace(PROOF, trade=replace(PROOF.trade, rate=MicroPerKwh(PROOF.trade.rate + 1))),
            ["proof-leaf", "proof-order"],
        ),
        (
            replace(PROOF, trade=replace(PROOF.trade, fees=one_fee(7, PROOF.trade.fee_rate + 1))),
            ["proof-leaf", "proof-order"],
        ),
        (replace(PROOF, trade=replace(PROOF.trade, fees=one_fee(8, PROOF.trade.fee_rate))), ["proof-leaf"]),
        (replace(PROOF, leaf=OTHER.leaf), ["proof-leaf", "proof-path"]),
        (replace(PROOF, siblings=PROOF.siblings[1:]), ["proof-path"]),
        (replace(PROOF, siblings=(*PROOF.siblings, TX)), ["proof-path"]),
        (replace(PROOF, place=replace(PROOF.place, trade_root=TX)), ["proof-path"]),
        (replace(PROOF, orders=(OFFER, BID)), ["proof-order"]),
        (replace(PROOF, orders=(SignedOrder(BID.order, bytes(64)), OFFER)), ["proof-order"]),
        (replace(PROOF, place=OTHER_CHAIN), ["proof-order"]),
    ],
    ids=range(11),
)
def test_a_changed_trade_proof_says_what_is_wrong(changed, found):
    assert codes(changed) == found


def test_a_trade_beyond_what_its_orders_allow_is_found():
    for limit in ({"limit": MicroPerKwh(PROOF.trade.rate)}, {"energy": Wh(1)}):
        order = replace(BID.order, **limit)
        digest = order.digest(DOMAIN.separator())
        trade = replace(PROOF.trade, bid=digest)
        signed = SignedOrder(order, STRANGER.sign(digest))
        place = replace(PROOF.place, trade_root=trade.leaf())
        lie = replace(PROOF, place=place, trade=trade, leaf=trade.leaf(), siblings=(), orders=(signed, OFFER))
        (finding,) = verify(lie)
        assert finding.code == "proof-order"
        within = replace(lie, orders=None)
        assert verify(within) == []


def test_alternatives_that_an_order_is_not_bound_to_are_found():
    shown = Preferences((Alternative(most_energy=Wh(1)),))
    order = replace(BID.order, preferences=shown.hash())
    digest = order.digest(DOMAIN.separator())
    trade = replace(PROOF.trade, bid=digest)
    bound = SignedOrder(order, STRANGER.sign(digest), shown)
    place = replace(PROOF.place, trade_root=trade.leaf())
    honest = replace(PROOF, place=place, trade=trade, leaf=trade.leaf(), siblings=(), orders=(bound, OFFER))
    assert verify(honest) == []
    other = replace(bound, preferences=Preferences((Alternative(most_energy=Wh(2)),)))
    assert codes(replace(honest, orders=(other, OFFER))) == ["proof-order"]


def test_a_changed_order_proof_says_what_is_wrong():
    proof = ORDER_PROOFS[0]
    assert codes(replace(proof, cancelled=not proof.cancelled)) == ["proof-leaf"]
    assert codes(replace(proof, receipts=STRANGER.address)) == ["proof-receipt"]
    later = replace(proof.receipt, received_at=proof.receipt.received_at + 1)
    assert codes(replace(proof, receipt=later)) == ["proof-leaf", "proof-receipt"]
    assert codes(replace(proof, siblings=proof.siblings[::-1])) == ["proof-path"]
    forged = replace(proof.receipt, signature=bytes(64))
    assert codes(replace(proof, receipt=forged)) == ["proof-receipt"]


ONLY_THE_CHAIN_KNOWS = {
    "transaction",
    "block_number",
    "parameters",
    "chain_id",
    "contract",
    "order_root",
    "trade_root",
    "part",
    "parts",
}
"""What the proof alone cannot contradict: `expected` hands it to whoever asks a node."""


@pytest.mark.parametrize("proof", [TRADE_PROOFS[0], ORDER_PROOFS[0]], ids=["trade", "order"])
def test_a_proof_with_one_thing_changed_is_refused_found_out_or_expects_another_chain(proof):
    tried = 0
    for path, document in mutations(proof_to_document(proof)):
        tried += 1
        try:
            changed = proof_from_document(document)
        except ProofMalformed:
            continue
        if not verify(changed):
            assert path[0] in ONLY_THE_CHAIN_KNOWS or path[-1] == "signature", path
            assert expected(changed) != expected(proof), path
    assert tried > 40


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.pop("leaf"),
        lambda document: document.update(surplus=1),
        lambda document: document.update(format="merit-proof/2"),
        lambda document: document.update(kind="bill"),
        lambda document: document.update(product="future"),
        lambda document: document.update(part=True),
        lambda document: document.update(part=-1),
        lambda document: document.update(part=1.0),
        lambda document: document.update(market=1 << 32),
        lambda document: document.update(delivery_start=str(FIRST)),
        lambda document: document.update(leaf=document["leaf"].upper()),
        lambda document: document.update(leaf=document["leaf"][:-1]),
        lambda document: document.update(leaf="0x" + "g" * 64),
        lambda document: document.update(leaf=document["leaf"][:-2] + "  "),
        lambda document: document.update(siblings="none"),
        lambda document: document.update(siblings=[1]),
        lambda document: document.update(siblings=[document["leaf"]] * 65),
        lambda document: document.update(contract=document["contract"].swapcase()),
        lambda document: document.update(contract=7),
        lambda document: document.update(trade=[]),
        lambda document: document.pop("bid"),
        lambda document: document["trade"].update(rate_micro_per_kwh=None),
        lambda document: document["trade"].update(top=8),
        lambda document: document["trade"].update(fees=[]),
        lambda document: document["trade"].update(fees=document["trade"]["fees"] * 2),
        lambda document: document["trade"]["fees"][0].update(rate_micro_per_kwh=1 << 48),
    ],
    ids=range(26),
)
def test_a_document_of_another_form_is_refused(spoil):
    document = proof_to_document(PROOF)
    proof_from_document(document)
    spoil(document)
    with pytest.raises(ProofMalformed):
        proof_from_document(document)


def test_what_is_no_document_is_refused():
    for nothing in (None, [], "proof", 1):
        with pytest.raises(ProofMalformed):
            proof_from_document(nothing)
    order = proof_to_document(ORDER_PROOFS[0])
    with pytest.raises(ProofMalformed):
        proof_from_document(order | {"cancelled": 0})


def test_both_kinds_name_their_form():
    kinds = {TradeProof: "trade", OrderProof: "order"}
    for proof in (TRADE_PROOFS[0], ORDER_PROOFS[0]):
        document = proof_to_document(proof)
        assert (document["format"], document["kind"]) == (FORMAT, kinds[type(proof)])


def test_every_number_of_a_proof_fits_a_double():
    def numbers(value):
        if isinstance(value, dict):
            return [found for item in value.values() for found in numbers(item)]
        return [value] if isinstance(value, int) else []

    document = proof_to_document(PROOF)
    # a salt is 64 bits wide, and stands in the orders that a reader of the trade alone does not need
    for side in ("bid", "offer"):
        document[side].pop("salt")
    assert all(abs(number) < 1 << 53 for number in numbers(document))
