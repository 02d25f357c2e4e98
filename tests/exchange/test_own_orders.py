"""An account's open orders: the best of each home is found, however orders come and go."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.order import Side
from exchange.own_orders import OwnOrders
from exchange.units import MicroPerKwh
from tests.exchange import street
from tests.exchange.trees import communities

HOMES = [(1, ""), (1, "house"), (2, ""), (2, "barn"), (3, "")]


def crosses(order, home, tree, standing):
    """Say, by looking at every order, whether one at another home could trade with this one."""
    for other, at in standing.values():
        if other.side is not order.side and at != home:
            bid, offer = (order, other) if order.side is Side.BID else (other, order)
            seller, buyer = (at[0], home[0]) if order.side is Side.BID else (home[0], at[0])
            if offer.limit + tree.fee(seller, buyer, offer.limit) <= bid.limit:
                return True
    return False


@given(
    st.lists(
        st.tuples(st.sampled_from(Side), st.sampled_from(HOMES), st.integers(-5, 5), st.booleans(), st.integers(0, 9)),
        max_size=40,
    ),
    st.lists(st.integers(0, 3), min_size=3, max_size=3),
)
def test_a_crossing_is_found_exactly_where_looking_at_every_order_finds_one(happenings, charges):
    own, standing, tree = OwnOrders(), {}, communities(*charges)
    for number, (side, home, limit, goes, which) in enumerate(happenings):
        order = street.order(side=side, limit=MicroPerKwh(limit), salt=number)
        found = own.crossing(order, home, tree)
        assert (found is not None) is crosses(order, home, tree, standing)
        if found is not None:
            assert crosses(order, home, tree, {found: standing[found]})
        if goes and standing:
            name = sorted(standing)[which % len(standing)]
            gone, at = standing.pop(name)
            own.remove(gone, name, at)
        else:
            digest = order.digest(street.SEPARATOR)
            own.add(order, digest, home)
            standing[digest] = order, home
        assert bool(own) is bool(standing)
