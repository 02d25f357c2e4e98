"""The states of a session, as one table. What is not listed cannot happen."""

from enum import Enum


class SessionState(Enum):
    """How far a session has come. A session nobody has ordered in does not exist."""

    OPEN = "open"
    CLOSED = "closed"
    CLEARED = "cleared"
    SETTLED = "settled"

    __hash__ = object.__hash__  # an enumeration's own is slow, and the table is looked into for every order


class Step(Enum):
    """What can happen to a session."""

    ORDER = "order"
    CANCEL = "cancel"
    TICK = "tick"
    CLOSE = "close"
    PROPOSE = "propose"
    CLEAR = "clear"
    SETTLE = "settle"

    __hash__ = object.__hash__


_NEXT = {
    (SessionState.OPEN, Step.ORDER): SessionState.OPEN,
    (SessionState.OPEN, Step.CANCEL): SessionState.OPEN,
    (SessionState.OPEN, Step.TICK): SessionState.OPEN,
    (SessionState.OPEN, Step.CLOSE): SessionState.CLOSED,
    (SessionState.CLOSED, Step.PROPOSE): SessionState.CLOSED,
    (SessionState.CLOSED, Step.CLEAR): SessionState.CLEARED,
    (SessionState.CLEARED, Step.SETTLE): SessionState.SETTLED,
}


def follows(state: SessionState, step: Step) -> bool:
    """Whether `step` can happen in `state`."""
    return (state, step) in _NEXT


def after(state: SessionState, step: Step) -> SessionState:
    """Return the state after `step`; a step that cannot happen is a bug of the caller."""
    assert (state, step) in _NEXT, f"a session that is {state.value} cannot {step.value}"
    return _NEXT[state, step]
