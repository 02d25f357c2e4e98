"""The index in memory and the contracts' views say the same, at every moment of any history."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.address import Address
from identity.authority import AuthorityIndex
from identity.errors import AuthorityRefused
from identity.facts import IdentityFact
from identity.purposes import TRADE, delegate_type
from tests.contracts.identities import Identities, role_of
from tests.contracts.machine import GENESIS, Refused
from tests.contracts.orders import address_of, keccak
from tests.recording import Recording

RUNGS = 9
LABELS = ("asset", "balancingprovider", "gridoperator", "certifier", "inspector", *(f"rung{n}" for n in range(RUNGS)))
ROLES = tuple(map(role_of, LABELS))
PEOPLE = ("the certifier", "the community operator", "the inspector", *(f"holder of rung {n}" for n in range(RUNGS)))
OWNERS = ("ann", "bob")
AGENTS = ("agent one", "agent two")


class World:
    """The registries on a machine with two assets."""

    def __init__(self) -> None:
        self.machine = Recording()
        self.people = Identities(self.machine)
        self.contracts = {
            "DidRegistry": self.people.dids,
            "AssetRegistry": self.people.assets,
            "RoleRegistry": self.people.roles,
        }
        self.shells = [self.people.asset(owner) for owner in OWNERS]
        self.assets = [shell.address for shell in self.shells]
        self.subjects = [*self.assets, *map(address_of, PEOPLE)]
        for role, issuers, issuer_role in ((0, (), 3), (1, (), 3), (2, (1,), None), (3, (1,), None), (4, (), 3)):
            self.define(role, issuers, issuer_role)
        self.claim(2, 3, 1, 10_000)
        for asset in (0, 1):
            self.claim(asset, 0, 0, 10_000)

    @property
    def facts(self) -> list[IdentityFact]:
        return self.machine.facts()

    # What may happen; what a contract refuses does not

    def wait(self, seconds: int) -> None:
        self.machine.move_to(self.machine.now + seconds)

    def define(self, role: int, issuers: tuple[int, ...], issuer_role: int | None) -> None:
        listed = [address_of(PEOPLE[each]) for each in issuers]
        above = ROLES[issuer_role] if issuer_role is not None and not issuers else bytes(32)
        self.people.define(LABELS[role], issuers=listed, issuer_role=above, ends_at_sale=role == 1)

    def claim(self, subject: int, role: int, issuer: int, seconds: int) -> None:
        """Whoever has the subject agrees. Each proof serves once, so the same one in the same second is refused."""
        terms = {"expiry": self.machine.now + seconds}
        if subject < 2:
            owner = self.people.assets.read("tenure", self.assets[subject])[0][2:]
            terms["agreed_by"] = next((each for each in OWNERS if address_of(each).hex() == owner), OWNERS[0])
        who = self.shells[subject] if subject < 2 else PEOPLE[subject - 2]
        self.people.claim(who, LABELS[role], PEOPLE[issuer], **terms)

    def revoke(self, subject: int, role: int, by: int) -> None:
        self.people.roles.send(PEOPLE[by], "revoke", ROLES[role], self.subjects[subject])

    def sell(self, asset: int, owner: int) -> None:
        self.people.sell(self.shells[asset], OWNERS[owner], OWNERS[1 - owner])

    def retire(self, asset: int, owner: int) -> None:
        self.shells[asset].send(OWNERS[owner], "retire")

    def delegate(self, asset: int, owner: int, agent: int, seconds: int) -> None:
        self.shells[asset].send(OWNERS[owner], "delegate", TRADE, address_of(AGENTS[agent]), seconds)

    def dismiss(self, asset: int, owner: int, agent: int) -> None:
        self.shells[asset].send(OWNERS[owner], "dismiss", TRADE, address_of(AGENTS[agent]))


two, people, spans = st.integers(0, 1), st.integers(0, 2), st.sampled_from([1, 2, 30, 300])
subjects, roles = st.integers(0, 4), st.integers(0, 4)
listed = st.lists(people, max_size=2, unique=True).map(tuple)
actions = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([1, 1, 5, 60])),
    st.tuples(st.just("claim"), subjects, roles, people, spans),
    st.tuples(st.just("claim"), subjects, roles, people, spans),
    st.tuples(st.just("claim"), two, two, st.just(0), spans),
    st.tuples(st.just("revoke"), subjects, roles, people),
    st.tuples(st.just("define"), roles, listed, st.none() | roles),
    st.tuples(st.just("sell"), two, two),
    st.tuples(st.just("delegate"), two, two, two, spans),
    st.tuples(st.just("dismiss"), two, two, two),
    st.tuples(st.just("retire"), st.just(1), two),
)


@pytest.fixture(scope="module")
def founded():
    return World()


def folded(facts) -> AuthorityIndex:
    index = AuthorityIndex()
    for fact in facts:
        index.apply(fact)
    return index


def instants(world: World) -> list[int]:
    """Every moment at which something changes, the one before, and some beyond."""
    known = {GENESIS, world.machine.now, world.machine.now + 10_000}
    for fact in world.facts:
        known |= {fact.at, getattr(fact, "expiry", fact.at), getattr(fact, "valid_to", fact.at)}
    return sorted({moment + step for moment in known for step in (-1, 0) if moment + step > 0})


def agree(world: World, index: AuthorityIndex, moments: list[int]) -> None:
    """Whatever the index answers, the contracts' views answer."""
    roles, assets, dids = (world.contracts[name] for name in ("RoleRegistry", "AssetRegistry", "DidRegistry"))
    now = world.machine.now
    for subject in world.subjects:
        for role in ROLES:
            if index.roles.claim(subject, role) is None:
                continue
            assert index.held_until(subject, role) == roles.read("held_until", subject, role)
            assert index.holds(subject, role, now).holds == roles.read("hasRole", subject, role, 0)
            for at in moments:
                expected = roles.read("hasRoleAt", subject, role, 0, at)
                assert index.holds(subject, role, at).holds == expected, (subject.hex(), role.hex(), at)
                begin, end = index.roles.window(subject, role)
                assert expected or not begin <= at <= end
    for asset in world.assets:
        owner, epoch, since = assets.read("tenure", asset)
        tenures = index.tenures.of(asset)
        assert (len(tenures), tenures[-1].since) == (epoch, since)
        present = index.tenures.at(asset, now)
        assert (bytes(20) if present is None else present.owner).hex() == owner[2:]
        for tenure in tenures:
            ended = assets.read("epoch_ended", asset, tenure.epoch)
            assert (index.tenures.ended(asset, tenure.epoch) or 0) == ended
            kind = delegate_type(TRADE, tenure.epoch)
            for agent in map(address_of, AGENTS):
                valid_to = dids.read("delegates", asset, keccak(kind), agent)
                assert (index.delegation(asset, kind, agent) or 0) == valid_to
                assert dids.read("validDelegate", asset, kind, agent) == (valid_to > now)
        for signer in map(address_of, (*OWNERS, *AGENTS)):
            named = dids.read("validDelegate", asset, delegate_type(TRADE, epoch), signer)
            may = signer.hex() == owner[2:] or (named and present is not None)
            assert may == allowed(index, signer, asset, now)
            assert (may and roles.read("hasRole", asset, ROLES[0], 0)) == allowed(index, signer, asset, now, ROLES[0])


def allowed(index: AuthorityIndex, signer, asset, at, role=None) -> bool:
    try:
        index.may_act(Address(signer), Address(asset), TRADE, at, role=role)
    except AuthorityRefused:
        return False
    return True


def run(world: World, history) -> None:
    for name, *arguments in history:
        try:
            getattr(world, name)(*arguments)
        except Refused:
            continue


def compared(world: World, history, moments: int) -> None:
    mark, logged, now = world.machine.snapshot(), len(world.machine.logged), world.machine.now
    try:
        run(world, history)
        index, times = folded(world.facts), instants(world)
        agree(world, index, times[:: len(times) // moments + 1])
        assert folded(world.facts).digest() == index.digest()
    finally:
        world.machine.revert(mark)
        world.machine.move_to(now)
        del world.machine.logged[logged:]


@given(history=st.lists(actions, min_size=8, max_size=30))
@settings(max_examples=25, deadline=None)
def test_the_index_says_what_the_contracts_say(founded, history):
    compared(founded, history, 12)


@pytest.mark.slow
@given(history=st.lists(actions, min_size=20, max_size=80))
@settings(max_examples=400, deadline=None)
def test_the_index_says_what_the_contracts_say_of_long_histories(founded, history):
    compared(founded, history, 60)


def test_a_claim_that_began_after_its_issuer_s_ended_is_judged_by_older_ones(founded):
    """The certifier's claim lapses and is renewed; what it issued before is held before and after, not between."""
    history = [("claim", 2, 3, 1, 30), ("wait", 31), ("wait", 5), ("claim", 2, 3, 1, 300)]
    compared(founded, history, 1_000)


@pytest.mark.parametrize("claims", [8, 9])
def test_a_chain_of_eight_claims_holds_and_of_nine_does_not(founded, claims):
    """Whoever is on a rung was put there by who is on the next; only who stands highest was put there by one listed."""
    first_person, first_role, community_operator = 3, 5, 1
    history = []
    for rung in reversed(range(claims)):
        role, issuer = first_role + rung, community_operator if rung == claims - 1 else first_person + rung + 1
        by_list = rung in {7, claims - 1}
        history.append(("define", role, (issuer,) if by_list else (), None if by_list else role + 1))
        history.append(("claim", first_person + 2 + rung, role, issuer, 300))
    if claims == 9:  # nobody is put on the lowest rung of so long a ladder; but a ladder can become longer
        history.append(("define", first_role + 7, (), first_role + 8))
    mark, logged = founded.machine.snapshot(), len(founded.machine.logged)
    run(founded, history)
    index = folded(founded.facts)
    agree(founded, index, [founded.machine.now])
    lowest = founded.subjects[first_person + 2]
    assert index.holds(lowest, ROLES[first_role], founded.machine.now).holds == (claims == 8)
    assert index.holds(founded.subjects[first_person + 3], ROLES[first_role + 1], founded.machine.now).holds
    founded.machine.revert(mark)
    del founded.machine.logged[logged:]


def test_a_long_chain_of_issuers_and_a_circle_are_judged_alike(founded):
    history = [("define", 4, (), 4), ("claim", 3, 4, 0, 300), ("define", 3, (), 4), ("claim", 4, 3, 1, 30)]
    compared(founded, history, 1_000)
