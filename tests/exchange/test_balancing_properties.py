"""What holds of balancing whatever is offered and needed: merit, limits, conservation, headroom, and nothing lost."""

from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.balancing_agents import BalancingMarkets, NodeAgent, load, power_plant
from exchange.balancing_need import (
    NOTHING_WANTED,
    Fixed,
    ForecastErrorQuantile,
    Need,
    OperatorsCall,
    Seen,
    SpotFollowing,
    Wanted,
    followed,
)
from exchange.balancing_settings import BalancingSettings
from exchange.clear import clear
from exchange.delivery import Mechanism, Product, SessionKey
from exchange.explanation import why
from exchange.headroom import StoredEnergy, Use, headroom
from exchange.order import Side
from exchange.tree import Tree
from exchange.units import MILLION, MicroPerKwh, Wh, energy_at
from identity.claim_data import AssetKind, AssetProperties, EnergyType
from tests.exchange import balancing
from tests.exchange.trees import one_node
from tests.strategies import resting

UP, DOWN = (SessionKey(1, product, balancing.START) for product in (Product.BALANCING_UP, Product.BALANCING_DOWN))
NODES = [node.number for node in balancing.TREE.nodes]
both = pytest.mark.parametrize("session", [UP, DOWN], ids=["up", "down"])
few = settings(max_examples=40)


def cleared(orders, session, tree=balancing.TREE):
    return clear(orders, session=session, tree=tree, mechanism=Mechanism.PAY_AS_OFFER)


def book(rows, session):
    """Return orders from rows of (side, limit, energy, account, node)."""
    return [
        resting(side, limit, energy, sequence=place, account=account, session=session, node=node)
        for place, (side, limit, energy, account, node) in enumerate(rows, 1)
    ]


def rows(nodes):
    return st.lists(
        st.tuples(
            st.sampled_from(Side),
            st.integers(-3, 3).map(lambda rate: rate * 500),
            st.integers(1, 700),
            st.integers(1, 5),
            st.sampled_from(nodes),
        ),
        max_size=12,
    )


def swapped(tree: Tree) -> Tree:
    nodes = (replace(node, import_limit=node.export_limit, export_limit=node.import_limit) for node in tree.nodes)
    return Tree(tuple(nodes))


@both
@few
@given(listed=rows([1]), fee=st.integers(0, 900))
def test_the_cheapest_offers_are_taken_first_and_paid_what_they_ask(session, listed, fee):
    # one account a side, so that nobody stands in his own way
    orders = book([(side, limit, wh, 1 + side, node) for side, limit, wh, _, node in listed], session)
    clearing = cleared(orders, session, one_node(fee, 1))
    offers = {order.digest: order.order for order in orders if order.order.side is Side.OFFER}
    filled = {digest: sum(trade.energy for trade in clearing.trades if trade.offer == digest) for digest in offers}
    taken = [offers[digest].limit for digest, energy in filled.items() if energy]
    left = [offer.limit for digest, offer in offers.items() if filled[digest] < offer.energy]
    assert all(first <= second for first in taken for second in left)
    for trade in clearing.trades:
        assert trade.rate == offers[trade.offer].limit
        assert trade.fee == trade.energy * fee


@both
@few
@given(listed=rows(NODES))
def test_energy_and_money_are_conserved_within_orders_needs_and_limits(session, listed):
    orders = book(listed, session)
    clearing = cleared(orders, session)
    by_digest = {order.digest: order for order in orders}
    filled = dict.fromkeys(by_digest, 0)
    flows: dict[int, list[int]] = {number: [0, 0] for number in NODES}
    for trade in clearing.trades:
        bid, offer = by_digest[trade.bid], by_digest[trade.offer]
        assert bid.account != offer.account
        assert trade.cost == trade.value + sum(trade.energy * share.rate for share in trade.fees.shares)
        assert trade.rate + trade.fee_rate <= bid.order.limit
        filled[trade.bid] += trade.energy
        filled[trade.offer] += trade.energy
        giver, taker = (offer, bid) if session is UP else (bid, offer)  # which way the energy flows
        for way, end in enumerate((taker, giver)):
            for number in balancing.TREE.way_up(end.node):
                if number == trade.fees.top:
                    break
                flows[number][way] += trade.energy
    assert not clearing.own_uses
    assert all(energy <= by_digest[digest].order.energy for digest, energy in filled.items())
    for node in balancing.TREE.nodes:
        result = next((each for each in clearing.nodes if each.node == node.number), None)
        assert flows[node.number] == [0, 0] if result is None else [result.imported, result.exported]
        for flow, limit in zip(flows[node.number], (node.import_limit, node.export_limit), strict=True):
            assert limit is None or node.parent is None or flow <= limit


@few
@given(listed=rows(NODES))
def test_down_is_up_with_the_energy_turned_round(listed):
    up, down = cleared(book(listed, UP), UP), cleared(book(listed, DOWN), DOWN, swapped(balancing.TREE))
    shown = [
        sorted((trade.energy, trade.rate, trade.fees.rate, trade.fees.top) for trade in clearing.trades)
        for clearing in (up, down)
    ]
    assert shown[0] == shown[1]


@pytest.mark.parametrize(("session", "most"), [(UP, 400), (DOWN, 900)])
def test_a_provider_behind_a_limit_gives_what_leaves_and_takes_what_enters(session, most):
    """East lets 900 Wh in and 400 Wh out: its battery discharges into the feeder, or charges from it."""
    offer = resting(Side.OFFER, 0, 5_000, sequence=1, session=session, node=balancing.EAST)
    bid = resting(Side.BID, 9_000, 5_000, sequence=2, session=session, node=balancing.FEEDER)
    clearing = cleared([offer, bid], session)
    assert clearing.energy == most
    ((held,), (east, feeder)) = clearing.held, sorted(clearing.nodes, key=lambda node: -node.node)
    assert (held.node, held.energy) == (balancing.EAST, 5_000 - most)
    assert (east.exported, east.imported) == ((most, 0) if session is UP else (0, most))
    assert feeder.energy == most
    way = "out of" if session is UP else "into"
    for end, energy in ((offer, 5_000), (bid, 5_000)):
        explained = why(end, clearing, balancing.TREE, mechanism=Mechanism.PAY_AS_OFFER)
        assert explained.filled == most < energy
    sentence = why(offer, clearing, balancing.TREE, mechanism=Mechanism.PAY_AS_OFFER).sentence
    assert f"{5_000 - most} Wh could not get {way} it, since the {most} Wh it lets through were used up" in sentence


STORAGE = AssetProperties(AssetKind.STORAGE, EnergyType.STORAGE, 4_000, 10_000)
SLOT = 900
MOST = energy_at(STORAGE.power_w, SLOT)


@few
@given(
    product=st.sampled_from([Product.BALANCING_UP, Product.BALANCING_DOWN]),
    used=st.integers(1_000, 10_000),
    agreed=st.lists(
        st.tuples(st.integers(-1_000, 1_000), st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=4
    ),
    place=st.integers(0, 3),
)
def test_headroom_is_the_most_that_breaks_no_bound_of_power_and_storage(product, used, agreed, place):
    uses = [Use(SLOT * at, net, Wh(up), Wh(down)) for at, (net, up, down) in enumerate(agreed)]
    slot = SLOT * (place % len(uses))
    stored = StoredEnergy(Wh(used), Wh(1_000), Wh(STORAGE.capacity_wh))
    room = headroom(product, STORAGE, SLOT, uses, slot, stored)

    def holds(more: int) -> bool:
        up, down = (more, 0) if product is Product.BALANCING_UP else (0, more)
        after = [
            use if use.start != slot else replace(use, up=Wh(use.up + up), down=Wh(use.down + down)) for use in uses
        ]
        now = next(use for use in after if use.start == slot)
        if up and now.net + now.up > MOST or down and now.net - now.down < -MOST:
            return False
        from_slot = [at for at, use in enumerate(after) if use.start >= slot]
        least = list(accumulate((-use.net - use.up for use in after), initial=used))[1:]
        most = list(accumulate((use.down - use.net for use in after), initial=used))[1:]
        if up:
            return all(least[at] >= stored.least for at in from_slot)
        return all(most[at] <= stored.capacity for at in from_slot)

    assert not room.energy or holds(room.energy)
    assert not holds(room.energy + 1)


@pytest.mark.parametrize("used", [(900, 1_000), (10_001, 0)])
def test_a_storage_below_its_least_or_above_its_capacity_is_none(used):
    with pytest.raises(ValueError, match="no less than must stay"):
        StoredEnergy(Wh(used[0]), Wh(used[1]), Wh(10_000))


@few
@given(
    trades=st.lists(st.integers(0, 9_999), max_size=8),
    ratio=st.integers(0, MILLION),
    got=st.integers(0, 100),
)
def test_nothing_that_was_wanted_is_lost(trades, ratio, got):
    carried, ordered, wanted = NOTHING_WANTED, 0, 0
    for energy in trades:
        new = SpotFollowing(ratio).wanted(Seen(followed=Wh(energy)))
        wanted += new.up
        whole = carried.plus(new)
        award = Need(*(Wh(each * got // 100) for each in whole.need))
        ordered += award.up
        carried = whole.less(award)
        assert carried.up >= 0
    assert wanted == ordered * MILLION + carried.up


def test_more_than_was_wanted_cannot_be_awarded():
    with pytest.raises(ValueError, match="more was awarded"):
        Wanted(MILLION, 0).less(Need(Wh(2), Wh(0)))


@few
@given(
    listed=rows(NODES),
    agents=st.lists(st.sampled_from(NODES), unique=True),
)
def test_each_spot_trade_is_followed_once_at_most_and_always_where_the_root_procures(listed, agents):
    spot = SessionKey(1, Product.SPOT, balancing.START)
    orders = book(listed, spot)
    clearing = clear(orders, session=spot, tree=balancing.TREE)
    nodes = {order.digest: order.node for order in orders}
    by_agent = followed(clearing, nodes, agents, balancing.TREE)
    assert sum(by_agent.values()) <= clearing.energy
    if balancing.FEEDER in agents:
        assert sum(by_agent.values()) == clearing.energy


def test_policies_behind_one_interface():
    seen = Seen(followed=Wh(1_000), errors=(-50, 10, 40, 120, -5), called=-70)
    assert SpotFollowing(200_000).wanted(seen).need == (200, 200)
    assert Fixed(Wh(5), Wh(7)).wanted(seen).need == (5, 7)
    assert OperatorsCall().wanted(seen).need == (0, 70)
    assert ForecastErrorQuantile(800_000).wanted(seen).need == (40, 5), "four of five: short 0 0 10 40, long 0 0 0 5"
    assert ForecastErrorQuantile(MILLION).wanted(seen).need == (120, 50)
    assert ForecastErrorQuantile(MILLION).wanted(Seen()).need == (0, 0)


def test_a_quantile_of_nothing_is_none():
    with pytest.raises(ValueError, match="a quantile"):
        ForecastErrorQuantile(0)


PLENTY = Need(Wh(1 << 40), Wh(1 << 40))


def test_loads_offer_to_be_shed_only_where_flexible_loads_are_supported():
    flexible = BalancingSettings()
    assert load(Wh(1_000), Wh(800), flexible, PLENTY) == (80, 100)
    assert load(Wh(1_000), Wh(800), replace(flexible, flexible_loads_support=False), PLENTY) == (0, 100)


def test_a_power_plant_offers_its_spare_capacity_up_and_nothing_down():
    plant = AssetProperties(AssetKind.POWER_PLANT, EnergyType.COGENERATION, 20_000)
    room = headroom(Product.BALANCING_UP, plant, SLOT, [Use(0, net=1_200)], 0)
    assert room.energy == 3_800
    assert power_plant(Need(up=room.energy, down=Wh(1_200))) == (3_800, 0)


def test_a_node_bids_anew_what_it_could_not_get_and_what_was_rounded_off():
    markets = BalancingMarkets.of(balancing.PARAMETERS, balancing.START, salt=1)
    agent = NodeAgent(asset=balancing.NEED, policy=SpotFollowing(), most=MicroPerKwh(400_000))
    seen = Seen(followed=Wh(1_003))  # a fifth of it is 200.6 Wh
    assert [bid.energy for bid in agent.bids(seen, markets)] == [200, 200]
    agent = agent.after(seen, Need(up=Wh(200), down=Wh(150)))
    assert [bid.energy for bid in agent.bids(seen, markets)] == [201, 251]
    assert agent.after(seen, Need(Wh(201), Wh(251))).carried == Wanted(200_000, 200_000)


def test_agents_order_what_there_is_and_leave_out_what_is_nothing():
    markets = BalancingMarkets.of(balancing.PARAMETERS, balancing.START, salt=3)
    (offer,) = markets.offers(balancing.LOAD, Need(down=Wh(5)), balancing.RATES)
    assert (offer.product, offer.side, offer.limit) == (Product.BALANCING_DOWN, Side.OFFER, 330_000)
    up, down = markets.bids(balancing.NEED, Need(Wh(10), Wh(20)), MicroPerKwh(400_000))
    assert [(bid.market, bid.side, bid.energy) for bid in (up, down)] == [(2, Side.BID, 10), (3, Side.BID, 20)]
