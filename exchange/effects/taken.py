"""What became of an order that was handed in."""

from dataclasses import dataclass

from exchange.errors import ExchangeRefused
from exchange.events import OrderAccepted
from exchange.session import SessionState
from identity.errors import IdentityRefused


@dataclass(frozen=True, slots=True)
class Taken:
    """The exchange holds the order; `new` says that it did not before, `state` how far its session has come."""

    accepted: OrderAccepted
    new: bool
    state: SessionState = SessionState.OPEN


Result = Taken | ExchangeRefused | IdentityRefused
"""What became of an order that was handed in."""
