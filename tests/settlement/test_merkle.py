"""Trees equal to OpenZeppelin's, and proofs that nothing can be done to."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.delivery import SessionKey
from exchange.trade import LEAF_TYPES, Trade
from identity.hashing import keccak
from settlement.errors import NotInTree
from settlement.fee_words import rows_in
from settlement.merkle import EMPTY_ROOT, Tree, root_in_order, verify
from settlement.order_leaf import ORDER_LEAF_TYPES, order_leaf


def raw(text):
    return bytes.fromhex(text[2:])


VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "merkle.json").read_text())
TREES = {tree["name"]: tree for tree in VECTORS["trees"]}
BAD = {vector["name"]: vector for vector in VECTORS["bad"]}

ROWS = {
    raw(value[-1]): rows_in([int(word) for word in words])[0]
    for tree in VECTORS["trees"]
    if tree["leaf"] == "trade"
    for value, words in zip(tree["values"], tree["fees"], strict=True)
}
"""The rows of the vectors' trades, by their hashes."""

leaf_sets = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40, unique=True)


def leaf_of(kind, value):
    if kind == "trade":
        session, bid, offer, energy, rate, row = value
        return Trade(
            session=SessionKey.of(int(session)),
            bid=raw(bid),
            offer=raw(offer),
            energy=int(energy),
            rate=int(rate),
            fees=ROWS[raw(row)],
        ).leaf()
    session, digest, sequence, received_at, cancelled = value
    return order_leaf(SessionKey.of(int(session)), raw(digest), int(sequence), int(received_at), cancelled=cancelled)


def test_leaves_have_the_types_of_the_vectors():
    assert VECTORS["types"] == {"trade": list(LEAF_TYPES), "order": list(ORDER_LEAF_TYPES)}


@pytest.mark.parametrize("name", TREES)
def test_a_tree_is_the_one_openzeppelin_builds(name):
    vector = TREES[name]
    leaves = [leaf_of(vector["leaf"], value) for value in vector["values"]]
    assert leaves == [raw(leaf) for leaf in vector["leaves"]]
    tree = Tree(leaves)
    assert tree.root == raw(vector["root"])
    for index, proof in vector["proofs"].items():
        assert tree.proof(leaves[int(index)]) == tuple(map(raw, proof))
        assert verify(leaves[int(index)], map(raw, proof), tree.root)


def test_a_row_has_the_hash_that_stands_in_the_values():
    assert len(ROWS) > 3
    assert all(row.name == name for name, row in ROWS.items())


@pytest.mark.parametrize("name", BAD)
def test_a_bad_proof_does_not_verify(name):
    vector = BAD[name]
    assert not verify(raw(vector["leaf"]), list(map(raw, vector["proof"])), raw(vector["root"]))


def test_the_twin_of_the_bad_proofs_verifies():
    tree = TREES["trades-13"]
    assert verify(raw(tree["leaves"][4]), map(raw, tree["proofs"]["4"]), raw(tree["root"]))


def test_no_leaves_have_the_root_that_the_contract_gives_no_trades():
    assert Tree([]).root == root_in_order([]) == EMPTY_ROOT == keccak(b"")


@given(leaf_sets)
def test_the_root_is_what_a_queue_gives_that_is_paired_first_in_first_out(leaves):
    queue = list(leaves)
    while len(queue) > 1:
        one, other, *rest = queue
        queue = [*rest, keccak(min(one, other) + max(one, other))]
    assert root_in_order(leaves) == queue[0]
    assert Tree(leaves).root == root_in_order(sorted(leaves))


@given(leaf_sets)
def test_every_leaf_has_a_proof_and_the_order_of_leaves_does_not_matter(leaves):
    tree = Tree(leaves)
    assert tree.root == Tree(reversed(leaves)).root
    for leaf in leaves:
        assert leaf in tree
        assert verify(leaf, tree.proof(leaf), tree.root)


@given(leaf_sets, st.data())
def test_a_proof_that_was_changed_shortened_or_lengthened_does_not_verify(leaves, data):
    tree = Tree(leaves)
    leaf = data.draw(st.sampled_from(leaves))
    proof = tree.proof(leaf)
    assert not verify(leaf, (*proof, data.draw(st.binary(min_size=32, max_size=32))), tree.root)
    bit = 1 << data.draw(st.integers(0, 255))
    other = (int.from_bytes(leaf, "big") ^ bit).to_bytes(32, "big")
    assert not verify(other, proof, tree.root)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        changed = (int.from_bytes(proof[at], "big") ^ bit).to_bytes(32, "big")
        assert not verify(leaf, (*proof[:at], changed, *proof[at + 1 :]), tree.root)
        assert not verify(leaf, (*proof[:at], *proof[at + 1 :]), tree.root)


def test_what_is_not_in_the_tree_has_no_proof():
    tree = Tree([keccak(b"one"), keccak(b"two")])
    assert tree.proof(keccak(b"one")) == (keccak(b"two"),)
    assert keccak(b"three") not in tree
    with pytest.raises(NotInTree) as refusal:
        tree.proof(keccak(b"three"))
    assert refusal.value.leaf == keccak(b"three")


def test_the_same_leaf_twice_is_proved_as_often_as_it_stands_there():
    tree = Tree([keccak(b"one"), keccak(b"one"), keccak(b"two")])
    assert verify(keccak(b"one"), tree.proof(keccak(b"one")), tree.root)
    assert tree.root != Tree([keccak(b"one"), keccak(b"two")]).root
