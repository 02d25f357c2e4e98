"""Claims, disputes and imbalance told to the contract, read from its log, and followed by the ledger to the nano."""

from dataclasses import replace

import pytest

from contracts.abi import abi_of
from contracts.artifacts import load
from contracts.deployment import constructor
from contracts.errors import Reverted
from contracts.transacting import transact
from exchange.units import MicroPerKwh, Nano, Wh
from identity.address import Address
from identity.hashing import keccak
from identity.purposes import METER
from identity.signature import address_of, sign
from settlement.claim_tree import Charge, ClaimLeaf, ClaimTree, ImbalanceClaim, claim_session, salt_of
from settlement.effects import imbalance_contract, settlement_contract
from settlement.effects.chain_view import read_chain
from settlement.effects.contract_log import decode_imbalance
from settlement.effects.fact_document import from_json, kind_of, to_json
from settlement.effects.imbalance_contract import ImbalanceContract
from settlement.effects.indexer import Indexer
from settlement.facts import (
    Answering,
    BondCollected,
    ImbalanceClaimed,
    ImbalanceOpened,
    ImbalanceSettled,
    ImbalanceVoided,
    Moved,
)
from settlement.reading import Reading
from tests.actors import STRANGER
from tests.settlement.effects.street import (
    ADMIN_KEY,
    CONSUMER,
    EURO,
    FIRST_DELIVERY,
    OPERATOR_KEY,
    PRODUCER,
    PROSUMER,
    TERMS,
)

SHORT, LONG, BOND, WINDOW = MicroPerKwh(400_000), MicroPerKwh(50_000), Nano(5_000_000), 3_600
RULES = keccak(b"the community's rules")
SECRET = keccak(b"a secret of the operator")
METER_KEY = keccak(b"the key in the meter")


class Imbalance:
    """The street's contract of imbalance: named, open, its session over. The counterpart is the producer's account."""

    def __init__(self, street) -> None:
        self.street = street
        deployed = transact(street.evm, ADMIN_KEY, None, constructor(load("Imbalance"), street.address))
        self.contract = ImbalanceContract(street.evm, Address(deployed.contract_address))
        street.tell(ADMIN_KEY, settlement_contract.name_clearer(self.contract.address))
        street.clock.now = street.contract.clearer()[1]
        self.terms = ImbalanceOpened(
            market=TERMS.market, counterpart=PRODUCER.account, price_cap=MicroPerKwh(500_000), window=WINDOW, bond=BOND
        )
        self.opened = self.tell(ADMIN_KEY, imbalance_contract.open_imbalance(self.terms))
        street.tell(ADMIN_KEY, settlement_contract.open_account(address_of(OPERATOR_KEY)))
        self.account = street.contract.account_count()
        street.fund(self.account, EURO)
        street.clock.now = max(street.clock.now, FIRST_DELIVERY + 900)

    def tell(self, key, data):
        return transact(self.street.evm, key, self.contract.address, data)

    def facts(self, receipt):
        own = [entry for entry in receipt.logs if entry.address == self.contract.address]
        return [decode_imbalance(entry) for entry in own]

    def tree(self, **net) -> ClaimTree:
        session = claim_session(TERMS.market, FIRST_DELIVERY)
        nets = {CONSUMER: net.get("consumer", -1_300), PROSUMER: net.get("prosumer", 400)}
        return ClaimTree(
            session,
            [
                ClaimLeaf(
                    asset=member.asset,
                    account=member.account,
                    net=Wh(energy),
                    contracted=Wh(-1_000 if member is CONSUMER else 400),
                    version=1,
                    salt=salt_of(SECRET, session, member.asset),
                )
                for member, energy in nets.items()
            ],
        )

    def claim(self, tree):
        data = imbalance_contract.claim(tree, short=SHORT, long=LONG, parameters=RULES, account=self.account)
        [fact] = self.facts(self.tell(OPERATOR_KEY, data))
        return fact, ImbalanceClaim(
            market=TERMS.market,
            start=FIRST_DELIVERY,
            root=fact.root,
            leaves=fact.leaves,
            short=fact.short,
            long=fact.long,
            parameters=fact.parameters,
            account=fact.account,
            claimed_at=fact.claimed_at,
        )

    def reading(self, member, net):
        """The meter's signature of what it read."""
        identity = self.street.identities[member.asset]
        read = Reading(asset=identity, start=FIRST_DELIVERY, seconds=900, net=Wh(net))
        return sign(read.digest(self.street.contract.domain_separator()), METER_KEY)

    def name_meter(self, member):
        data = abi_of("AssetIdentity").calldata("delegate", METER, address_of(METER_KEY), 1 << 32)
        transact(self.street.evm, member.key, self.street.identities[member.asset], data)


@pytest.fixture
def imbalance(street):
    return Imbalance(street)


def test_the_clearer_is_known_to_the_settlement(street, imbalance):
    named, since = street.contract.clearer()
    assert named == imbalance.contract.address == street.contract.sources().clearer
    assert since <= street.evm.head().timestamp
    assert imbalance.contract.settlement() == street.address
    assert street.contract.account(imbalance.contract.bond_account()).holder == imbalance.contract.address


def test_a_settlement_without_a_clearer_says_so(street):
    assert street.contract.clearer() == (None, 0)
    assert street.contract.sources().clearer is None


def test_terms_can_be_asked_again(imbalance):
    assert imbalance.facts(imbalance.opened) == [imbalance.terms]
    assert imbalance.contract.terms(TERMS.market) == imbalance.terms
    assert imbalance.contract.terms(TERMS.market + 1) is None


def test_a_claim_stands_until_it_is_settled(street, imbalance):
    tree = imbalance.tree()
    fact, claim = imbalance.claim(tree)
    assert isinstance(fact, ImbalanceClaimed)
    assert (fact.session, fact.root, fact.leaves) == (tree.session, tree.root, 2)
    assert imbalance.contract.stands(claim)
    street.clock.now = claim.claimed_at + WINDOW + 1
    charge = Charge(tree.leaves[0], Nano(-300 * SHORT))
    receipt = imbalance.tell(OPERATOR_KEY, imbalance_contract.settle_imbalance(claim, tree, [charge]))
    assert imbalance.facts(receipt) == [
        ImbalanceSettled(session=tree.session, charges=1, counterpart=Nano(300 * SHORT))
    ]
    assert not imbalance.contract.stands(claim)
    assert imbalance.contract.is_settled(tree.session)


def test_a_reading_voids_a_claim(street, imbalance):
    imbalance.name_meter(CONSUMER)
    tree = imbalance.tree(consumer=-1_301)
    _, claim = imbalance.claim(tree)
    leaf = tree.leaves[0]
    told = {"net": Wh(-1_300), "version": 1, "account": CONSUMER.account}
    shown = claim, leaf, tree.proof(leaf)
    with pytest.raises(Reverted, match="imbalance: not its meter"):
        imbalance.tell(
            STRANGER.key, imbalance_contract.dispute(*shown, signature=imbalance.reading(PROSUMER, -1_300), **told)
        )
    receipt = imbalance.tell(
        ADMIN_KEY, imbalance_contract.dispute(*shown, signature=imbalance.reading(CONSUMER, -1_300), **told)
    )
    expected = ImbalanceVoided(session=tree.session, account=CONSUMER.account, asset=CONSUMER.asset, paid=True)
    assert imbalance.facts(receipt) == [expected]
    assert not imbalance.contract.stands(claim)
    assert not imbalance.contract.is_settled(tree.session)


def test_a_bond_won_in_a_pause_is_collected_after_it(street, imbalance):
    imbalance.name_meter(CONSUMER)
    tree = imbalance.tree()
    _, claim = imbalance.claim(tree)
    leaf = tree.leaves[0]
    street.tell(ADMIN_KEY, settlement_contract.pause())
    told = {"net": Wh(-1_000), "version": 1, "account": CONSUMER.account}
    signature = imbalance.reading(CONSUMER, -1_000)
    imbalance.tell(ADMIN_KEY, imbalance_contract.dispute(claim, leaf, tree.proof(leaf), signature=signature, **told))
    assert imbalance.contract.owed(CONSUMER.account) == BOND
    street.tell(ADMIN_KEY, settlement_contract.unpause())
    receipt = imbalance.tell(ADMIN_KEY, imbalance_contract.collect(CONSUMER.account))
    assert imbalance.facts(receipt) == [BondCollected(CONSUMER.account, BOND)]


def test_who_answers_for_another_is_on_the_chain(imbalance):
    until = FIRST_DELIVERY + 1_000_000
    data = imbalance_contract.answer_for(PROSUMER.account, CONSUMER.account, until)
    expected = Answering(responsible=PROSUMER.account, account=CONSUMER.account, until=until)
    assert imbalance.facts(imbalance.tell(PROSUMER.key, data)) == [expected]
    assert imbalance.contract.answering_until(PROSUMER.account, CONSUMER.account) == until


def test_the_ledger_follows_every_move(street, store, imbalance):
    tree = imbalance.tree()
    _, claim = imbalance.claim(tree)
    street.clock.now = claim.claimed_at + WINDOW + 1
    charges = [Charge(tree.leaves[0], Nano(-300 * SHORT))]
    imbalance.tell(OPERATOR_KEY, imbalance_contract.settle_imbalance(claim, tree, charges))
    indexer = Indexer(store, street.contract, start_block=street.deployment.registries_since)
    indexer.advance()
    state, contract = indexer.state, street.contract
    numbers = range(1, contract.account_count() + 1)
    assert {number: state.ledger.credit(number) for number in numbers} == {
        number: contract.credit_of(number) for number in numbers
    }
    assert state.ledger.total == sum(state.ledger.credits().values())
    assert set(state.claims) == set(state.charged) == {tree.session}
    moved = [seen.witnessed.fact for seen in store.facts() if isinstance(seen.witnessed.fact, Moved)]
    vault = imbalance.contract.bond_account()
    assert moved[0].entries == ((imbalance.account, -BOND), (vault, BOND))
    assert [from_json(kind_of(fact), to_json(fact)) for fact in moved] == moved
    view = read_chain(contract, start_block=street.deployment.registries_since)
    assert view.facts == tuple(seen.witnessed for seen in store.facts())


def test_every_event_of_the_contract_is_read(imbalance):
    kinds = {Answering, BondCollected, ImbalanceClaimed, ImbalanceOpened, ImbalanceSettled, ImbalanceVoided}
    assert {kind.__name__ for kind in kinds} == abi_of("Imbalance").event_names


def test_what_a_clearer_of_another_make_says_is_passed_over(street, imbalance):
    [entry] = [each for each in imbalance.opened.logs if each.address == imbalance.contract.address]
    assert decode_imbalance(replace(entry, topics=[keccak(b"Something()")])) is None
