"""What makes a local exchange fit to play with."""

import pytest

from app.community import read_community
from app.founding import member_key
from app.play import StandingUtility, write_member_keys
from exchange.units import Wh
from identity.effects.keystore import read_key
from identity.signature import address_of
from tests.e2e.day import NEXT, PERIOD_SECONDS, VILLAGE, rebuilt


@pytest.fixture(scope="module")
def exchange(played, tmp_path_factory):
    with rebuilt(played.copy(tmp_path_factory.mktemp("play") / "day"), NEXT - 3_000) as exchange:
        yield exchange


def sessions(exchange):
    return exchange.house.desk.look(
        lambda market, _: {key.delivery_start: len(s.orders) for key, s in market.sessions.items() if s.cleared is None}
    )


def test_the_utility_stands_in_every_session_whose_gate_is_open(exchange):
    utility = read_community(VILLAGE).utility
    standing = StandingUtility(exchange.house.desk, exchange.founded, utility)
    now = exchange.clock()
    opened = list(exchange.founded.parameters.spot.open_deliveries(now))
    assert len(opened) > 2
    standing.trade(now)
    assert sessions(exchange) == dict.fromkeys(opened, 2)
    standing.trade(now)
    StandingUtility(exchange.house.desk, exchange.founded, utility).trade(now)
    assert sessions(exchange) == dict.fromkeys(opened, 2), "once more is harmless, after a restart as well"
    later = now + PERIOD_SECONDS
    exchange.clock.set(later)
    standing.trade(later)
    assert len(sessions(exchange)) == len(opened) + 1
    orders = exchange.house.desk.look(
        lambda market, _: [accepted.signed.order for accepted in market.sessions[max(market.sessions)].orders.values()]
    )
    assert {order.energy for order in orders} == {Wh(utility.capacity_wh)}


def test_the_keys_of_members_are_written_for_their_owner_only(exchange, tmp_path):
    folder = tmp_path / "keys"
    write_member_keys(folder, exchange.founded)
    write_member_keys(folder, exchange.founded)
    members = [member for member in exchange.founded.members if member.assets]
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{member.name}.key" for member in members)
    for member in members:
        key = read_key(folder / f"{member.name}.key")
        assert (key, address_of(key)) == (member_key(member.name), member.holder)
