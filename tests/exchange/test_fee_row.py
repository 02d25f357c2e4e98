"""The row of what nodes take of a trade: its words, its name, and its place in a batch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.fee_row import MOST_FEE, FeeRow, rows_of
from exchange.tree import FeeShare
from identity.hashing import keccak
from tests.strategies import fee_row, fee_rows, one_fee


@given(fee_rows())
def test_a_row_is_read_back_from_its_words(row):
    words = row.words()
    shares = tuple(FeeShare(word >> 48 & 0xFFFF_FFFF, word & (1 << 48) - 1) for word in words)
    tops = [word >> 80 & 1 for word in words]
    assert FeeRow(shares, shares[tops.index(1)].node) == row
    assert sum(tops) == 1
    assert [word >> 81 for word in words] == [0] * (len(words) - 1) + [1]


def test_the_words_lie_as_the_contract_reads_them():
    assert fee_row(3, (2, 5), (3, 0), (9, MOST_FEE)).words() == (
        0x0_0000_0002_0000_0000_0005,
        0x1_0000_0003_0000_0000_0000,
        0x2_0000_0009_FFFF_FFFF_FFFF,
    )
    assert one_fee(7, 1).words() == (0x3_0000_0007_0000_0000_0001,)


@given(fee_rows())
def test_the_name_of_a_row_is_the_hash_of_its_words(row):
    assert row.name == keccak(b"".join(word.to_bytes(32, "big") for word in row.words()))


@given(fee_rows(), fee_rows())
def test_rows_with_one_name_are_one_row(one, other):
    assert (one.name == other.name) == (one == other) == (one.key == other.key)


@given(fee_rows())
def test_what_is_taken_before_the_top_and_from_there_on_is_all(row):
    at = [share.node for share in row.shares].index(row.top)
    assert row.before_top == sum(share.rate for share in row.shares[:at])
    assert row.rate == row.before_top + sum(share.rate for share in row.shares[at:])


@given(st.lists(fee_rows(), max_size=6), st.randoms())
def test_rows_have_one_place_each_in_whatever_order_they_come(rows, random):
    placed = rows_of(rows)
    assert sorted(placed.values()) == list(range(len(set(rows))))
    assert sorted(placed, key=placed.__getitem__) == sorted(set(rows), key=lambda row: row.key)
    mixed = rows * 2
    random.shuffle(mixed)
    assert rows_of(mixed) == placed


@pytest.mark.parametrize(
    ("shares", "top", "why"),
    [
        ([], 1, "top"),
        ([(1, 5)], 2, "top"),
        ([(1, 5), (1, 6)], 1, "once"),
        ([(1, 5), (2, 0)], 1, "left out"),
        ([(0, 5)], 0, "32"),
        ([(1 << 32, 5)], 1 << 32, "32"),
        ([(1, -1)], 1, "48"),
        ([(1, MOST_FEE + 1)], 1, "48"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(shares, top, why):
    with pytest.raises(ValueError, match=why):
        fee_row(top, *shares)


def test_a_top_that_takes_nothing_stands_there_all_the_same():
    assert fee_row(1, (2, 3), (1, 0)).rate == 3
