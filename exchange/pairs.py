"""What a mechanism sees of the trades of a node: who meets whom in merit order is settled, the rate is not."""

from dataclasses import dataclass

from exchange.auction import Column


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Trades as columns, in merit order within ascending nodes; all rates as they are at the node (µ/kWh).

    `bid` and `offer` are the limits of the two orders, `price` is the node's competitive rate, the same for all of it.
    """

    bid: Column
    offer: Column
    price: Column
