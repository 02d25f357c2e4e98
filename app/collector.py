"""Keeps Python's collector of cycles away from the book.

An exchange holds millions of small values that live long and form no cycles. The collector would walk over all of them
each time their number has grown by a quarter: a pause of a second for a million orders, while nobody is answered.
"""

import gc

_YOUNG, _MIDDLE, _OLD = 10_000, 10, 1_000


def spare_the_book() -> None:
    """Leave what lives now alone for good, and look for cycles among young values only, as good as always.

    To be called when the state was replayed. What forms no cycle is freed at once all the same.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
