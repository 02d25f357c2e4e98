"""The keeper on a chain: certified assets are enrolled, answers stay fresh, and nothing is sent twice."""

import pytest

from app.clock import SetClock
from app.community import read_community
from app.founding import Keys, found, member_key
from app.keeper import PATIENCE_SECONDS, PAUSE_SECONDS
from app.registering import Registering
from app.wiring import Places, build, keeper_of
from contracts.chains import preset_of
from identity.address import Address
from identity.claim_data import AssetKind, AssetProperties, EnergyType
from identity.energy_roles import EnergyRole
from settlement.effects.settlement_contract import SettlementContract
from tests.e2e.day import FIRST, VILLAGE
from tests.simulators.remembering_evm import RememberingEvm

ROOF = AssetProperties(AssetKind.PV, EnergyType.PV, 5_000).pack()


class Street:
    """An exchange with a keeper, on a chain of its own."""

    def __init__(self, folder):
        self.clock, self.keys = SetClock(FIRST - 7_200), Keys.devnet()
        self.evm = RememberingEvm(self.clock, genesis_time=self.clock())
        founded = found(self.evm, read_community(VILLAGE), self.keys)
        self.house = build(Places(folder), founded, self.keys, self.clock, self.evm)
        self.registering = Registering(self.evm, founded.deployment, preset_of(self.evm.chain_id))
        self.contract = SettlementContract(self.evm, Address(founded.deployment.settlement))
        self.cache_seconds = founded.deployment.cache_seconds
        self.keeper = keeper_of(self.house, self.keys.certifier)

    def now(self):
        """Read the chain, and return its time."""
        self.house.heartbeat.read_chain()
        return self.evm.head().timestamp

    def new_roof(self):
        """The consumer gets a roof, certified and not enrolled yet."""
        owner = member_key("consumer")
        roof = self.registering.create_asset(owner, self.keys.certifier)
        self.registering.claim(
            EnergyRole.ASSET,
            roof,
            label="test-village",
            subject_key=owner,
            issuer_key=self.keys.certifier,
            expiry=self.evm.head().timestamp + 10 * self.cache_seconds,
            data=ROOF,
        )
        return roof


@pytest.fixture
def street(tmp_path):
    street = Street(tmp_path)
    yield street
    street.house.close()


def test_a_new_certified_asset_is_enrolled_and_nothing_is_sent_twice(street):
    roof = street.new_roof()
    now = street.now()
    assert (street.keeper.keep_now(now), street.keeper.keep_now(now)) == (1, 0)
    asset = street.contract.asset(street.contract.asset_of(roof))
    assert asset.account == street.house.founded.member("consumer").account
    assert street.keeper.keep_now(street.now() + PATIENCE_SECONDS) == 0


def test_answers_are_refreshed_before_they_run_out_all_in_one_transaction(street):
    numbers = range(1, street.contract.asset_count() + 1)
    before = [street.contract.asset(number).until for number in numbers]
    assert street.keeper.keep_now(street.now()) == 0
    street.clock.set(street.clock() + street.cache_seconds // 2 + 600)
    street.evm.mine()
    assert street.keeper.keep_now(street.now()) == 1
    after = [street.contract.asset(number).until for number in numbers]
    assert all(new > old for old, new in zip(before, after, strict=True))


def test_it_looks_only_now_and_then(street):
    now = street.now()
    street.keeper.keep(now)
    street.new_roof()
    assert street.keeper.keep(street.now()) == (street.now() - now >= PAUSE_SECONDS)
    assert street.contract.asset_count() == 7
    street.keeper.keep(street.now() + PAUSE_SECONDS)
    assert street.contract.asset_count() == 8


def test_what_cannot_be_sent_is_tried_again_later(street):
    roof = street.new_roof()
    broke = keeper_of(street.house, b"\x07" * 32)
    assert broke.keep_now(street.now()) == 0
    assert street.contract.asset_of(roof) == 0
    assert street.keeper.keep_now(street.now()) == 1
