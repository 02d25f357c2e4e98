"""Every step of a batch: those listed lead on, and no other can happen."""

from itertools import product

import pytest

from settlement.lifecycle import State, Step, after, follows

LISTED = {
    (State.SEALED, Step.SENT): State.SUBMITTED,
    (State.SEALED, Step.REVERTED): State.REFUSED,
    (State.SUBMITTED, Step.SENT): State.SUBMITTED,
    (State.SUBMITTED, Step.MINED): State.MINED,
    (State.SUBMITTED, Step.REVERTED): State.REFUSED,
    (State.MINED, Step.REORGED): State.SUBMITTED,
    (State.MINED, Step.DEEP_ENOUGH): State.FINAL,
    (State.FINAL, Step.REORGED): State.SUBMITTED,
    (State.REFUSED, Step.REORGED): State.SUBMITTED,
    (State.REFUSED, Step.TRIED_AGAIN): State.SEALED,
}


@pytest.mark.parametrize(("state", "step"), LISTED, ids=lambda value: value.value)
def test_a_listed_step_leads_on(state, step):
    assert follows(state, step)
    assert after(state, step) is LISTED[state, step]


@pytest.mark.parametrize(
    ("state", "step"), [pair for pair in product(State, Step) if pair not in LISTED], ids=lambda value: value.value
)
def test_a_step_that_is_not_listed_cannot_happen(state, step):
    assert not follows(state, step)
    with pytest.raises(AssertionError, match="cannot be"):
        after(state, step)


def test_what_is_final_stays_so_unless_its_block_is_gone():
    assert [step for step in Step if follows(State.FINAL, step)] == [Step.REORGED]


def test_every_state_is_reached_from_sealed():
    reached = {State.SEALED}
    for _ in State:
        reached |= {LISTED[state, step] for state, step in LISTED if state in reached}
    assert reached == set(State)
