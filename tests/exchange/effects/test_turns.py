"""What comes to a loop together is decided on together; nobody waits for more than his own turn."""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from exchange.effects.turns import Turns
from exchange.errors import JournalBroken


class Counter:
    """Doubles every number, notes what was asked together, and says when it is durable."""

    def __init__(self) -> None:
        self.turns = []
        self.threads = set()
        self.durable = []
        self.at_once = True
        self.fail = None

    def __call__(self, asked):
        self.turns.append(list(asked))
        self.threads.add(threading.current_thread().name)
        if self.fail is not None:
            raise self.fail
        durable = Future()
        self.durable.append(durable)
        if self.at_once:
            durable.set_result(len(self.turns))
        return [2 * number for number in asked], durable


@pytest.fixture
def counter():
    return Counter()


@pytest.fixture
def turns(counter):
    with ThreadPoolExecutor(1, thread_name_prefix="elsewhere") as elsewhere:
        yield Turns(counter, elsewhere, many=8, enough=20)


def asked_at_once(turns, *questions):
    async def everybody():
        return await asyncio.gather(*(turns.answers(numbers) for numbers in questions), return_exceptions=True)

    return asyncio.run(everybody())


def test_who_comes_at_once_is_decided_on_at_once(turns, counter):
    assert asked_at_once(turns, [1], [2, 3], []) == [[2], [4, 6], []]
    assert counter.turns == [[1, 2, 3]]
    assert counter.threads == {"MainThread"}


def test_many_are_decided_on_in_another_thread(turns, counter):
    assert asked_at_once(turns, list(range(8))) == [list(range(0, 16, 2))]
    assert counter.threads == {"elsewhere_0"}


def test_a_turn_ends_when_there_is_enough_and_nobody_is_split(turns, counter):
    questions = [[number] * 9 for number in range(5)]
    assert asked_at_once(turns, *questions) == [[2 * number] * 9 for number in range(5)]
    assert [len(turn) for turn in counter.turns] == [27, 18]


def test_the_next_turn_is_decided_on_before_the_last_is_durable(turns, counter):
    counter.at_once = False

    async def two_turns():
        first = asyncio.create_task(turns.answers([1]))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(turns.answers([2]))
        await asyncio.sleep(0.01)
        assert counter.turns == [[1], [2]]
        assert not first.done()
        counter.durable[0].set_result(1)
        assert await first == [2]
        assert not second.done()
        counter.durable[1].set_result(2)
        return await second

    assert asyncio.run(two_turns()) == [4]


def test_a_refusal_is_told_to_everybody_of_its_turn_and_to_nobody_else(turns, counter):
    counter.fail = JournalBroken("the disk is full")
    first, second = asked_at_once(turns, [1], [2])
    assert first is second is counter.fail
    counter.fail = None
    assert asked_at_once(turns, [3]) == [[6]]


def test_what_does_not_become_durable_is_not_answered(turns, counter):
    counter.at_once = False

    async def broken():
        waiting = asyncio.create_task(turns.answers([1]))
        await asyncio.sleep(0.01)
        counter.durable[0].set_exception(JournalBroken("the disk is full"))
        await waiting

    with pytest.raises(JournalBroken):
        asyncio.run(broken())


def test_who_leaves_harms_nobody(turns):
    async def one_leaves():
        leaving = asyncio.create_task(turns.answers([1]))
        staying = asyncio.create_task(turns.answers([2]))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert asyncio.run(one_leaves()) == [4]
