"""A session's states: what is listed follows, and nothing else can happen."""

import itertools

import pytest

from exchange.session import SessionState, Step, after, follows

LISTED = {
    (SessionState.OPEN, Step.ORDER): SessionState.OPEN,
    (SessionState.OPEN, Step.CANCEL): SessionState.OPEN,
    (SessionState.OPEN, Step.TICK): SessionState.OPEN,
    (SessionState.OPEN, Step.CLOSE): SessionState.CLOSED,
    (SessionState.CLOSED, Step.PROPOSE): SessionState.CLOSED,
    (SessionState.CLOSED, Step.CLEAR): SessionState.CLEARED,
    (SessionState.CLEARED, Step.SETTLE): SessionState.SETTLED,
}
EVERYTHING = list(itertools.product(SessionState, Step))


@pytest.mark.parametrize(("state", "step"), [pair for pair in EVERYTHING if pair in LISTED])
def test_a_listed_step_leads_to_the_next_state(state, step):
    assert follows(state, step)
    assert after(state, step) is LISTED[state, step]


@pytest.mark.parametrize(("state", "step"), [pair for pair in EVERYTHING if pair not in LISTED])
def test_what_is_not_listed_cannot_happen(state, step):
    assert not follows(state, step)
    with pytest.raises(AssertionError, match=f"a session that is {state.value} cannot {step.value}"):
        after(state, step)
