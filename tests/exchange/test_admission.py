"""Each refusal of an incoming order stands beside its twin that is taken, in the documented order of precedence."""

from dataclasses import replace

import pytest

import exchange.admission
from exchange.errors import ExchangeRefused
from exchange.market import Market
from exchange.order import Side, SignedOrder
from exchange.units import MicroPerKwh, Wh
from identity.claim_data import BalancingRates
from identity.energy_roles import EnergyRole
from identity.errors import IdentityRefused, NotABalancingProvider
from identity.facts import AssetTransferred, ClaimRevoked, EpochBegun
from tests.actors import AGENT, CONSUMER, PROSUMER, STRANGER
from tests.exchange import street
from tests.registries import ASSET_ROLE, CERTIFIER, claim, delegation


class Try:
    """An order about to be handed in, and the world it comes to; each fault spoils one thing."""

    def __init__(self, market: Market, registry, purse, clock) -> None:
        self.market, self.registry, self.purse, self.clock = market, registry, purse, clock
        self.order = street.order(street.HOUSE, Side.BID, salt=1 << 32)
        self.by = PROSUMER
        self.garbled = False
        registry.apply(EpochBegun(3, 1, street.OPENING))

    def hand_in(self) -> str:
        """Return the code of the refusal, or "taken"."""
        signed = street.signed(self.order, self.by)
        if self.garbled:
            signed = SignedOrder(signed.order, bytes(64))
        try:
            event = self.market.take(
                signed,
                registry=self.registry,
                credit=self.purse,
                receipt=street.receipt,
                sequence=self.market.next_sequence,
                now=self.clock.now,
            )
        except (ExchangeRefused, IdentityRefused) as refusal:
            return refusal.code
        self.market.apply(event)
        return "taken"

    def change(self, **changes: object) -> None:
        """Change the order."""
        self.order = replace(self.order, **changes)  # type: ignore[arg-type]


def bad_signature(attempt: Try) -> None:
    attempt.garbled = True


def wrong_market(attempt: Try) -> None:
    attempt.change(market=2)


def not_a_delivery_start(attempt: Try) -> None:
    attempt.change(delivery_start=street.START + 1)


def unknown_asset(attempt: Try) -> None:
    attempt.change(asset=STRANGER.address)


def asset_not_certified(attempt: Try) -> None:
    for asset in street.ASSETS:
        attempt.registry.apply(ClaimRevoked(asset, ASSET_ROLE, CERTIFIER.address, street.CLOSURE))


def orders_voided(attempt: Try) -> None:
    attempt.change(salt=7 << 32)


def not_authorised(attempt: Try) -> None:
    attempt.by = STRANGER


def gate_not_open(attempt: Try) -> None:
    attempt.clock.now = street.OPENING - 1


def gate_closed(attempt: Try) -> None:
    attempt.clock.now = street.CLOSURE + 1


def order_expired(attempt: Try) -> None:
    attempt.change(valid_until=street.CLOSURE - 1)


def energy_out_of_bounds(attempt: Try) -> None:
    attempt.change(energy=Wh(9))


def limit_out_of_bounds(attempt: Try) -> None:
    attempt.change(limit=MicroPerKwh(4_000_001))


def preferences_unknown(attempt: Try) -> None:
    attempt.change(preferences=b"\1" * 32)


def own_crossing(attempt: Try) -> None:
    attempt.order, honest = street.order(street.BARN, Side.OFFER, salt=1 << 32), attempt.order
    by, attempt.by = attempt.by, PROSUMER
    clock, attempt.clock = attempt.clock, street.Clock()
    registry, attempt.registry = attempt.registry, street.registry()
    attempt.registry.apply(EpochBegun(3, 1, street.OPENING))
    garbled, attempt.garbled = attempt.garbled, False
    assert attempt.hand_in() == "taken"
    attempt.order, attempt.by, attempt.clock, attempt.registry, attempt.garbled = honest, by, clock, registry, garbled


def short_of_collateral(attempt: Try) -> None:
    attempt.purse.free[3] = 0


PRECEDENCE = [
    ("bad-signature", bad_signature),
    ("wrong-market", wrong_market),
    ("not-a-delivery-start", not_a_delivery_start),
    ("unknown-asset", unknown_asset),
    ("asset-not-certified", asset_not_certified),
    ("orders-voided", orders_voided),
    ("not-authorised", not_authorised),
    ("gate-not-open", gate_not_open),
    ("gate-closed", gate_closed),
    ("order-expired", order_expired),
    ("size-out-of-bounds", energy_out_of_bounds),
    ("size-out-of-bounds", limit_out_of_bounds),
    ("preferences-unknown", preferences_unknown),
    ("own-crossing", own_crossing),
    ("short-of-collateral", short_of_collateral),
]
FAULTS = [fault for _, fault in PRECEDENCE]


@pytest.fixture
def attempt(market, registry, purse, clock):
    return Try(market, registry, purse, clock)


def test_an_order_without_fault_is_taken(attempt):
    assert attempt.hand_in() == "taken"


@pytest.mark.parametrize(("code", "fault"), PRECEDENCE, ids=[fault.__name__ for fault in FAULTS])
def test_an_order_with_one_fault_is_refused_for_it(attempt, code, fault):
    fault(attempt)
    assert attempt.hand_in() == code


PAIRS = [
    (first, second)
    for number, first in enumerate(PRECEDENCE)
    for second in PRECEDENCE[number + 1 :]
    # These two are different faults of the same thing: one order cannot have both.
    if {first[0], second[0]} != {"gate-not-open", "gate-closed"}
]


@pytest.mark.parametrize(
    ("first", "second"), PAIRS, ids=[f"{first[1].__name__}-{second[1].__name__}" for first, second in PAIRS]
)
def test_an_order_with_two_faults_is_refused_for_the_earlier_one(attempt, first, second):
    # The later fault comes first, so that an order already changed is not changed back.
    second[1](attempt)
    first[1](attempt)
    assert attempt.hand_in() == first[0]


def test_the_documentation_lists_the_codes_in_this_order():
    documented = exchange.admission.__doc__
    places = [documented.index(code) for code, _ in PRECEDENCE]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("now", "answer"),
    [
        (street.OPENING - 1, "gate-not-open"),
        (street.OPENING, "taken"),
        (street.CLOSURE - 1, "taken"),
        (street.CLOSURE, "gate-closed"),
    ],
)
def test_orders_are_taken_from_gate_opening_until_just_before_gate_closure(attempt, now, answer):
    attempt.clock.now = now
    assert attempt.hand_in() == answer


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"energy": 10}, "taken"),
        ({"energy": 9}, "size-out-of-bounds"),
        ({"energy": 100_000}, "taken"),
        ({"energy": 100_001}, "size-out-of-bounds"),
        ({"limit": -500_000}, "taken"),
        ({"limit": -500_001}, "size-out-of-bounds"),
        ({"limit": 4_000_000}, "taken"),
        ({"limit": 4_000_001}, "size-out-of-bounds"),
        ({"valid_until": street.CLOSURE}, "taken"),
        ({"valid_until": street.CLOSURE - 1}, "order-expired"),
        ({"delivery_start": street.START + 900}, "taken"),
        ({"delivery_start": street.START + 899}, "not-a-delivery-start"),
    ],
)
def test_a_bound_belongs_to_what_is_taken(attempt, changes, answer):
    attempt.change(**changes)
    assert attempt.hand_in() == answer


@pytest.mark.parametrize(("expiry", "answer"), [(street.CLOSURE + 1, "taken"), (street.CLOSURE, "asset-not-certified")])
def test_an_asset_is_certified_until_the_gate_closes_or_its_order_is_refused(attempt, expiry, answer):
    attempt.registry.apply(claim(street.HOUSE, EnergyRole.ASSET, expiry=expiry, epoch=1, at=1))
    assert attempt.hand_in() == answer


@pytest.mark.parametrize(("sold_at", "answer"), [(street.CLOSURE + 1, "taken"), (street.CLOSURE, "asset-not-enrolled")])
def test_an_asset_is_the_signers_until_the_gate_closes_or_its_order_is_refused(attempt, sold_at, answer):
    attempt.registry.apply(AssetTransferred(street.HOUSE, STRANGER.address, sold_at))
    assert attempt.hand_in() == answer


@pytest.mark.parametrize(("product", "side"), [(3, Side.OFFER), (4, Side.OFFER), (1, Side.OFFER)])
def test_only_offers_of_balancing_need_a_balancing_provider(registry, product, side):
    order = street.order(street.HOUSE, side, product=product)
    needed = product != 1 and side is Side.OFFER
    if needed:
        with pytest.raises(NotABalancingProvider):
            exchange.admission.judge(order, PROSUMER.address, street.PARAMETERS, registry)
        provider = claim(street.HOUSE, EnergyRole.BALANCING_PROVIDER, epoch=1)
        registry.apply(replace(provider, data=BalancingRates(order.limit, order.limit).pack()))
    assert exchange.admission.judge(order, PROSUMER.address, street.PARAMETERS, registry).account.number == 3


@pytest.mark.parametrize(("until", "answer"), [(street.CLOSURE + 1, "taken"), (street.CLOSURE, "mandate-ended")])
def test_a_delegate_signs_for_sessions_that_close_while_it_is_named(attempt, until, answer):
    attempt.registry.apply(delegation(street.KITCHEN, AGENT.address, until))
    attempt.order, attempt.by = street.order(), AGENT
    assert attempt.hand_in() == answer


def test_orders_of_an_earlier_epoch_are_void_and_those_of_the_new_one_are_not(attempt):
    attempt.order, attempt.by = street.order(), CONSUMER
    attempt.registry.apply(EpochBegun(2, 1, street.CLOSURE - 1))
    assert attempt.hand_in() == "orders-voided"
    attempt.change(salt=1 << 32)
    assert attempt.hand_in() == "taken"


def test_an_account_may_not_cross_its_own_order_at_another_home_but_may_stand_beside_it(attempt):
    assert attempt.hand_in() == "taken"
    fee = street.TREE.root.fee.constant
    attempt.order = street.order(street.BARN, Side.OFFER, limit=MicroPerKwh(300_000 - fee), salt=1 << 32)
    assert attempt.hand_in() == "own-crossing"
    attempt.change(limit=MicroPerKwh(300_000 - fee + 1))
    assert attempt.hand_in() == "taken"


def test_an_account_may_cross_its_own_order_at_the_same_home(attempt):
    assert attempt.hand_in() == "taken"
    attempt.order = street.order(street.HOUSE, Side.OFFER, salt=1 << 32)
    assert attempt.hand_in() == "taken"


@pytest.mark.parametrize(("free", "answer"), [(300_000_000, "taken"), (299_999_999, "short-of-collateral")])
def test_a_bid_reserves_its_limit(attempt, free, answer):
    attempt.purse.free[3] = free
    assert attempt.hand_in() == answer


@pytest.mark.parametrize(
    ("limit", "free", "answer"),
    [(1, 0, "taken"), (0, 0, "taken"), (-1, 999, "short-of-collateral"), (-1, 1_000, "taken")],
)
def test_an_offer_reserves_only_what_it_would_pay_below_zero(attempt, limit, free, answer):
    attempt.purse.free[3] = free
    attempt.order = street.order(street.HOUSE, Side.OFFER, limit=MicroPerKwh(limit), salt=1 << 32)
    assert attempt.hand_in() == answer


def test_what_is_reserved_is_not_free_for_the_next_order(attempt):
    attempt.purse.free[3] = 600_000_000
    for salt, answer in ((1, "taken"), (2, "taken"), (3, "short-of-collateral")):
        attempt.change(salt=1 << 32 | salt)
        assert attempt.hand_in() == answer
