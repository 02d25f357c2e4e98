"""Founding: who has which duty on the chain, what is written down of it, and an exchange on a chain of others."""

import json
import shutil
from contextlib import closing
from dataclasses import replace
from itertools import pairwise

import pytest

from app.auditing import audit_folder
from app.clock import SetClock
from app.community import CommunityRefused, read_community
from app.founding import UNITS_PER_CENT, ExchangeFileUnusable, Founded, Keys, found, member_key
from app.wiring import Places, build, open_chain
from contracts.chains import preset_of
from contracts.devnet_server import DevnetServer
from contracts.errors import ChainSettingsRefused, WrongChain
from contracts.local_evm import LOCAL_CHAIN_ID, LocalEvm
from contracts.rpc_evm import RpcEvm
from exchange.delivery import Mechanism
from exchange.errors import ParametersDiffer
from exchange.session import SessionState
from exchange.units import NANO_PER_CENT
from identity.address import Address, to_text
from identity.claim_data import unpack_asset, unpack_market
from identity.effects.role_registry import RoleRegistry
from identity.energy_roles import EnergyRole, role_nodes
from identity.signature import address_of
from settlement.effects.errors import StoreOfAnotherChain
from settlement.effects.escrow_token import EscrowToken
from settlement.effects.settlement_contract import Role, SettlementContract
from settlement.lifecycle import State
from tests.e2e.day import FIRST, LEAD_SECONDS, VILLAGE, order_of, signed_by
from tests.simulators.remembering_evm import RememberingEvm

GENESIS = FIRST - 7_200
COMMUNITY = read_community(VILLAGE)
KEYS = Keys.devnet()


@pytest.fixture(scope="module")
def chain():
    clock = SetClock(GENESIS)
    return RememberingEvm(clock, genesis_time=GENESIS), clock


@pytest.fixture
def another():
    """A chain that begins as the other does."""
    return RememberingEvm(SetClock(GENESIS), genesis_time=GENESIS)


@pytest.fixture(scope="module")
def founded(chain):
    return found(chain[0], COMMUNITY, KEYS)


@pytest.fixture(scope="module")
def roles(chain, founded):
    return RoleRegistry(chain[0], Address(founded.deployment.role_registry))


@pytest.fixture(scope="module")
def contract(chain, founded):
    return SettlementContract(chain[0], Address(founded.deployment.settlement))


# Who may do what


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("operator", Role.OPERATOR),
        ("certifier", Role(0)),
        ("grid_operator", Role(0)),
        ("community", Role(0)),
        ("guardian", Role.GUARDIAN),
        ("admin", Role(0)),
        ("receipts", Role(0)),
    ],
)
def test_every_key_has_its_own_duty_and_no_other(contract, name, role):
    assert contract.roles_of(address_of(getattr(KEYS, name))) == role


NODES = role_nodes("test-village")


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("community", EnergyRole.COMMUNITY_OPERATOR),
        ("certifier", EnergyRole.CERTIFIER),
        ("grid_operator", EnergyRole.GRID_OPERATOR),
        ("operator", EnergyRole.EXCHANGE_OPERATOR),
    ],
)
def test_every_duty_in_the_registry_is_held_by_one_key(roles, name, role):
    held = [
        other for other in Keys.__dataclass_fields__ if roles.has_role(address_of(getattr(KEYS, other)), NODES[role])
    ]
    assert held == [name]


def test_the_grid_operator_answers_for_the_markets_number_only(roles, founded):
    claim = roles.claim(address_of(KEYS.grid_operator), NODES[EnergyRole.GRID_OPERATOR])
    assert unpack_market(claim.data) == founded.parameters.spot.number


def test_every_asset_is_certified_for_what_its_home_says_of_it(roles, founded):
    for party in (COMMUNITY.utility, *COMMUNITY.homes):
        for kind, (_, properties) in party.assets().items():
            identity = founded.member(party.name).assets[kind].identity
            assert roles.has_role(identity, NODES[EnergyRole.ASSET])
            assert unpack_asset(roles.claim(identity, NODES[EnergyRole.ASSET]).data) == properties


def test_one_key_with_every_duty_founds_an_exchange_too(another):
    founded = found(another, COMMUNITY, Keys.one(KEYS.admin))
    contract = SettlementContract(another, Address(founded.deployment.settlement))
    assert contract.roles_of(address_of(KEYS.admin)) == Role.OPERATOR | Role.GUARDIAN
    assert contract.asset_count() == sum(len(member.assets) for member in founded.members)


def test_the_admin_is_admin_and_nobody_has_two_keys(contract):
    assert contract.admin() == address_of(KEYS.admin)
    keys = [getattr(KEYS, name) for name in Keys.__dataclass_fields__]
    assert len(set(keys)) == len(keys)


def test_no_member_has_a_duty(contract, founded):
    holders = [member.holder for member in founded.members if member.assets]
    assert {contract.roles_of(holder) for holder in holders} == {Role(0)}


def test_one_key_may_have_every_duty_in_a_small_pilot():
    keys = Keys.one(KEYS.admin)
    assert {getattr(keys, name) for name in Keys.__dataclass_fields__} == {KEYS.admin}


# What stands on the chain


def test_every_member_has_its_account_its_assets_and_its_deposit(contract, founded):
    cents = {home.name: home.deposit_cents for home in COMMUNITY.homes} | {"utility": COMMUNITY.utility.deposit_cents}
    for member in founded.members:
        word = contract.account(member.account)
        assert word.holder == member.holder
        assert word.credit == cents.get(member.name, 0) * NANO_PER_CENT
        for asset in member.assets.values():
            assert contract.asset_of(asset.identity) == asset.number
            assert contract.asset(asset.number).account == member.account
    assert contract.account_count() == len(founded.members)
    assert contract.asset_count() == sum(len(member.assets) for member in founded.members)
    assert contract.tokens_held() == sum(cents.values()) * UNITS_PER_CENT


def test_the_market_is_open_on_the_communitys_terms(contract, founded):
    terms, market = contract.market(COMMUNITY.community.market_id), founded.parameters.spot
    root = founded.parameters.tree.root
    assert (terms.period, terms.lead, terms.window) == (market.period, market.lead, market.window)
    assert (terms.fee_cap, terms.fee_account, terms.uniform) == (root.fee.constant, root.fee_account, True)
    assert (terms.tree, root.number) == (market.number, market.number)
    assert founded.member("village").account == root.fee_account


def test_a_market_where_trades_have_rates_of_their_own_promises_no_one_rate(another):
    terms = COMMUNITY.community.model_copy(update={"mechanism": "pay-as-bid"})
    other = found(another, COMMUNITY.model_copy(update={"community": terms}), KEYS)
    assert other.parameters.spot.mechanism is Mechanism.PAY_AS_BID
    assert not SettlementContract(another, Address(other.deployment.settlement)).market(terms.market_id).uniform


def test_the_two_sides_of_the_utility_are_no_home(founded):
    home_of = founded.parameters.home_of
    sell, buy = (founded.member("utility").assets[kind].identity for kind in ("sell", "buy"))
    assert home_of(sell) != home_of(buy)
    load, pv = (founded.member("prosumer").assets[kind].identity for kind in ("load", "pv"))
    assert home_of(load) == home_of(pv)


def test_a_token_of_others_is_neither_minted_nor_paid_in(chain, founded):
    token = Address(founded.deployment.token)
    before = EscrowToken(chain[0], token).balance_of(address_of(KEYS.admin))
    other = found(chain[0], COMMUNITY, KEYS, token=token)
    contract = SettlementContract(chain[0], Address(other.deployment.settlement))
    assert (contract.token(), contract.tokens_held()) == (token, 0)
    assert EscrowToken(chain[0], token).balance_of(address_of(KEYS.admin)) == before


# exchange.json


def test_what_was_founded_is_read_as_it_was_written(founded, tmp_path):
    founded.write(tmp_path / "exchange.json")
    assert Founded.read(tmp_path / "exchange.json") == founded


def test_no_private_key_stands_in_the_file(founded, tmp_path):
    founded.write(tmp_path / "exchange.json")
    text = (tmp_path / "exchange.json").read_text()
    keys = [getattr(KEYS, name) for name in Keys.__dataclass_fields__]
    keys += [member_key(member.name) for member in founded.members]
    assert not [key for key in keys if key.hex() in text]


DAMAGES = {
    "no deployment": lambda document: document.pop("deployment"),
    "no parameters": lambda document: document.pop("parameters"),
    "no members": lambda document: document.pop("members"),
    "members that are none": lambda document: document.update(members=7),
    "a member without an account": lambda document: document["members"][0].pop("account"),
    "an asset without an address": lambda document: document["members"][2]["assets"]["load"].update(identity="0x12"),
    "a rule missing": lambda document: document["parameters"].pop("currency"),
    "a rule too many": lambda document: document["parameters"].update(rain=1),
    "a fee as text": lambda document: document["parameters"]["nodes"][0].update(fee_micro_per_kwh="5000"),
    "a contract that is none": lambda document: document["parameters"].update(contract="0x12"),
    "a deployment that is none": lambda document: document.update(deployment=[]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_with_its_name(founded, tmp_path, damage):
    path = tmp_path / "exchange.json"
    founded.write(path)
    document = json.loads(path.read_text())
    DAMAGES[damage](document)
    path.write_text(json.dumps(document))
    with pytest.raises(ExchangeFileUnusable, match=f"{path} does not describe an exchange"):
        Founded.read(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ExchangeFileUnusable, match="No such file"):
        Founded.read(tmp_path / "exchange.json")


# Numbers that JSON can hold


def numbered(market_id):
    return COMMUNITY.model_copy(update={"community": COMMUNITY.community.model_copy(update={"market_id": market_id})})


def test_a_market_whose_sessions_have_numbers_beyond_2_to_the_53_is_refused_before_anything_is_sent(chain):
    before = chain[0].head()
    with pytest.raises(CommunityRefused, match="market_id is 32, and 31 is the most"):
        found(chain[0], numbered(32), KEYS)
    assert chain[0].head() == before


def test_every_session_of_the_last_market_has_a_number_that_javascript_holds(another):
    market = found(another, numbered(31), KEYS).parameters.spot
    assert market.session((1 << 40) - 1).number < 1 << 53


# Chains with small blocks


@pytest.mark.slow
def test_where_blocks_are_small_sessions_are_settled_in_small_parts_and_the_audit_cuts_alike(tmp_path):
    clock = SetClock(GENESIS)
    places, preset = Places(tmp_path), replace(preset_of(LOCAL_CHAIN_ID), gas_cap=1_200_000)
    with closing(LocalEvm(clock, genesis_time=GENESIS, record=places.chain)) as evm:
        founded = found(evm, COMMUNITY, KEYS, preset=preset)
        assert founded.parameters.batch_gas == 1_200_000
        founded.write(places.exchange)
        founded = Founded.read(places.exchange)
        with build(places, founded, KEYS, clock, evm, preset=preset) as house:
            clock.set(FIRST - 3_000)
            orders = [
                signed_by(founded, name, order_of(founded, name, kind, 10, limit, start=FIRST, salt=salt))
                for name, kind, limit in (("consumer", "load", 250_000), ("producer", "pv", 90_000))
                for salt in range(45)
            ]
            house.desk.submit(orders)
            clock.set(FIRST - LEAD_SECONDS + 1)
            house.heartbeat.beat(clock())
            house.heartbeat.beat(clock())
            batches = house.store.batches(orders[0].order.session.number)
            assert len(batches) > 1
            assert [batch.state for batch in batches] == [State.FINAL] * len(batches)
            assert all(batch.gas_used <= attempt.gas <= 1_200_000 for batch in batches for attempt in batch.attempts)
    verdict = audit_folder(tmp_path, clock=clock)
    assert (verdict.findings, verdict.batches) == ((), len(batches))


def test_where_blocks_hold_next_to_nothing_nothing_is_founded(chain):
    before = chain[0].head()
    with pytest.raises(ChainSettingsRefused, match="900000 gas"):
        found(chain[0], COMMUNITY, KEYS, preset=replace(preset_of(LOCAL_CHAIN_ID), gas_cap=900_000))
    assert chain[0].head() == before


def test_where_blocks_hold_enough_nothing_is_said_of_it(founded):
    assert "batch_gas" not in founded.parameters.to_document()


# A chain of others


def test_an_exchange_is_founded_behind_json_rpc_trades_there_and_is_audited_there(tmp_path):
    clock = SetClock(GENESIS)
    local = LocalEvm(clock, genesis_time=GENESIS)
    places = Places(tmp_path)
    with DevnetServer(local, 0) as node:
        founded = found(RpcEvm(node.url), COMMUNITY, KEYS, rpc=node.url)
        founded.write(places.exchange)
        founded = Founded.read(places.exchange)
        evm = open_chain(places, founded, clock)
        assert isinstance(evm, RpcEvm)
        with build(places, founded, KEYS, clock, evm) as house:
            clock.set(FIRST - 3_000)
            bid, offer = (
                signed_by(founded, name, order_of(founded, name, kind, 500, limit, start=FIRST))
                for name, kind, limit in (("consumer", "load", 250_000), ("producer", "pv", 90_000))
            )
            house.desk.submit([bid, offer])
            clock.set(FIRST - LEAD_SECONDS + 1)
            local.mine()  # a chain of others goes on by itself
            house.heartbeat.beat(clock())
            session = house.desk.look(lambda market, _: market.session(bid.order.session))
            assert session.state is SessionState.SETTLED
            assert session.cleared.clearing.energy == 500
        verdict = audit_folder(tmp_path, clock=clock)
        assert (verdict.findings, verdict.sessions, verdict.batches) == ((), 1, 1)


def test_a_house_is_not_built_on_another_chain(founded, tmp_path):
    other = LocalEvm(SetClock(GENESIS), genesis_time=GENESIS, chain_id=246)
    with pytest.raises(WrongChain):
        build(Places(tmp_path), founded, KEYS, SetClock(GENESIS), other)


def test_a_house_is_not_built_over_the_store_of_another_contract(chain, founded, tmp_path):
    evm, clock = chain
    build(Places(tmp_path), founded, KEYS, clock, evm).close()
    other = found(evm, COMMUNITY, KEYS)
    with pytest.raises(StoreOfAnotherChain):
        build(Places(tmp_path), other, KEYS, clock, evm)
    build(Places(tmp_path), founded, KEYS, clock, evm).close()


@pytest.mark.slow
def test_a_house_is_not_built_over_a_journal_of_other_rules(chain, founded, tmp_path):
    evm, clock = chain
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    build(Places(one), founded, KEYS, clock, evm).close()
    shutil.copyfile(one / "journal.db", other / "journal.db")
    with pytest.raises(ParametersDiffer):
        build(Places(other), found(evm, COMMUNITY, KEYS), KEYS, clock, evm)
    build(Places(one), founded, KEYS, clock, evm).close()


def test_accounts_and_assets_are_numbered_in_the_order_of_the_file(founded):
    assert [member.name for member in founded.members] == ["village", "utility", "consumer", "prosumer", "producer"]
    assert all(after.account == before.account + 1 for before, after in pairwise(founded.members))


def test_on_a_chain_that_is_not_for_play_every_member_names_its_holder():
    earnest = replace(preset_of(LOCAL_CHAIN_ID), play=False)
    evm = LocalEvm(lambda: GENESIS, genesis_time=GENESIS)
    with pytest.raises(CommunityRefused, match="has no holder"):
        found(evm, COMMUNITY, KEYS, preset=earnest)
    assert evm.head().number == 0
    holder = to_text(Address(bytes(19) + b"\x07"))
    named = COMMUNITY.model_copy(
        update={
            "utility": COMMUNITY.utility.model_copy(update={"holder": holder}),
            "homes": tuple(home.model_copy(update={"holder": holder}) for home in COMMUNITY.homes),
        }
    )
    founded = found(evm, named, KEYS, preset=earnest)
    # nobody creates an asset in another's name: its owner does
    assert [member.assets for member in founded.members] == [{}] * len(founded.members)
    assert {to_text(member.holder) for member in founded.members[1:]} == {holder}


def test_accounts_are_told_by_the_contract_and_not_guessed(chain):
    evm, _ = chain
    founded = found(evm, COMMUNITY, KEYS)
    contract = SettlementContract(evm, Address(founded.deployment.settlement))
    for member in founded.members:
        assert contract.account(member.account).holder == member.holder
