"""Python against Vyper: leaves, trees, claims, proofs and charges come out the same on both sides."""

from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.units import MicroPerKwh, Nano, Wh
from settlement.claim_tree import Charge, ClaimLeaf, ClaimTree, ImbalanceClaim, read_entry, salt_of
from settlement.merkle import verify
from tests.contracts.caller import refused
from tests.contracts.machine import Revm
from tests.contracts.metered import CAP, CLAIMANT, COUNTERPART, RULES, Claim, Leaf, Metered, member_of, street
from tests.contracts.town import START, Town

MEMBERS = 6
METER = "the meter"
SECRET = bytes(range(32))
SESSION = 1 << 48 | START
energy = st.integers(-100_000, 100_000)
price = st.integers(-CAP, CAP)


@cache
def metered() -> Metered:
    found = street(Town(Revm()), MEMBERS)
    for number in range(MEMBERS):
        found.name_meter(member_of(number), member_of(number), METER)
    return found


@st.composite
def claim_leaves(draw: Any) -> list[ClaimLeaf]:
    """Leaves of some members, and of assets that nobody enrolled, which are charged nothing."""
    town = metered().town
    mine = draw(st.lists(st.integers(0, MEMBERS - 1), min_size=1, unique=True))
    assets = [(town.assets[member_of(number)], town.accounts[member_of(number)]) for number in mine]
    assets += [(1_000 + number, 1_000 + number) for number in range(draw(st.integers(0, 30)))]
    return [
        ClaimLeaf(
            asset=asset,
            account=account,
            net=Wh(draw(energy)),
            contracted=Wh(draw(energy)),
            version=draw(st.integers(0, 3)),
            salt=salt_of(SECRET, SESSION, asset),
        )
        for asset, account in assets
    ]


def by_the_standards(leaf: ClaimLeaf) -> Leaf:
    names = ("asset", "account", "net", "contracted", "version", "salt")
    return Leaf(**{name: getattr(leaf, name) for name in names})


def claimed_as(made: Claim) -> ImbalanceClaim:
    names = ("market", "start", "root", "leaves", "short", "long", "parameters", "account", "claimed_at")
    return ImbalanceClaim(**dict(zip(names, made.values(), strict=True)))


@settings(max_examples=25)
@given(leaves=claim_leaves(), short=price, long=price, data=st.data())
def test_a_tree_that_python_builds_is_claimed_and_settled_by_the_contract(leaves, short, long, data):
    scene, town, tree = metered(), metered().town, ClaimTree(SESSION, leaves)
    with scene.as_before():
        mirror = scene.claim_of([by_the_standards(leaf) for leaf in leaves], short=short, long=long)
        assert tree.root == mirror.the_root()
        made = claimed_as(scene.claim(mirror))
        assert made.hash() == scene.imbalance.read("claims", SESSION)
        town.move_to(made.claimed_at + 7_201)
        charges = []
        for leaf in leaves:
            full = leaf.deviation * made.price_of(leaf.deviation)
            if leaf.asset < 1_000 and data.draw(st.booleans(), "charged"):
                nano = Nano(data.draw(st.integers(min(full, 0), max(full, 0)), "nano"))
                charges.append(Charge(leaf, nano))
                assert charges[-1].is_bounded(made.short, made.long)
        before = {charge.leaf.account: town.read("credit_of", charge.leaf.account) for charge in charges}
        if any(before[charge.leaf.account] + charge.nano < 0 for charge in charges):
            return
        counterpart = town.accounts[COUNTERPART]
        held = town.credit(COUNTERPART)
        arguments = made.values(), *tree.opened(charges)
        if held < sum(charge.nano for charge in charges):
            with refused("money: credit is short"):
                scene.imbalance.send(CLAIMANT, "settle_imbalance", *arguments)
            return
        outcome = scene.imbalance.send(CLAIMANT, "settle_imbalance", *arguments)
        [(_, fields)] = town.settlement.events(outcome)
        entries = [read_entry(word) for word in fields["entries"]]
        assert entries == scene.moved(outcome)
        assert sum(change for _, change in entries) == 0
        for charge in charges:
            assert town.read("credit_of", charge.leaf.account) == before[charge.leaf.account] + charge.nano
        assert town.read("credit_of", counterpart) == held - sum(charge.nano for charge in charges)


@settings(max_examples=25)
@given(leaves=claim_leaves(), short=price, long=price, beyond=st.integers(1, 10**12), data=st.data())
def test_a_charge_that_python_calls_too_large_the_contract_refuses(leaves, short, long, beyond, data):
    scene, leaf = metered(), leaves[0]
    full = leaf.deviation * (short if leaf.deviation < 0 else long)
    nano = data.draw(st.sampled_from([min(full, 0) - beyond, max(full, 0) + beyond]))
    charge, tree = Charge(leaf, Nano(nano)), ClaimTree(SESSION, leaves)
    assert not charge.is_bounded(MicroPerKwh(short), MicroPerKwh(long))
    with scene.as_before():
        mirror = scene.claim_of([by_the_standards(each) for each in leaves], short=short, long=long)
        made = scene.claim(mirror)
        scene.wait_for_the_window(made)
        with refused("imbalance: charge is too large"):
            scene.imbalance.send(CLAIMANT, "settle_imbalance", made.values(), *tree.opened([charge]))


@settings(max_examples=25)
@given(leaves=claim_leaves(), read=energy, version=st.integers(1, 4))
def test_a_claim_falls_by_the_readings_that_contradict_it_and_by_no_other(leaves, read, version):
    scene, leaf, tree = metered(), leaves[0], ClaimTree(SESSION, leaves)
    proof = tree.proof(leaf)
    assert verify(leaf.hash(SESSION), proof, tree.root)
    name = next(name for name, number in scene.town.assets.items() if number == leaf.asset)
    with scene.as_before():
        made = scene.claim(scene.claim_of([by_the_standards(each) for each in leaves]))
        reading = scene.reading(name, read, meter=METER, version=version)
        arguments = made, by_the_standards(leaf), reading
        if read == leaf.net:
            with refused("imbalance: reading agrees"):
                scene.dispute(*arguments, account=name, proof=proof)
        elif version < leaf.version:
            with refused("imbalance: reading is older"):
                scene.dispute(*arguments, account=name, proof=proof)
        else:
            scene.dispute(*arguments, account=name, proof=proof)
            assert scene.imbalance.read("claims", SESSION) == bytes(32)


@given(leaves=claim_leaves())
def test_the_rules_of_a_claim_are_bound_by_its_hash(leaves):
    made = claimed_as(Claim(leaves=[by_the_standards(leaf) for leaf in leaves], account=1, parameters=RULES))
    assert made.session == SESSION
    assert made.hash() != claimed_as(Claim(leaves=[by_the_standards(leaves[0])], account=2)).hash()
