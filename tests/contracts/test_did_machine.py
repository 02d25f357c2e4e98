"""All ten operations of ERC-1056 in whatever order, by whomever: the registry holds what a plain model holds."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.artifacts import load
from tests.contracts.caller import Contract
from tests.contracts.identities import hexed
from tests.contracts.machine import Refused, Revm
from tests.contracts.orders import address_of, keccak, key_of, sign
from tests.contracts.test_did_registry import message

PEOPLE = {address_of(name): name for name in ("ann", "ben", "cid")}
KINDS = (b"veriKey".ljust(32, b"\0"), keccak(b"a purpose"))
person = st.sampled_from(sorted(PEOPLE))
OPERATIONS = st.one_of(
    st.tuples(st.just("changeOwner"), st.tuples(st.one_of(person, st.just(bytes(20))))),
    st.tuples(st.just("addDelegate"), st.tuples(st.sampled_from(KINDS), person, st.integers(0, 50))),
    st.tuples(st.just("revokeDelegate"), st.tuples(st.sampled_from(KINDS), person)),
    st.tuples(st.just("setAttribute"), st.tuples(st.sampled_from(KINDS), st.binary(max_size=70), st.integers(0, 50))),
    st.tuples(st.just("revokeAttribute"), st.tuples(st.sampled_from(KINDS), st.binary(max_size=70))),
)


class Registry(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.dids = Contract(Revm(), load("DidRegistry"), "the deployer")
        self.owners: dict[bytes, bytes] = {}
        self.valid_to: dict[tuple[bytes, bytes, bytes], int] = {}
        self.nonces: Counter[bytes] = Counter()

    def owner(self, identity):
        return self.owners.get(identity, identity)

    @rule(identity=person, actor=person, operation=OPERATIONS, stale=st.integers(0, 3).map(lambda n: n == 0))
    def write_signed(self, identity, actor, operation, stale):
        name, arguments = operation
        nonce = self.nonces[self.owner(identity)] + stale
        r, parity, s = sign(message(self.dids.address, nonce, identity, name, *arguments), key_of(PEOPLE[actor]))
        allowed = actor == self.owner(identity) and not stale
        if self.goes(allowed, "anybody", f"{name}Signed", identity, 27 + parity, r, s, *arguments):
            self.nonces[actor] += 1
            self.keep(identity, name, arguments)

    @rule(identity=person, actor=person, operation=OPERATIONS)
    def write(self, identity, actor, operation):
        name, arguments = operation
        if self.goes(actor == self.owner(identity), PEOPLE[actor], name, identity, *arguments):
            self.keep(identity, name, arguments)

    @rule(seconds=st.integers(1, 30))
    def time_passes(self, seconds):
        self.dids.machine.move_to(self.dids.machine.now + seconds)

    def goes(self, allowed, sender, name, *arguments):
        try:
            self.dids.send(sender, name, *arguments)
        except Refused:
            assert not allowed
        else:
            assert allowed
        return allowed

    def keep(self, identity, name, arguments):
        now = self.dids.machine.now
        match name:
            case "changeOwner":
                self.owners[identity] = arguments[0] if any(arguments[0]) else identity
            case "addDelegate":
                self.valid_to[identity, arguments[0], arguments[1]] = now + arguments[2]
            case "revokeDelegate":
                self.valid_to[identity, arguments[0], arguments[1]] = now

    @invariant()
    def it_holds_what_the_model_holds(self):
        for identity in PEOPLE if hasattr(self, "dids") else ():
            assert self.dids.read("identityOwner", identity) == hexed(self.owner(identity))
            assert self.dids.read("nonce", identity) == self.nonces[identity]
        for (identity, kind, delegate), valid_to in getattr(self, "valid_to", {}).items():
            assert self.dids.read("delegates", identity, keccak(kind), delegate) == valid_to
            valid = self.dids.read("validDelegate", identity, kind, delegate)
            assert valid == (valid_to > self.dids.machine.now)


TestRegistry = Registry.TestCase
TestRegistry.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
