"""A batch as an outbox keeps it: what of it an auditor or a reconciliation reads."""

from typing import Protocol

from settlement.lifecycle import State


class KeptBatch(Protocol):
    """What was sealed, in the bytes that were sent, and how far it has come. Read only."""

    @property
    def session(self) -> int:
        """The session's number."""

    @property
    def part(self) -> int:
        """Which part of the session, from 0."""

    @property
    def parts(self) -> int:
        """How many parts the session has."""

    @property
    def order_root(self) -> bytes:
        """Root over all admitted orders of the session."""

    @property
    def trade_root(self) -> bytes:
        """Root over the trades of this part."""

    @property
    def parameters(self) -> bytes:
        """Hash of the parameters."""

    @property
    def calldata(self) -> bytes:
        """The call of `settle`."""

    @property
    def state(self) -> State:
        """How far it has come."""
