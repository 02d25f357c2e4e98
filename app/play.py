"""What makes an exchange on a local chain fit to play with: key files of its members, and a utility that trades.

Only ever for a chain in this process: these keys are public.
"""

from pathlib import Path

from app.community import Utility
from app.founding import Founded, Keys, member_key
from exchange.agents import Alternative, supply, take_up
from exchange.effects.desk import Desk
from exchange.order import SignedOrder
from exchange.units import MicroPerKwh, Wh
from identity.signature import address_of, sign


def write_member_keys(folder: Path, founded: Founded) -> None:
    """Write the key of every made-up member to its own file, for `examples/place_order.py` and the like."""
    folder.mkdir(exist_ok=True)
    for member in founded.members:
        if member.assets and member.holder == address_of(member_key(member.name)):
            path = folder / f"{member.name}.key"
            path.touch(mode=0o600)
            path.write_text("0x" + member_key(member.name).hex() + "\n")


def write_duty_keys(folder: Path, keys: Keys) -> None:
    """Write the public keys of those who certify, answer for the community and run the grid, each to its own file."""
    folder.mkdir(exist_ok=True)
    for duty in ("certifier", "community", "grid_operator", "admin"):
        path = folder / f"{duty.replace('_', '-')}.key"
        path.touch(mode=0o600)
        path.write_text("0x" + getattr(keys, duty).hex() + "\n")


class StandingUtility:
    """Keeps the utility's two orders in every session whose gate is open, so that a single home finds a match."""

    def __init__(self, desk: Desk, founded: Founded, utility: Utility) -> None:
        self._desk = desk
        self._founded = founded
        self._utility = utility
        self._offered: set[int] = set()

    def trade(self, now: int) -> None:
        """Hand in what is missing at `now`; what was handed in before stays as it is."""
        parameters = self._founded.parameters
        terms, separator = parameters.spot, parameters.domain.separator()
        opened = set(terms.open_deliveries(now))
        member, key = self._founded.member(self._utility.name), member_key(self._utility.name)
        outside = Alternative(
            sell=MicroPerKwh(self._utility.sell_micro_per_kwh), buy=MicroPerKwh(self._utility.buy_micro_per_kwh)
        )
        node, capacity = parameters.node_of(member.assets["sell"].identity), Wh(self._utility.capacity_wh)
        missing = sorted(opened - self._offered)
        trees = self._desk.look(
            lambda market, _: [market.rulebook.rules(terms.session(start)).tree for start in missing]
        )
        for start, tree in zip(missing, trees, strict=True):
            alternative = outside.seen_from_outside(node, tree)
            orders = [
                supply(member.assets["sell"].identity, capacity, terms, start, alternative, salt=0),
                take_up(member.assets["buy"].identity, capacity, terms, start, alternative, salt=0),
            ]
            self._desk.submit([SignedOrder(order, sign(order.digest(separator), key)) for order in orders])
        self._offered = opened
