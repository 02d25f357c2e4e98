"""Whatever people do with assets and claims, in whatever order: the contracts say what a plain model says."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.contracts.identities import Identities, hexed, role_of
from tests.contracts.machine import GENESIS, Refused, Revm
from tests.contracts.orders import address_of

PEOPLE = ("ann", "ben", "cid", "dot")
TRUST = "the root of trust"
# who issues what: a role of a listed issuer, one issued by its holders, and one that ends at a sale
ABOVE = {"r1": None, "r2": "r1", "r3": "r2"}
person = st.sampled_from(PEOPLE)


@dataclass
class Claim:
    at: int
    expiry: int
    issuer: str
    epoch: int
    revoked: int | None = None


@dataclass
class Asset:
    owners: list[str]
    ended: list[int]
    offered: tuple[str, int] | None = None
    retired: bool = False

    @property
    def owner(self) -> str | None:
        return None if self.retired else self.owners[-1]


class World(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.town = Identities(Revm())
        self.town.define("r1", issuers=(address_of(TRUST),))
        self.town.define("r2", issuer_role=role_of("r1"))
        self.town.define("r3", issuer_role=role_of("r2"), ends_at_sale=True)
        self.contracts = []
        self.assets: list[Asset] = []
        self.claims: dict[tuple[object, str], list[Claim]] = {}
        self.create("ann")

    @property
    def now(self):
        return self.town.machine.now

    # What people do

    @rule(owner=person)
    @precondition(lambda self: len(self.assets) < 3)
    def create(self, owner):
        self.contracts.append(self.town.asset(owner))
        self.assets.append(Asset([owner], []))

    @rule(data=st.data(), actor=person, to=person, seconds=st.sampled_from([0, 0, 20]))
    def offer(self, data, actor, to, seconds):
        i = data.draw(st.integers(0, len(self.assets) - 1))
        until = self.now + seconds if seconds else 0
        allowed = actor == self.assets[i].owner
        if self.goes(allowed, self.contracts[i], actor, "offerUntil", address_of(to), until):
            self.assets[i].offered = to, until

    @rule(data=st.data(), actor=person, answer=st.sampled_from(["acceptOffer", "acceptOffer", "rejectOffer"]))
    def answer(self, data, actor, answer):
        i = data.draw(st.integers(0, len(self.assets) - 1))
        asset = self.assets[i]
        open_still = asset.offered is not None and asset.offered[1] in range(1, self.now)
        allowed = (
            asset.offered is not None and asset.offered[0] == actor and (answer == "rejectOffer" or not open_still)
        )
        if self.goes(allowed, self.contracts[i], actor, answer):
            asset.offered = None
            if answer == "acceptOffer":
                asset.owners.append(actor)
                asset.ended.append(self.now)

    @rule(data=st.data(), actor=person)
    def cancel(self, data, actor):
        i = data.draw(st.integers(0, len(self.assets) - 1))
        asset = self.assets[i]
        if self.goes(actor == asset.owner and asset.offered is not None, self.contracts[i], actor, "cancelOffer"):
            asset.offered = None

    @rule(data=st.data(), actor=person)
    @precondition(lambda self: self.now > GENESIS + 100)
    def retire(self, data, actor):
        i = data.draw(st.integers(0, len(self.assets) - 1))
        asset = self.assets[i]
        if self.goes(actor == asset.owner, self.contracts[i], actor, "retire"):
            asset.ended.append(self.now)
            asset.offered, asset.retired = None, True

    @rule(
        data=st.data(),
        role=st.sampled_from(sorted(ABOVE)),
        issuer=st.sampled_from([*PEOPLE, TRUST, TRUST]),
        seconds=st.integers(1, 90),
    )
    def register(self, data, role, issuer, seconds):
        subject = data.draw(st.sampled_from([*PEOPLE, *range(len(self.assets))]))
        owner = subject if isinstance(subject, str) else self.assets[subject].owner
        whom = subject if isinstance(subject, str) else self.contracts[subject]
        known = len(self.claims.get((subject, role), ()))
        try:
            self.town.claim(whom, role, issuer, agreed_by=owner or "somebody", expiry=self.now + seconds)
        except Refused as refusal:
            told = refusal.reason
        else:
            told = ""
            epoch = 0 if isinstance(subject, str) else len(self.assets[subject].owners)
            self.claims.setdefault((subject, role), []).append(Claim(self.now, self.now + seconds, issuer, epoch))
        expected = ""
        if owner == issuer:
            expected = "claims: issued to oneself"
        elif owner is None:
            expected = "claims: subject did not agree"
        elif told == "claims: proof was used":
            expected = told  # the very same was registered in this second, or before a clock that stood still
        elif not self.may_issue(role, issuer):
            expected = "claims: issuer may not issue"
        assert told == expected
        assert len(self.claims.get((subject, role), ())) == known + (not told)

    @rule(data=st.data(), role=st.sampled_from(sorted(ABOVE)))
    def revoke(self, data, role):
        held = sorted((key for key in self.claims if key[1] == role), key=str)
        if not held:
            return
        subject, _ = data.draw(st.sampled_from(held))
        claim = self.claims[subject, role][-1]
        by = data.draw(st.sampled_from([claim.issuer, claim.issuer, *PEOPLE]))
        address = address_of(subject) if isinstance(subject, str) else self.contracts[subject].address
        allowed = claim.revoked is None and by == claim.issuer
        if self.goes(allowed, self.town.roles, by, "revoke", role_of(role), address):
            claim.revoked = self.now

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds):
        self.town.pass_by(seconds)

    def goes(self, allowed, contract, actor, name, *arguments):
        """Make a call that must be taken if, and only if, it is allowed; return whether it was."""
        try:
            contract.send(actor, name, *arguments)
        except Refused:
            assert not allowed
        else:
            assert allowed
        return allowed

    # What must be so

    def may_issue(self, role, issuer):
        above = ABOVE[role]
        return issuer == TRUST if above is None else self.holds(issuer, above, self.now)

    def holds(self, subject, role, at):
        before = [claim for claim in self.claims.get((subject, role), ()) if claim.at <= at]
        if not before:
            return False
        claim, above = before[-1], ABOVE[role]
        if at >= claim.expiry or (claim.revoked is not None and claim.revoked <= at):
            return False
        if role == "r3" and claim.epoch:
            ended = self.assets[subject].ended
            if claim.epoch <= len(ended) and ended[claim.epoch - 1] <= at:
                return False
        return claim.issuer == TRUST if above is None else self.holds(claim.issuer, above, at)

    @invariant()
    def assets_belong_to_whom_the_model_says(self):
        for asset, contract in zip(getattr(self, "assets", ()), getattr(self, "contracts", ()), strict=True):
            owner, epoch, _ = self.town.assets.read("tenure", contract.address)
            assert owner == hexed(bytes(20) if asset.owner is None else address_of(asset.owner))
            assert epoch == len(asset.owners)
            if asset.ended:
                assert self.town.assets.read("epoch_ended", contract.address, len(asset.ended)) == asset.ended[-1]

    def teardown(self):
        """Roles are held as the model says, whenever something may change; and `held_until` is such a second."""
        for subject, role in getattr(self, "claims", ()):
            whom = subject if isinstance(subject, str) else self.contracts[subject]
            moments = {
                self.now,
                *(m for claims in self.claims.values() for c in claims for m in (c.at, c.expiry, c.revoked) if m),
            }
            moments |= {ended for asset in self.assets for ended in asset.ended}
            for moment in {m + d for m in moments for d in (-1, 0)}:
                assert self.town.had(whom, role, moment) == self.holds(subject, role, moment)
            until = self.town.until(whom, role)
            assert until == 0 or self.holds(subject, role, until)
            if until >= self.now or self.holds(subject, role, self.now):
                # as things are, it is held from now to then, and no longer
                assert self.holds(subject, role, self.now)
                assert not self.holds(subject, role, until + 1)
                assert all(self.holds(subject, role, m) for m in moments if self.now <= m <= until)


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
