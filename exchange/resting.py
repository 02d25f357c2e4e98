"""An order as the clearing sees it, and its priority: rate, then sequence number, then digest."""

from dataclasses import dataclass

from exchange.order import Order, Side
from exchange.preferences import Preferences
from exchange.units import Wh
from identity.address import Address
from identity.claim_data import EnergyType

NOBODY = Address(bytes(20))


@dataclass(frozen=True, slots=True)
class Resting:
    """An admitted order that still stands when a session is cleared.

    `digest` is its name, `sequence` the number of its receipt; `account` is who trades, and orders of one account at
    one `node` with the same `home` share that home's own energy. `holder` and `energy_type` are what the `preferences`
    of others are held against. `left` is what earlier ticks of the session have left of it, if there were any.
    """

    order: Order
    digest: bytes
    sequence: int
    account: int
    home: str
    node: int
    holder: Address = NOBODY
    energy_type: EnergyType = EnergyType.NONE
    preferences: Preferences | None = None
    left: Wh | None = None

    @property
    def energy(self) -> Wh:
        """What of it is still to be matched."""
        return self.order.energy if self.left is None else self.left

    @property
    def arrival(self) -> tuple[int, bytes]:
        """When it came, as a key for sorting: no two orders share a digest."""
        return self.sequence, self.digest

    @property
    def merit(self) -> tuple[int, int, bytes]:
        """How good it is for the other side, best first, as a key for sorting one side."""
        limit = self.order.limit
        return -limit if self.order.side is Side.BID else limit, self.sequence, self.digest
