"""A change of a node's fee and limits: what is signed, who may sign it, and what a node cannot have."""

from dataclasses import replace

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from exchange.delivery import Mechanism
from exchange.errors import ExchangeRefused
from exchange.events import ParametersSet
from exchange.market import Market
from exchange.terms import NO_LIMIT, NodeTerms, under
from exchange.tree import Fee
from exchange.units import MAX_RATE, MicroPerKwh, Wh
from identity.energy_roles import EnergyRole
from identity.errors import IdentityRefused, NotTheGridOperator
from identity.hashing import keccak
from tests.actors import STRANGER
from tests.exchange import street
from tests.registries import COMMUNITY, GRID_OPERATOR, claim

limits = st.one_of(st.none(), st.integers(0, (1 << 62) - 1).map(Wh))
fees = st.one_of(
    st.builds(Fee, constant=st.integers(0, MAX_RATE).map(MicroPerKwh)), st.builds(Fee, ppm=st.integers(0, 1_000_000))
)
changes = st.builds(
    NodeTerms,
    node=st.integers(1, (1 << 32) - 1),
    fee=fees,
    import_limit=limits,
    export_limit=limits,
    serial=st.integers(1, (1 << 64) - 1),
)


def typed_data(terms: NodeTerms) -> dict[str, object]:
    """What a wallet would be shown."""
    fields = ["node uint32", "feeMicroPerKwh uint48", "feePpm uint32", "importLimitWh uint64", "exportLimitWh uint64"]
    listed = [dict(zip(("name", "type"), field.split(), strict=True)) for field in [*fields, "serial uint64"]]
    in_and_out = [NO_LIMIT if limit is None else limit for limit in (terms.import_limit, terms.export_limit)]
    values = (terms.node, terms.fee.constant, terms.fee.ppm, *in_and_out, terms.serial)
    domain = street.DOMAIN
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "NodeTerms": listed,
        },
        "primaryType": "NodeTerms",
        "domain": {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        "message": dict(zip((field["name"] for field in listed), values, strict=True)),
    }


@given(changes)
def test_the_digest_is_the_one_a_wallet_signs(terms):
    message = encode_typed_data(full_message=typed_data(terms))
    assert terms.digest(street.SEPARATOR) == keccak(b"\x19\x01" + message.header + message.body)


@given(changes, changes)
def test_two_changes_have_two_names(one, other):
    assert (one.digest(street.SEPARATOR) == other.digest(street.SEPARATOR)) == (one == other)


PLAIN = NodeTerms(node=1, fee=Fee(constant=MicroPerKwh(4_000)), import_limit=None, export_limit=Wh(500), serial=1)


@pytest.mark.parametrize(
    "change",
    [
        {"node": 0},
        {"node": 1 << 32},
        {"serial": 0},
        {"serial": 1 << 64},
        {"import_limit": -1},
        {"export_limit": 1 << 62},
    ],
    ids=str,
)
def test_terms_that_their_fields_cannot_hold_are_refused(change):
    with pytest.raises(ValueError):
        replace(PLAIN, **change)


def test_the_rules_under_new_terms_differ_in_the_one_node():
    rules = under(street.PARAMETERS, PLAIN)
    root = street.TREE.root
    assert rules.tree.root == replace(root, fee=PLAIN.fee, import_limit=None, export_limit=500)
    assert replace(rules, tree=street.TREE) == street.PARAMETERS


# Deciding


class Attempt:
    """A grid operator's change, handed in after what an attempt makes of it."""

    def __init__(self, market: Market, registry) -> None:
        self.market, self.registry = market, registry
        self.terms, self.by, self.now = PLAIN, GRID_OPERATOR, street.OPENING

    def hand_in(self) -> str:
        signature = self.by.sign(self.terms.digest(street.SEPARATOR))
        try:
            event = self.market.set_terms(self.terms, signature, registry=self.registry, now=self.now)
        except (ExchangeRefused, IdentityRefused) as refusal:
            return refusal.code
        if event is None:
            return "held"
        assert (event.signer, event.at) == (self.by.address, self.now)
        self.market.apply(event)
        return "taken"


@pytest.fixture
def attempt(market, registry):
    return Attempt(market, registry)


def test_the_operator_of_a_node_sets_its_terms_and_once_more_is_harmless(attempt):
    assert [attempt.hand_in(), attempt.hand_in()] == ["taken", "held"]
    assert len(attempt.market.rulebook.changes) == 1


def test_nobody_else_does_not_even_who_operates_the_grid_elsewhere(attempt):
    attempt.by = STRANGER
    assert attempt.hand_in() == "not-the-grid-operator"
    attempt.registry.apply(claim(STRANGER.address, EnergyRole.GRID_OPERATOR, COMMUNITY))
    assert attempt.registry.must_operate(STRANGER.address, 1, street.OPENING) is None
    assert attempt.hand_in() == "not-the-grid-operator", "the rules of the founding name who operates a node"


def test_a_claim_counts_while_it_lasts(attempt):
    attempt.registry.apply(claim(GRID_OPERATOR.address, EnergyRole.GRID_OPERATOR, COMMUNITY, expiry=street.OPENING))
    assert attempt.hand_in() == "not-the-grid-operator"
    attempt.now -= 1
    assert attempt.hand_in() == "taken"


def test_a_claim_for_one_node_is_for_no_other(registry):
    of_node_7 = replace(claim(STRANGER.address, EnergyRole.GRID_OPERATOR, COMMUNITY), data=(7).to_bytes(32, "big"))
    registry.apply(of_node_7)
    registry.must_operate(STRANGER.address, 7, street.OPENING)
    with pytest.raises(NotTheGridOperator, match="node 7"):
        registry.must_operate(STRANGER.address, 8, street.OPENING)


def test_a_node_that_is_not_there_has_no_terms(attempt):
    attempt.terms = replace(PLAIN, node=2)
    assert attempt.hand_in() == "unknown-node"


@pytest.mark.parametrize("serial", [2, 3, (1 << 64) - 1])
def test_changes_come_in_turn(attempt, serial):
    attempt.terms = replace(PLAIN, serial=serial)
    assert attempt.hand_in() == "terms-out-of-turn"
    attempt.terms = PLAIN
    assert attempt.hand_in() == "taken"
    attempt.terms = replace(PLAIN, fee=Fee())
    assert attempt.hand_in() == "terms-out-of-turn"
    attempt.terms = replace(PLAIN, serial=2)
    assert attempt.hand_in() == "taken"


@pytest.mark.parametrize(
    ("fee", "answer"),
    [
        (Fee(constant=10_000), "taken"),
        (Fee(constant=10_001), "terms-out-of-bounds"),
        (Fee(ppm=2_500), "taken"),  # of 4.000000, the highest limit there is, 0.010000
        (Fee(ppm=2_501), "terms-out-of-bounds"),
    ],
)
def test_no_trade_may_ever_pay_more_than_the_cap(attempt, fee, answer):
    attempt.terms = replace(PLAIN, fee=fee)
    assert attempt.hand_in() == answer


def test_a_share_is_none_for_a_market_cleared_as_a_network(registry):
    market = Market()
    network = replace(street.TERMS, mechanism=Mechanism.NETWORK)
    market.apply(ParametersSet(parameters=replace(street.PARAMETERS, markets=(network,)), at=0))
    attempt = Attempt(market, registry)
    attempt.terms = replace(PLAIN, fee=Fee(ppm=1))
    assert attempt.hand_in() == "terms-out-of-bounds"
    attempt.terms = PLAIN
    assert attempt.hand_in() == "taken"
