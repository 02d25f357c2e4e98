"""At the gate and by the contract: what the exchange judges, the contract enforces once somebody has refreshed it."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.address import Address
from identity.errors import AuthorityRefused
from identity.registry import Registry, RequiredRoles
from tests.contracts.identities import role_of
from tests.contracts.machine import Refused
from tests.contracts.orders import BID, OFFER, SPOT, Trade, address_of
from tests.contracts.registries import ASSET, BALANCING, GRID_OPERATOR
from tests.contracts.town import GATE_CLOSURE, Town
from tests.recording import Recording

OWNERS, AGENT, CONSUMER = ("ann", "bob"), "the agent", "the consumer"
SIGNERS = (*OWNERS, AGENT)
BALANCING_UP = 3


@dataclass
class Place:
    """A town where ann and bob have two accounts each, and ann a house."""

    machine: Recording
    town: Town

    @classmethod
    def founded(cls) -> "Place":
        machine = Recording()
        town = Town(machine)
        town.open(CONSUMER)
        for owner in (*OWNERS, *OWNERS):
            town.open(owner, 0)
        town.accounts |= {owner: 3 + place for place, owner in enumerate(OWNERS)}
        town.enrol("ann", "the house")
        return cls(machine, town)

    @property
    def house(self) -> bytes:
        return self.town.identities["the house"]

    # What may happen; what a contract refuses does not

    def wait(self, seconds: int) -> None:
        self.machine.move_to(self.machine.now + seconds)

    def sell(self, seller: int) -> None:
        self.town.registries.sell(self.house, OWNERS[seller], OWNERS[1 - seller])

    def enrol(self, owner: int, second: bool, sender: str) -> None:
        self.town.send(sender, "enrol", self.house, 3 + owner + 2 * second)

    def certify(self, role: str, owner: int, seconds: int) -> None:
        expiry = self.machine.now + seconds
        self.town.registries.certify(self.house, role, holder=OWNERS[owner], expiry=expiry)

    def revoke(self, role: str) -> None:
        self.town.registries.revoke(self.house, role)

    def delegate(self, owner: int, seconds: int) -> None:
        self.town.registries.delegate(self.house, OWNERS[owner], AGENT, seconds)

    def dismiss(self, owner: int) -> None:
        self.town.registries.dismiss(self.house, OWNERS[owner], AGENT)

    def void(self, owner: int, second: bool) -> None:
        self.town.send(OWNERS[owner], "void_orders", 3 + owner + 2 * second)

    def refresh(self) -> None:
        self.town.refresh(*range(1, self.town.read("asset_count") + 1))

    def retire(self, owner: int) -> None:
        self.town.registries.retire(self.house, OWNERS[owner])

    def settles(self, signer: str, number: int, product: int) -> bool:
        """Whether the contract settles an offer of the house under this number; it is as before afterwards."""
        orders = [
            self.town.order(asset, side, 100, limit, signer=by, product=product)
            for asset, side, limit, by in ((CONSUMER, BID, 300_000, CONSUMER), ("the house", OFFER, 80_000, signer))
        ]
        orders[1] = orders[1].but(asset=number)
        batch = self.town.batch(orders, [Trade(bid=0, offer=1, energy=100, rate=100_000)], product=product)
        mark = self.machine.snapshot()
        try:
            self.town.settle(batch)
        except Refused:
            return False
        finally:
            self.machine.revert(mark)
        return True


ends = st.sampled_from([60, 1_800, 5_000])
owners, roles = st.integers(0, 1), st.sampled_from([ASSET, BALANCING, BALANCING])
actions = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([1, 60, 600])),
    st.tuples(st.just("sell"), owners),
    st.tuples(st.just("enrol"), owners, st.booleans(), st.sampled_from(["a passer-by", *OWNERS])),
    st.tuples(st.just("enrol"), owners, st.just(False), st.just("a passer-by")),
    st.tuples(st.just("certify"), roles, owners, ends),
    st.tuples(st.just("revoke"), roles),
    st.tuples(st.just("delegate"), owners, ends),
    st.tuples(st.just("dismiss"), owners),
    st.tuples(st.just("void"), owners, st.booleans()),
    st.tuples(st.just("refresh")),
    st.tuples(st.just("retire"), owners),
)


@pytest.fixture(scope="module")
def place():
    return Place.founded()


def run(place: Place, history, until: int | None) -> None:
    for name, *arguments in history:
        if until is not None and name == "wait" and place.machine.now + arguments[0] >= until:
            continue
        try:
            getattr(place, name)(*arguments)
        except Refused:
            continue


def judged(place: Place, signer: str, product: int, number: int | None = None) -> int | None:
    """Under which number the exchange lets the signer offer as of gate closure, if it does."""
    registry = Registry(RequiredRoles(role_of(ASSET), role_of(BALANCING), role_of(GRID_OPERATOR)))
    for fact in place.machine.facts():
        registry.apply(fact)
    try:
        standing = registry.judge(
            Address(place.house), address_of(signer), 0, GATE_CLOSURE, balancing=product != SPOT, number=number
        )
    except AuthorityRefused:
        return None
    return standing.asset.number


def check(place: Place, before, after) -> set[bool]:
    """Before the gate closes the two agree; what stands afterwards in the exchange's eyes, the contract settles."""
    mark, now, logged = place.machine.snapshot(), place.machine.now, len(place.machine.logged)
    seen = set()
    try:
        run(place, before, GATE_CLOSURE)
        asked = [(signer, product) for signer in SIGNERS for product in (SPOT, BALANCING_UP)]
        allowed = {(signer, product): judged(place, signer, product) for signer, product in asked}
        place.machine.move_to(GATE_CLOSURE)
        place.refresh()
        every = range(1, place.town.read("asset_count") + 1)
        numbers = [number for number in every if place.town.read("asset", number)[0][2:] == place.house.hex()]
        for (signer, product), under in allowed.items():
            settling = {number for number in numbers if place.settles(signer, number, product)}
            assert settling == ({under} if under is not None else set()), (signer, product)
            seen.add(under is not None)
        place.machine.move_to(GATE_CLOSURE + 1)
        run(place, after, None)
        place.refresh()
        for (signer, product), under in allowed.items():
            if under is not None:
                assert judged(place, signer, product, under) == under
                assert place.settles(signer, under, product)
    finally:
        place.machine.revert(mark)
        place.machine.move_to(now)
        del place.machine.logged[logged:]
    return seen


@given(before=st.lists(actions, min_size=3, max_size=16), after=st.lists(actions, max_size=5))
@settings(max_examples=25, deadline=None)
def test_what_the_exchange_lets_in_the_contract_settles_and_nothing_else(place, before, after):
    check(place, before, after)


@pytest.mark.slow
@given(before=st.lists(actions, min_size=3, max_size=40), after=st.lists(actions, max_size=20))
@settings(max_examples=500, deadline=None)
def test_what_the_exchange_lets_in_the_contract_settles_after_long_histories(place, before, after):
    check(place, before, after)


def test_a_claim_that_ended_in_the_second_it_began_in_takes_nothing_back(place):
    again = [("revoke", ASSET), ("wait", 1), ("certify", ASSET, 0, 60), ("revoke", ASSET)]
    assert check(place, [("wait", 1), ("wait", 1), ("wait", 1)], again) == {True, False}


def test_the_comparison_sees_both_answers(place):
    assert check(place, [("delegate", 0, 5_000)], [("sell", 0), ("revoke", ASSET)]) == {True, False}
    assert check(place, [("certify", BALANCING, 0, 5_000), ("delegate", 0, 5_000)], []) == {True, False}
