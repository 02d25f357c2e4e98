"""Leaves, trees and charges as values: what no field can hold is refused, and what is sealed stays so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.units import MicroPerKwh, Nano, Wh
from settlement.claim_tree import (
    ESTIMATED,
    MAX_LEAVES,
    Charge,
    ClaimLeaf,
    ClaimTree,
    claim_session,
    read_entry,
    salt_of,
)
from settlement.errors import NotInTree
from settlement.merkle import verify

SESSION = claim_session(7, 1_800_000_000)
SECRET = bytes(range(32))


def leaf(asset: int = 1, **changes) -> ClaimLeaf:
    fields = {"asset": asset, "account": 9, "net": Wh(-300), "contracted": Wh(-200), "version": 1}
    return ClaimLeaf(**(fields | {"salt": salt_of(SECRET, SESSION, asset)} | changes))


def test_a_session_of_imbalance_has_product_zero():
    assert (SESSION >> 48, SESSION >> 40 & 0xFF, SESSION & (1 << 40) - 1) == (7, 0, 1_800_000_000)


def test_a_deviation_is_what_was_metered_less_what_was_contracted():
    assert leaf().deviation == -100


def test_a_salt_is_of_one_session_and_asset():
    salts = {salt_of(SECRET, SESSION, 1), salt_of(SECRET, SESSION, 2), salt_of(SECRET, SESSION + 900, 1)}
    assert len(salts | {salt_of(bytes(32), SESSION, 1)}) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"asset": 0},
        {"asset": 1 << 32},
        {"account": 0},
        {"account": 1 << 32},
        {"net": Wh(1 << 63)},
        {"net": Wh((1 << 63) - 1), "contracted": Wh(-1)},
        {"version": -1},
        {"version": 1 << 64},
        {"salt": b""},
    ],
)
def test_what_fits_no_field_is_no_leaf(changes):
    assert leaf(version=ESTIMATED).version == ESTIMATED
    with pytest.raises(ValueError, match=r"numbered|64 bits"):
        leaf(**changes)


@given(assets=st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=40, unique=True))
def test_every_leaf_has_a_proof(assets):
    tree = ClaimTree(SESSION, [leaf(asset) for asset in assets])
    assert all(verify(each.hash(SESSION), tree.proof(each), tree.root) for each in tree.leaves)
    with pytest.raises(NotInTree):
        tree.proof(leaf(assets[0], net=Wh(5)))


def test_leaves_in_another_order_are_the_same_tree():
    leaves = [leaf(asset) for asset in range(1, 9)]
    assert ClaimTree(SESSION, leaves).root == ClaimTree(SESSION, reversed(leaves)).root


@pytest.mark.parametrize(
    ("assets", "reason"),
    [([], "1 to"), ([1, 1], "one leaf"), (range(1, MAX_LEAVES + 2), "1 to")],
)
def test_a_claim_is_of_some_assets_once_each(assets, reason):
    with pytest.raises(ValueError, match=reason):
        ClaimTree(SESSION, [leaf(asset) for asset in assets])


def test_only_what_is_charged_is_opened():
    mine, other = leaf(1), leaf(2)
    nodes, words = ClaimTree(SESSION, [mine, other]).opened([Charge(mine, Nano(-5))])
    assert set(nodes) == {mine.sealed, other.hash(SESSION)}
    assert len(words) == 1


def test_a_charge_is_of_one_leaf_of_the_tree():
    mine = leaf(1)
    tree = ClaimTree(SESSION, [mine])
    for charges in ([Charge(leaf(2), Nano(-5))], [Charge(mine, Nano(-5))] * 2):
        with pytest.raises(ValueError, match="a leaf of the tree"):
            tree.opened(charges)


def test_a_charge_has_a_bound_on_either_side():
    short, long = MicroPerKwh(10), MicroPerKwh(3)
    for nano, bounded in ((0, True), (-1_000, True), (-1_001, False), (1, False)):
        assert Charge(leaf(), Nano(nano)).is_bounded(short, long) is bounded
    with pytest.raises(ValueError, match="96 bits"):
        Charge(leaf(), Nano(1 << 95))


@given(account=st.integers(0, 2**32 - 1), nano=st.integers(-(2**95), 2**95 - 1))
def test_an_entry_is_read_as_it_was_written(account, nano):
    assert read_entry(account << 96 | nano % 2**96) == (account, nano)
