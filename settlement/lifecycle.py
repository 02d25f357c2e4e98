"""The states of a batch on its way to the chain, as one table. What is not listed cannot happen.

    sealed -> submitted -> mined -> final
       |          |  ^______|________|
       |          v
       +------> refused

A batch that the contract refuses, in a simulation or in a block, is refused until an operator tries again. A final
batch stays so, unless a reorganisation goes deeper than the confirmations that were taken for enough.
"""

from enum import Enum


class State(Enum):
    """How far a batch has come."""

    SEALED = "sealed"
    SUBMITTED = "submitted"
    MINED = "mined"
    FINAL = "final"
    REFUSED = "refused"


class Step(Enum):
    """What can happen to a batch."""

    SENT = "sent"
    MINED = "mined"
    REORGED = "reorged"
    DEEP_ENOUGH = "deep-enough"
    REVERTED = "reverted"
    TRIED_AGAIN = "tried-again"


_NEXT = {
    (State.SEALED, Step.SENT): State.SUBMITTED,
    (State.SEALED, Step.REVERTED): State.REFUSED,  # in a simulation, or over the gas cap: nothing was sent
    (State.SUBMITTED, Step.SENT): State.SUBMITTED,  # sending twice is harmless
    (State.SUBMITTED, Step.MINED): State.MINED,
    (State.SUBMITTED, Step.REVERTED): State.REFUSED,
    (State.MINED, Step.REORGED): State.SUBMITTED,
    (State.MINED, Step.DEEP_ENOUGH): State.FINAL,
    (State.FINAL, Step.REORGED): State.SUBMITTED,  # deeper than deep enough: reported, and sent again
    (State.REFUSED, Step.REORGED): State.SUBMITTED,  # the block that refused it is gone
    (State.REFUSED, Step.TRIED_AGAIN): State.SEALED,
}


def follows(state: State, step: Step) -> bool:
    """Whether `step` can happen in `state`."""
    return (state, step) in _NEXT


def after(state: State, step: Step) -> State:
    """Return the state after `step`; a step that cannot happen is a bug of the caller."""
    assert (state, step) in _NEXT, f"a batch that is {state.value} cannot be {step.value}"
    return _NEXT[state, step]
