"""The balancing market: who may offer and bid, at which rate, how much; and what is done with it after."""

import json
from dataclasses import replace

import pytest

from exchange.balancing_errors import ChargeOutOfBounds, ChargeOvertaken
from exchange.balancing_settings import BalancingSettings, settings_from_document
from exchange.delivery import Mechanism, Product
from exchange.documents import event_from_document, event_to_document
from exchange.errors import ExchangeRefused
from exchange.market import Market
from exchange.order import Side
from exchange.parameters import from_document
from identity.claim_data import BalancingRates
from identity.energy_roles import EnergyRole
from identity.errors import BadSignature, IdentityRefused, NotAuthorised
from tests.actors import CONSUMER, NEIGHBOUR, PRODUCER, STRANGER
from tests.exchange import balancing, street
from tests.exchange.balancing import (
    BATTERY,
    DOWN,
    EAST,
    EASTERN_NEED,
    LOAD,
    NEED,
    NOW,
    PARAMETERS,
    PLANT,
    ROOF,
    SPOT,
    START,
    UP,
    signed,
)
from tests.registries import GRID_OPERATOR

BID, OFFER = Side.BID, Side.OFFER
SUPPLY, DEMAND = balancing.RATES.supply_micro_per_kwh, balancing.RATES.demand_micro_per_kwh


class Balanced:
    """A market that balances, with everything that happened to it."""

    def __init__(self, parameters=PARAMETERS, registry=None) -> None:
        self.market = balancing.market(parameters)
        self.registry = registry or balancing.registry()
        self.events = []

    def happen(self, event):
        self.events.append(event)
        self.market.apply(event)
        return event

    def take(self, order, now=NOW):
        """Return the code of the refusal, or "taken"."""
        try:
            event = self.market.take(
                order,
                registry=self.registry,
                credit=street.Purse(),
                receipt=street.receipt,
                sequence=self.market.next_sequence,
                now=now,
            )
        except (ExchangeRefused, IdentityRefused) as refusal:
            self.refusal = refusal
            return refusal.code
        self.happen(event)
        return "taken"

    def clear(self, terms):
        """Close and clear the session of a market for the delivery period; return its clearing."""
        key = terms.session(START)
        closure = terms.gate_closure(START)
        self.happen(self.market.close(key, closure))
        return self.happen(self.market.clear(key, registry=self.registry, now=closure)).clearing

    def decide(self, charge, signature):
        separator, reserves = self.market.separator, self.market.reserves
        return reserves.decide(charge, signature, separator=separator, registry=self.registry, now=NOW)

    def state(self, charge, by=CONSUMER):
        signature = by.sign(charge.digest(balancing.SEPARATOR))
        event = self.decide(charge, signature)
        return None if event is None else self.happen(event)


@pytest.fixture
def world():
    return Balanced()


def spot(world, energy=500):
    """Have the load buy so much of the plant on spot."""
    before = START - 1_000
    assert world.take(signed(PLANT, OFFER, SPOT, energy, 100_000), before) == "taken"
    assert world.take(signed(LOAD, BID, SPOT, energy, 300_000), before) == "taken"
    return world.clear(SPOT)


@pytest.mark.parametrize(("terms", "certified"), [(UP, SUPPLY), (DOWN, DEMAND)])
def test_a_provider_offers_up_to_the_rate_it_is_certified_for(world, terms, certified):
    assert world.take(signed(PLANT, OFFER, terms, 100, certified + 1)) == "rate-above-certified"
    assert (world.refusal.rate, world.refusal.certified) == (certified + 1, certified)
    if terms is UP:
        assert world.take(signed(PLANT, OFFER, terms, 100, certified)) == "taken"
    else:
        spot(world)
        assert world.take(signed(LOAD, OFFER, terms, 100, certified)) == "taken"


def test_where_rates_are_free_a_provider_asks_what_it_likes():
    free = replace(PARAMETERS, balancing=replace(balancing.SETTINGS, free_rates=True))
    assert Balanced(free).take(signed(PLANT, OFFER, UP, 100, SUPPLY + 1)) == "taken"


@pytest.mark.parametrize(("until", "answer"), [(1, "taken"), (0, "not-a-balancing-provider")])
def test_the_claim_of_a_provider_is_current_at_gate_closure(until, answer):
    world = Balanced(registry=balancing.registry(until=UP.gate_closure(START) + until))
    assert world.take(signed(PLANT, OFFER, UP, 100, SUPPLY)) == answer


def test_who_is_no_provider_sells_on_spot_but_offers_no_balancing(world):
    assert world.take(signed(ROOF, OFFER, SPOT, 100, 1_000), START - 1_000) == "taken"
    world.clear(SPOT)
    assert world.take(signed(ROOF, OFFER, UP, 100, 1_000)) == "not-a-balancing-provider"


def test_an_offer_whose_rate_is_certified_no_more_at_gate_closure_is_left_out(world):
    assert world.take(signed(PLANT, OFFER, UP, 100, SUPPLY)) == "taken"
    assert world.take(signed(NEED, BID, UP, 100, 900_000)) == "taken"
    cheaper = balancing.certified(
        PLANT, EnergyRole.BALANCING_PROVIDER, BalancingRates(DEMAND, SUPPLY - 1).pack(), street.FAR + 1
    )
    world.registry.apply(replace(cheaper, at=NOW + 1))
    clearing = world.clear(UP)
    assert not clearing.trades
    ((_, code),) = world.events[-1].excluded
    assert code == "rate-above-certified"


def test_the_operator_of_a_node_bids_its_need_and_nobody_else_does(world):
    assert world.take(signed(NEED, BID, UP, 100, 400_000)) == "taken"
    assert world.take(signed(ROOF, BID, UP, 100, 400_000)) == "not-a-balancing-agent"
    assert world.take(signed(EASTERN_NEED, BID, UP, 100, 400_000)) == "not-a-balancing-agent"


def test_whom_the_community_names_bids_for_that_node_and_no_other():
    named = replace(PARAMETERS, balancing=replace(balancing.SETTINGS, agents=((EAST, STRANGER.address),)))
    world = Balanced(named)
    assert world.take(signed(EASTERN_NEED, BID, UP, 100, 400_000)) == "taken"
    assert world.take(signed(ROOF, BID, UP, 100, 400_000)) == "not-a-balancing-agent"


def test_nothing_is_offered_before_spot_is_cleared(world):
    before = START - 1_000
    assert world.take(signed(PLANT, OFFER, UP, 100, SUPPLY), before) == "gate-not-open"
    world.take(signed(LOAD, BID, SPOT, 100, 300_000), before)
    assert world.take(signed(PLANT, OFFER, UP, 100, SUPPLY)) == "session-not-cleared"
    world.clear(SPOT)
    assert world.take(signed(PLANT, OFFER, UP, 100, SUPPLY)) == "taken"


def test_what_is_sold_on_spot_is_not_promised_again(world):
    """A plant of 20 kW gives 5,000 Wh in a quarter-hour."""
    spot(world, energy=500)
    assert world.take(signed(PLANT, OFFER, UP, 4_501, SUPPLY)) == "beyond-headroom"
    refusal = world.refusal
    assert (refusal.headroom, refusal.bound, refusal.figure, refusal.slot) == (4_500, "power in a slot", 5_000, START)
    assert world.take(signed(PLANT, OFFER, UP, 4_500, SUPPLY)) == "taken"
    assert world.take(signed(PLANT, OFFER, UP, 10, SUPPLY, salt=2)) == "beyond-headroom"


def test_a_load_is_shed_of_what_it_draws_and_of_no_more(world):
    assert world.take(signed(LOAD, OFFER, UP, 10, SUPPLY)) == "beyond-headroom"
    assert world.refusal.bound == "energy it draws"
    spot(world, energy=500)
    assert world.take(signed(LOAD, OFFER, UP, 501, SUPPLY)) == "beyond-headroom"
    assert world.take(signed(LOAD, OFFER, UP, 500, SUPPLY)) == "taken"


def test_a_plant_is_curtailed_of_what_it_feeds_in_and_of_no_more(world):
    spot(world, energy=500)
    assert world.take(signed(PLANT, OFFER, DOWN, 501, DEMAND)) == "beyond-headroom"
    assert world.refusal.bound == "energy it feeds in"
    assert world.take(signed(PLANT, OFFER, DOWN, 500, DEMAND)) == "taken"


def test_a_storage_offers_what_it_said_it_holds(world):
    """Of 4 kW a quarter-hour takes 1,000 Wh."""
    assert world.take(signed(BATTERY, OFFER, UP, 100, SUPPLY)) == "no-state-of-charge"
    assert world.state(balancing.charge(stored=1_300, least=1_000)) is not None
    assert world.take(signed(BATTERY, OFFER, UP, 301, SUPPLY)) == "beyond-headroom"
    assert (world.refusal.bound, world.refusal.figure) == ("stored energy", 300)
    assert world.take(signed(BATTERY, OFFER, UP, 300, SUPPLY)) == "taken"
    assert world.take(signed(BATTERY, OFFER, DOWN, 1_001, DEMAND)) == "beyond-headroom"
    assert world.refusal.bound == "power in a slot"
    assert world.take(signed(BATTERY, OFFER, DOWN, 1_000, DEMAND)) == "taken"


def test_what_is_stated_for_a_later_slot_says_nothing_of_an_earlier(world):
    world.state(balancing.charge(at=START + 900))
    assert world.take(signed(BATTERY, OFFER, UP, 100, SUPPLY)) == "no-state-of-charge"
    world.state(balancing.charge(at=START, serial=2))
    assert world.take(signed(BATTERY, OFFER, UP, 100, SUPPLY)) == "taken"


def test_what_is_taken_back_may_be_promised_again(world):
    order = signed(PLANT, OFFER, UP, 5_000, SUPPLY)
    assert world.take(order) == "taken"
    digest = order.order.digest(balancing.SEPARATOR)
    again = signed(PLANT, OFFER, UP, 5_000, SUPPLY - 1, salt=2)
    assert world.take(again) == "beyond-headroom"
    signature = street.cancellation(order, PRODUCER)
    world.happen(world.market.cancel(digest, signature, registry=world.registry, now=NOW))
    assert world.take(again) == "taken"


def test_what_was_not_awarded_is_promised_no_more_and_what_was_still_is(world):
    world.take(signed(PLANT, OFFER, UP, 5_000, SUPPLY))
    world.take(signed(NEED, BID, UP, 300, 900_000))
    world.clear(UP)
    reserves = world.market.reserves
    assert reserves.of(PLANT, Product.BALANCING_UP, START) == 300
    assert not world.market.positions.of(PLANT, START), "a promise is no position"


@pytest.mark.parametrize(
    ("charge", "by", "refused"),
    [
        (balancing.charge(serial=2, stored=10_001), CONSUMER, ChargeOutOfBounds),
        (balancing.charge(serial=2, at=START + 1), CONSUMER, ChargeOutOfBounds),
        (balancing.charge(serial=1, stored=2_000), CONSUMER, ChargeOvertaken),
        (balancing.charge(serial=2), NEIGHBOUR, NotAuthorised),
    ],
)
def test_a_state_of_charge_that_cannot_be_or_is_overtaken_or_anothers_is_refused(world, charge, by, refused):
    assert world.state(balancing.charge(serial=1)) is not None
    assert world.state(balancing.charge(serial=1)) is None, "saying it again is harmless"
    with pytest.raises(refused):
        world.state(charge, by)
    assert world.state(balancing.charge(serial=2)) is not None


def test_a_state_of_charge_that_nobody_signed_is_refused(world):
    with pytest.raises(BadSignature):
        world.decide(balancing.charge(), bytes(64))


def test_an_accounts_own_offer_never_serves_its_own_need(world):
    """Not even at one home: there is no own use in balancing."""
    own = replace(PARAMETERS, balancing=replace(balancing.SETTINGS, agents=((EAST, CONSUMER.address),)))
    world = Balanced(own)
    world.state(balancing.charge())
    assert world.take(signed(BATTERY, OFFER, UP, 100, SUPPLY)) == "taken"
    assert world.take(signed(BATTERY, BID, UP, 100, SUPPLY + 100, salt=2)) == "own-crossing"
    assert world.take(signed(BATTERY, BID, UP, 100, SUPPLY - 1, salt=3)) == "taken"
    clearing = world.clear(UP)
    assert not clearing.own_uses
    assert not clearing.trades


def test_an_award_takes_nothing_of_what_was_bought_on_spot(world):
    before = spot(world, energy=500)
    world.take(signed(LOAD, OFFER, UP, 50, SUPPLY))
    world.take(signed(LOAD, OFFER, DOWN, 50, DEMAND))
    for terms in (UP, DOWN):
        world.take(signed(NEED, BID, terms, 50, 900_000))
        assert world.clear(terms).energy == 50
    assert world.market.session(SPOT.session(START)).cleared.clearing == before
    assert world.market.positions.of(LOAD, START).bought == 500


def test_replaying_gives_the_same_promises_and_charges(world):
    spot(world)
    world.state(balancing.charge(stored=3_000))
    world.take(signed(BATTERY, OFFER, UP, 400, SUPPLY))
    world.take(signed(NEED, BID, UP, 300, 900_000))
    world.take(signed(LOAD, OFFER, DOWN, 40, DEMAND))
    world.clear(UP)
    again = Market()
    for event in [*balancing.founding(), *world.events]:
        again.apply(event_from_document(json.loads(json.dumps(event_to_document(event)))))
    assert street.state_of(again) == street.state_of(world.market)
    assert vars(again.reserves) == vars(world.market.reserves)
    assert again.reserves.of(BATTERY, Product.BALANCING_UP, START) == 300
    assert again.reserves.of(LOAD, Product.BALANCING_DOWN, START) == 40


def test_the_settings_are_part_of_the_parameters_and_their_hash():
    assert from_document(json.loads(json.dumps(PARAMETERS.to_document()))) == PARAMETERS
    other = replace(PARAMETERS, balancing=replace(balancing.SETTINGS, spot_trade_ratio=200_001))
    assert other.hash() != PARAMETERS.hash()
    assert "balancing" not in street.PARAMETERS.to_document()


def test_the_defaults_are_those_of_the_seed():
    assert BalancingSettings().to_document() == {
        "enable_balancing_market": False,
        "balancing_spot_trade_ratio_ppm": 200_000,
        "balancing_offer_demand_ratio_ppm": 100_000,
        "balancing_offer_supply_ratio_ppm": 100_000,
        "balancing_flexible_loads_support": True,
        "free_balancing_rates": False,
        "agents": [],
    }


@pytest.mark.parametrize(
    "change",
    [
        {"balancing_spot_trade_ratio_ppm": 1_000_001},
        {"balancing_spot_trade_ratio_ppm": 0.2},
        {"enable_balancing_market": 1},
        {"balancing_spot_ratio": 1},
        {"agents": [[2, GRID_OPERATOR.address.hex()]]},
    ],
)
def test_settings_that_are_none_are_refused(change):
    good = balancing.SETTINGS.to_document()
    assert settings_from_document(good) == balancing.SETTINGS
    with pytest.raises((ValueError, TypeError, IdentityRefused)):
        settings_from_document(good | change)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"markets": (SPOT, UP)}, "a market for each direction"),
        ({"balancing": BalancingSettings()}, "a market for each direction"),
        ({"markets": (SPOT, UP, replace(UP, number=7, title="again"), DOWN)}, "one balancing market"),
        ({"markets": (SPOT, replace(UP, period=1_800), DOWN)}, "the shortest period"),
        ({"balancing": replace(balancing.SETTINGS, agents=((99, STRANGER.address),))}, "a node that is not there"),
    ],
)
def test_rules_that_do_not_balance_are_no_rules(change, why):
    markets = change.get("markets", PARAMETERS.markets)
    with pytest.raises(ValueError, match=why):
        replace(PARAMETERS, **change | {"markets": tuple(sorted(markets, key=lambda market: market.number))})


@pytest.mark.parametrize("change", [{"mechanism": Mechanism.PAY_AS_BID}, {"tick": 60}, {"matching": 60}])
def test_balancing_is_cleared_once_and_pays_as_offered(change):
    with pytest.raises(ValueError, match="paid as offered"):
        replace(UP, **change)


def test_a_tree_that_balances_has_no_one_rate_on_the_chain():
    alone = replace(PARAMETERS, markets=(SPOT,), balancing=BalancingSettings())
    assert alone.is_uniform(EAST)
    assert not PARAMETERS.is_uniform(EAST)
