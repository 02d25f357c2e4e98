"""The fee rows of a batch as the words that travel, and back. One batch has one list of words; every other is refused.

Rows stand one after the other, each as `exchange/fee_row.py` says, distinct and in the order of their key. A trade
names its row by its place.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from exchange.fee_row import FeeRow
from exchange.tree import FeeShare
from exchange.units import MicroPerKwh
from settlement.errors import CalldataMalformed

MAX_ROWS = 128
"""The most rows that one call holds: the contract's bound."""

MAX_NODES = 31
"""The most nodes that one row holds: up and down a tree of 16 levels."""

_LAST, _TOP = 81, 80
_NODE, _RATE = (1 << 32) - 1, (1 << 48) - 1


def words_of(rows: Iterable[FeeRow]) -> tuple[int, ...]:
    """Return rows as words, one after the other."""
    return tuple(word for row in rows for word in row.words())


def rows_in(words: Sequence[int]) -> tuple[FeeRow, ...]:
    """Return the rows that stand in some words; raises `CalldataMalformed` unless they are rows in their order."""
    rows: list[FeeRow] = []
    begin = 0
    for end, word in enumerate(words, start=1):
        if word >> _LAST + 1:
            raise CalldataMalformed("a word of a fee row has bits above its fields")
        if word >> _LAST:
            rows.append(_row(words[begin:end]))
            begin = end
    if begin != len(words):
        raise CalldataMalformed("the last fee row does not end")
    if len(rows) > MAX_ROWS:
        raise CalldataMalformed(f"there are {len(rows)} fee rows where at most {MAX_ROWS} fit")
    keys = [row.key for row in rows]
    if any(key >= following for key, following in pairwise(keys)):
        raise CalldataMalformed("fee rows do not ascend")
    return tuple(rows)


def row_count(words: Iterable[int]) -> int:
    """Return how many rows end in some words."""
    return sum(word >> _LAST & 1 for word in words)


def nodes_in(words: Iterable[int]) -> set[int]:
    """Return the nodes that some words name."""
    return {word >> 48 & _NODE for word in words}


def _row(words: Sequence[int]) -> FeeRow:
    if len(words) > MAX_NODES:
        raise CalldataMalformed(f"a fee row names {len(words)} nodes where at most {MAX_NODES} fit")
    tops = [word >> 48 & _NODE for word in words if word >> _TOP & 1]
    if len(tops) != 1:
        raise CalldataMalformed(f"a fee row has {len(tops)} tops")
    try:
        return FeeRow(tuple(FeeShare(word >> 48 & _NODE, MicroPerKwh(word & _RATE)) for word in words), tops[0])
    except ValueError as error:
        raise CalldataMalformed(f"a fee row is none: {error}") from error
