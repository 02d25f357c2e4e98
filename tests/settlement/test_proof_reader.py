"""Whatever is given as a proof, it is read and judged, or refused by name: never an exception that nobody expects."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.batch import seal
from settlement.errors import ProofMalformed
from settlement.proof import expected, prove_order, prove_trade, verify
from settlement.proof_document import proof_from_document, proof_to_document
from tests.settlement.world import DOMAIN, honest_world

BOOK = honest_world().books[0]
BATCH = seal(BOOK)[0]
PLACE = {"transaction": bytes(32), "block_number": 20}
SOUND = [
    *(proof_to_document(prove_trade(BATCH, trade.leaf(), domain=DOMAIN, **PLACE)) for trade in BATCH.trades),
    *(proof_to_document(prove_order(BOOK, BATCH, order.digest, **PLACE)) for order in BOOK.orders),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.floats() | st.text(max_size=150),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
NEAR = st.sampled_from([0, -1, 1 << 16, 1 << 32, 1 << 40, 1 << 53, True, 1.0, "1", "", "0x", None, [], {}, "spot"])
HASH = st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex())


def holders(value):
    """Yield every object and list inside a document, itself included."""
    yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from holders(inner)


@st.composite
def mutated(draw):
    """A sound proof with some fields, at any depth, replaced, taken out, added or swapped."""
    document = copy.deepcopy(draw(st.sampled_from(SOUND)))
    for _ in range(draw(st.integers(1, 3))):
        inside = draw(st.sampled_from(list(holders(document))))
        value = copy.deepcopy(draw(JSON | NEAR | HASH))
        if isinstance(inside, list):
            inside.insert(draw(st.integers(0, len(inside))), value)
            continue
        name = draw(st.sampled_from([*inside, "surplus", "trade", "receipt", "bid"]))
        if draw(st.booleans()):
            inside[name] = value
        else:
            inside.pop(name, None)
    return document


def judge(document):
    """Read and judge a proof; return its findings, or none where it could not be read."""
    try:
        proof = proof_from_document(document)
    except ProofMalformed:
        return None
    assert proof_to_document(proof) == document, "a proof has one form, and nothing in it is passed over"
    assert expected(proof).record
    return verify(proof)


@pytest.mark.parametrize("document", SOUND, ids=lambda document: document["kind"])
def test_a_sound_proof_holds(document):
    assert judge(json.loads(json.dumps(document))) == []


@given(JSON | mutated())
def test_a_document_is_judged_or_refused_by_name(document):
    judge(document)


@given(st.sampled_from(SOUND), st.data())
def test_no_changed_byte_is_too_much_for_the_verifier(document, data):
    raw = bytearray(json.dumps(document).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        changed = json.loads(bytes(raw))
    except ValueError:
        return
    judge(changed)


@pytest.mark.slow
@settings(max_examples=10_000)
@given(JSON | mutated())
def test_a_document_is_judged_or_refused_by_name_however_long_one_tries(document):
    judge(document)
