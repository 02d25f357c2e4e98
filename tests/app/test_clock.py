"""Clocks: the machine's, and one that stands until it is set."""

import time

import pytest

from app.clock import SetClock, WallClock


def test_the_wall_clock_tells_whole_seconds():
    before = int(time.time())
    now = WallClock()()
    assert isinstance(now, int)
    assert before <= now <= int(time.time())


def test_a_set_clock_stands_until_it_is_set():
    clock = SetClock(100)
    assert (clock(), clock()) == (100, 100)
    clock.set(100)
    clock.set(160)
    assert clock() == 160


def test_a_set_clock_does_not_go_backwards():
    clock = SetClock(100)
    with pytest.raises(ValueError, match="shows 100, which is after 99"):
        clock.set(99)
    assert clock() == 100
