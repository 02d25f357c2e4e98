"""Worked cases of balancing and storages (`tests/vectors/markets.json`), by id.

The reference writes a direction as the sign of the energy, and a price as a total; here a direction is a product, and
energy and rate have no sign for it. What `design_expected` says, or a note, is ours.
"""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from exchange.agents import Alternative, need
from exchange.balancing_admission import rate_for
from exchange.balancing_agents import BalancingMarkets, load, storage
from exchange.balancing_need import Need, Seen, SpotFollowing, awarded, followed
from exchange.balancing_settings import BalancingSettings
from exchange.clear import clear
from exchange.delivery import Mechanism, Product, SessionKey
from exchange.effects.balancing_schema import OfferIn
from exchange.errors import OrderMalformed
from exchange.headroom import StoredEnergy, allocated
from exchange.order import Side
from exchange.tree import Fee, Node, Tree
from exchange.units import MAX_ENERGY, MicroPerKwh, Nano, Wh, rate_of
from identity.balancing_registry import read_balancing_registry
from identity.claim_data import BalancingRates
from tests.actors import OPERATOR
from tests.exchange import balancing
from tests.exchange.test_vectors import CASES, micro, wh, whole
from tests.exchange.trees import one_node
from tests.strategies import resting

UP, DOWN = (SessionKey(7, product, 1_800_000_000) for product in (Product.BALANCING_UP, Product.BALANCING_DOWN))
PLENTY = Need(Wh(MAX_ENERGY), Wh(MAX_ENERGY))
CENTS = 10_000_000
DEAR = 10_000_000


def total(cents: Fraction | int) -> Nano:
    return Nano(whole(cents * CENTS))


def session_for(energy: Fraction | int) -> SessionKey:
    return UP if energy > 0 else DOWN


def offered(listed, session):
    """Return the offers of a case in one direction: energy without sign, rate of the total price."""
    found = []
    for place, offer in enumerate(listed, 1):
        if session_for(offer["energy_kwh"]) is session:
            energy = Wh(abs(wh(offer["energy_kwh"])))
            rate = rate_of(total(offer["price"]), energy)
            found.append(resting(Side.OFFER, rate, energy, sequence=place, session=session))
    return found


def taken(listed, energy_kwh, tree=None, limit=DEAR):
    """Clear the session of a direction for a need of so much; return clearing and offers."""
    session = session_for(energy_kwh)
    offers = offered(listed, session)
    bid = resting(Side.BID, limit, abs(wh(energy_kwh)), sequence=99, session=session)
    return clear([*offers, bid], session=session, tree=tree or one_node(0), mechanism=Mechanism.PAY_AS_OFFER), offers


@pytest.mark.parametrize("name", ["bal-001", "bal-002"])
def test_an_offer_is_taken_wholly_or_in_part_and_paid_as_offered(name):
    given, expected = CASES[name]["input"], CASES[name]["expected"]
    clearing, (offer,) = taken([given["offer"]], given["accept_energy_kwh"])
    (trade,) = clearing.trades
    assert trade.energy == abs(wh(expected["trade"]["energy_kwh"]))
    assert trade.value == total(expected["trade"]["price"])
    left = offer.order.energy - trade.energy
    residual = expected.get("residual", {"energy_kwh": 0, "price": 0})
    assert left == abs(wh(residual["energy_kwh"]))
    assert left * offer.order.limit == total(residual["price"])


def test_bal_004_nothing_and_too_much_and_the_other_direction_take_nothing_away():
    given = CASES["bal-004"]["input"]
    nothing, too_much, other_way = given["accept_energies_kwh"]
    with pytest.raises(ValueError, match="positive amount of energy"):
        taken([given["offer"]], Fraction(1, 1000) * nothing + 0)
    clearing, (offer,) = taken([given["offer"]], too_much)
    assert clearing.energy == offer.order.energy, "a need beyond the offer gets the offer, and no more"
    clearing, offers = taken([given["offer"]], other_way)
    assert not clearing.trades
    assert not offers, "an offer up stands in no session down: it is still in its book"
    assert CASES["bal-004"]["design_expected"]["offer_still_in_book"]


def test_bal_006_the_cheapest_offer_down_is_taken_first():
    case = CASES["bal-006"]
    clearing, offers = taken(case["input"]["downward_offers"], -1)
    (trade,) = clearing.trades
    assert trade.value == total(case["design_expected"]["first_taken_price"])
    assert trade.offer == min(offers, key=lambda offer: offer.order.limit).digest


def test_bal_007_a_constant_fee_down_is_paid_and_not_earned():
    case = CASES["bal-007"]
    given = case["input"]
    clearing, _ = taken([given["offer"]], given["offer"]["energy_kwh"], one_node(micro(given["grid_fee"])))
    (trade,) = clearing.trades
    assert trade.fee == total(case["design_expected"]["fee"])
    assert trade.value == total(given["offer"]["price"])
    assert trade.cost == trade.value + trade.fee


def test_bal_008_a_share_is_paid_by_who_procures():
    case = CASES["bal-008"]
    given, ours = case["input"], case["design_expected"]
    fee = Fee(ppm=whole(Fraction(given["grid_fee_percent"]) * 10_000))
    tree = Tree((Node(number=7, name="one", parent=None, fee=fee, fee_account=1, operator=OPERATOR.address),))
    clearing, _ = taken([given["offer"]], given["offer"]["energy_kwh"], tree)
    (trade,) = clearing.trades
    assert (trade.fee, trade.cost, trade.value) == (
        total(ours["fee"]),
        total(ours["procurer_pays"]),
        total(ours["provider_gets"]),
    )


@pytest.mark.parametrize("name", ["bal-009", "bal-009b"])
def test_an_agent_secures_its_share_and_carries_what_it_could_not_get(name):
    given, expected = CASES[name]["input"], CASES[name]["expected"]
    policy = SpotFollowing(whole(Fraction(given["spot_trade_ratio"]) * 1_000_000))
    wanted = policy.wanted(Seen(followed=Wh(wh(given["spot_trade_kwh"]))))
    if "wanted_up_kwh" in expected:
        assert wanted.need == (wh(expected["wanted_up_kwh"]), wh(expected["wanted_down_kwh"]))
    listed = given.get("offers") or given["up_offers"]
    got, trades = [], []
    for direction, sign in (("up", 1), ("down", -1)):
        energy = getattr(wanted.need, direction)
        clearing, _ = taken(listed, Fraction(sign * energy, 1000))
        (bid,) = {trade.bid for trade in clearing.trades} or {b""}
        got.append(awarded(clearing, bid))
        trades += [(sign * trade.energy, trade.value) for trade in clearing.trades]
    assert sorted(trades) == sorted((wh(each["energy_kwh"]), total(each["price"])) for each in expected["trades"])
    carried = wanted.less(Need(*got))
    for direction in ("up", "down"):
        if f"carried_over_{direction}_kwh" in expected:
            assert getattr(carried.need, direction) == wh(expected[f"carried_over_{direction}_kwh"])


def houses() -> Tree:
    """Two houses under a grid."""
    places = ((7, "grid", None), (8, "house 1", 7), (9, "house 2", 7))
    return Tree(
        tuple(
            Node(number=number, name=name, parent=parent, fee_account=1, operator=OPERATOR.address)
            for number, name, parent in places
        )
    )


def spot_trade(energy: int, seller: int, buyer: int):
    """Clear one spot trade between two nodes; return the clearing and where the orders hang."""
    spot = SessionKey(7, Product.SPOT, 1_800_000_000)
    orders = [
        resting(Side.OFFER, 1, energy, sequence=1, session=spot, node=seller),
        resting(Side.BID, 9, energy, sequence=2, session=spot, node=buyer),
    ]
    return clear(orders, session=spot, tree=houses()), {order.digest: order.node for order in orders}


def test_bal_010_an_agent_follows_no_trade_that_does_not_touch_its_node():
    case = CASES["bal-010"]
    energy = wh(case["input"]["spot_trade_kwh"])
    clearing, nodes = spot_trade(energy, seller=9, buyer=9)
    of_house_1 = followed(clearing, nodes, [8], houses())[8]
    wanted = SpotFollowing().wanted(Seen(followed=of_house_1)).need
    assert wanted == (case["expected"]["wanted_up_kwh"], case["expected"]["wanted_down_kwh"])
    clearing, nodes = spot_trade(energy, seller=9, buyer=8)
    assert followed(clearing, nodes, [8], houses())[8] == energy, "what it imports across its boundary, it follows"


def test_bal_011_a_storage_offers_shares_of_what_is_free_and_of_what_it_holds():
    given, expected = CASES["bal-011"]["input"], CASES["bal-011"]["expected"]
    capacity = wh(given["capacity_kwh"])
    used = whole(Fraction(given["soc_percent"]) * capacity / 100)
    settings = BalancingSettings(
        offer_demand_ratio=whole(Fraction(given["offer_demand_ratio"]) * 1_000_000),
        offer_supply_ratio=whole(Fraction(given["offer_supply_ratio"]) * 1_000_000),
    )
    energy = storage(StoredEnergy(Wh(used), Wh(0), Wh(capacity)), settings, PLENTY)
    rates = BalancingRates(micro(given["rates"]["demand"]), micro(given["rates"]["supply"]))
    orders = BalancingMarkets.of(balancing.PARAMETERS, balancing.START, salt=1).offers(balancing.BATTERY, energy, rates)
    signs = {Product.BALANCING_UP: 1, Product.BALANCING_DOWN: -1}
    made = [(signs[order.product] * order.energy, order.energy * order.limit) for order in orders]
    assert sorted(made) == sorted((wh(each["energy_kwh"]), total(each["price"])) for each in expected["offers"])
    tight = storage(StoredEnergy(Wh(used), Wh(0), Wh(capacity)), settings, Need(Wh(7), Wh(0)))
    assert tight == Need(up=Wh(7), down=Wh(0)), "and never more than power and spot leave"


def test_bal_012_a_load_offers_a_share_of_its_own_energy_in_its_own_unit():
    case = CASES["bal-012"]
    given = case["input"]
    energy = Wh(whole(Fraction(given["avg_power_w"] * given["slot_minutes"], 60)))
    settings = BalancingSettings(offer_demand_ratio=whole(Fraction(given["offer_demand_ratio"]) * 1_000_000))
    down = load(energy, Wh(0), settings, PLENTY).down
    assert -down == wh(case["design_expected"]["posted_demand_offer_kwh"])


def test_bal_013_a_provider_buys_all_of_its_need_on_spot():
    case = CASES["bal-013"]
    given, ours = case["input"], case["design_expected"]
    energy = Wh(wh(given["need_kwh"]))
    alternative = Alternative(sell=MicroPerKwh(300_000), buy=MicroPerKwh(80_000))
    bid = need(balancing.LOAD, energy, balancing.SPOT, balancing.START, alternative, salt=1)
    assert bid.energy == wh(ours["bought_on_spot_kwh"]), "registered or not"
    settings = BalancingSettings(offer_demand_ratio=whole(Fraction(given["offer_demand_ratio"]) * 1_000_000))
    offers = load(energy, energy, settings, PLENTY)
    assert energy - bid.energy == wh(ours["deficit_kwh"])
    assert offers.up <= energy, "what is offered to be shed was bought before"


def test_bal_014_what_crosses_several_boundaries_is_backed_once():
    case = CASES["bal-014"]
    assert case["design_expected"]["reserve_per_physical_trade_kwh"] == "spot energy x 0.2, once per direction"
    clearing, nodes = spot_trade(1_000, seller=9, buyer=8)
    by_agent = followed(clearing, nodes, [7, 8, 9], houses())
    assert by_agent == {7: 1_000, 8: 0, 9: 0}
    needs = [SpotFollowing().wanted(Seen(followed=energy)).need for energy in by_agent.values()]
    assert sum(each.up for each in needs) == sum(each.down for each in needs) == 200


def test_bal_015_the_first_rate_is_for_demand_and_the_second_for_supply():
    given, expected = CASES["bal-015"]["input"], CASES["bal-015"]["expected"]
    ((name, pair),) = given["registry"].items()
    rates = read_balancing_registry(f'{{"{name}": [{pair[0]}, {pair[1]}]}}')[name]
    assert given["columns"] == ["demand_rate", "supply_rate"]
    for energy, price in zip(given["offers_kwh"], expected["prices"], strict=True):
        assert abs(wh(energy)) * rate_for(session_for(energy).product, rates) == total(price)


@pytest.mark.parametrize("name", ["sto-001", "sto-002"])
def test_a_storage_sells_what_it_holds_and_buys_what_is_free_within_its_power(name):
    given, expected = CASES[name]["input"], CASES[name]["expected"]
    capacity = wh(given["capacity_kwh"])
    least = whole(Fraction(given["min_soc_percent"]) * capacity / 100)
    stored = StoredEnergy(Wh(wh(given["used_kwh"])), Wh(least), Wh(capacity))
    per_slot = Wh(wh(given["energy_per_slot_limit_kwh"]))
    for whole_of_it, wanted in (
        (stored.sellable, expected["sellable_kwh"]),
        (stored.buyable, expected["buyable_kwh"]),
    ):
        assert allocated(whole_of_it, per_slot, given["open_slots"]) == [wh(each) for each in wanted]


def test_the_sign_of_an_offer_over_http_is_its_direction():
    """The seed's convention: a negative energy is a demand offer, and the price is a total that is not negative."""
    posted = {"asset": "0x" + "11" * 20, "delivery_start": balancing.START, "salt": 1}
    down = OfferIn.model_validate(posted | {"energy_wh": -100, "price_nano": 33_000_000}).to_order(balancing.PARAMETERS)
    assert (down.product, down.side, down.energy, down.limit) == (Product.BALANCING_DOWN, Side.OFFER, 100, 330_000)
    up = OfferIn.model_validate(posted | {"energy_wh": 100, "limit_micro_per_kwh": 350_000}).to_order(
        balancing.PARAMETERS
    )
    assert (up.product, up.market, up.limit) == (Product.BALANCING_UP, balancing.UP.number, 350_000)
    assert up.valid_until == balancing.UP.gate_closure(balancing.START)
    with pytest.raises(OrderMalformed):
        OfferIn.model_validate(posted | {"energy_wh": 100}).to_order(balancing.PARAMETERS)


def test_every_case_of_balancing_that_is_a_law_or_ours_stands_here():
    """bal-003, bal-005 and bal-009c are how the reference works, not laws; the registry has bal-005's (identity)."""
    here = Path(__file__).read_text()
    laws = {
        name
        for name, case in CASES.items()
        if name.startswith(("bal-", "sto-00")) and (case["kind"].startswith("law") or "design_expected" in case)
    }
    missing = {name for name in laws if name not in here}
    assert not missing


def test_a_delivery_period_is_the_shortest_and_balancing_opens_once_spot_is_cleared():
    with pytest.raises(ValueError, match="once all else is cleared"):
        replace(
            balancing.PARAMETERS,
            markets=(balancing.SPOT, replace(balancing.UP, opening=301), balancing.DOWN),
        )
