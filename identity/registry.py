"""Accounts and enrolled assets, and whether a signer may act for one: a fold over what the chain says.

The settlement contract names accounts, their holders, and the assets enrolled under them; the registries say who owns
an asset, what is certified of it, and who may sign for it. Whoever reads the logs hands the facts to `Registry.apply`
in the order of the chain.

Authority is judged **as of a moment**, the gate closure of a session. The contract keeps what the registries said when
somebody last asked, and anybody may have it ask anew; here the registries themselves are asked, so that a sale, a
revocation or an expiry counts as soon as it is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from identity.address import Address, to_text
from identity.authority import AuthorityIndex
from identity.claim_data import EnergyType, unpack_asset, unpack_market
from identity.errors import (
    AssetNotCertified,
    AssetNotCurrent,
    AssetNotEnrolled,
    AssetSold,
    MalformedClaimData,
    NotABalancingProvider,
    NotTheGridOperator,
    OrdersVoided,
    UnknownAsset,
)
from identity.facts import AccountOpened, AssetEnrolled, AssetRefreshed, EpochBegun, IdentityFact
from identity.purposes import TRADE
from identity.tenure import Tenure


@dataclass(frozen=True, slots=True)
class RequiredRoles:
    """Roles by their nodes, as the settlement contract names them: what an asset must hold to trade and to balance, and
    what whoever opens markets and sets a node's terms must hold.
    """

    asset: bytes
    balancing: bytes
    grid_operator: bytes


@dataclass(frozen=True, slots=True)
class Account:
    """A member's account: who holds it, and the epoch in which orders are signed now."""

    number: int
    holder: Address
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Asset:
    """An enrolled asset: its number, its identity, the account it trades for, and in which ownership epoch.

    The owner may enrol it anew under another account, which gives another number; so does the next owner. `until` and
    `balancing_until` are what the contract has kept of the registries' word.
    """

    number: int
    identity: Address
    account: int
    epoch: int
    until: int
    balancing_until: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The answer to "may this signer act for this asset?": yes, for this account."""

    asset: Asset
    account: Account
    as_delegate: bool


class Registry:
    """Accounts, enrolments and the authority index as they stand after the facts applied so far.

    `roles` are those the settlement contract asks for.
    """

    def __init__(self, roles: RequiredRoles) -> None:
        self.roles = roles
        self.authority = AuthorityIndex()
        self.accounts: dict[int, Account] = {}
        self.assets: dict[Address, Asset] = {}
        self._numbers: dict[int, Asset] = {}
        self._enrolled: dict[tuple[Address, int], Asset] = {}
        self._epoch_ended: dict[tuple[int, int], int] = {}

    def apply(self, fact: IdentityFact) -> None:
        """Take one more fact; facts come in the order of the chain. Raises `KeyError` for what was never there."""
        match fact:
            case AccountOpened(account, holder):
                self.accounts[account] = Account(account, holder)
            case EpochBegun(account, epoch, since):
                self.accounts[account] = replace(self.accounts[account], epoch=epoch)
                self._epoch_ended[account, epoch - 1] = since
            case AssetEnrolled(number, identity, account, epoch, until, balancing_until):
                self.accounts[account]
                self._keep(Asset(number, identity, account, epoch, until, balancing_until))
            case AssetRefreshed(number, until, balancing_until):
                self._keep(replace(self._numbers[number], until=until, balancing_until=balancing_until))
            case _:
                self.authority.apply(fact)

    def asset(self, identity: Address) -> Asset:
        """Return the newest enrolment of the asset with this identity, or refuse it as unknown."""
        asset = self.assets.get(identity)
        if asset is None:
            raise UnknownAsset(to_text(identity))
        return asset

    def asset_by_number(self, number: int) -> Asset | None:
        """Return the enrolment with this number, also where the asset was sold and enrolled anew since."""
        return self._numbers.get(number)

    def enrolment(self, identity: Address, epoch: int) -> Asset | None:
        """Return the newest enrolment of an asset in one ownership epoch, if there is one."""
        return self._enrolled.get((identity, epoch))

    @property
    def enrolments(self) -> Mapping[int, Asset]:
        """Every enrolment there ever was, by number."""
        return self._numbers

    def accounts_of(self, holder: Address) -> list[Account]:
        """Return the accounts that `holder` holds, by number."""
        return [account for _, account in sorted(self.accounts.items()) if account.holder == holder]

    def epoch_ended(self, account: int, epoch: int) -> int | None:
        """Return when an epoch of the account was ended, if it was."""
        return self._epoch_ended.get((account, epoch))

    def judge(
        self,
        identity: Address,
        signer: Address,
        epoch: int,
        at: int,
        *,
        balancing: bool = False,
        number: int | None = None,
    ) -> Standing:
        """Return for which account `signer` may act for the asset `identity` at the moment `at`.

        `epoch` is the account epoch the signature was made in. `balancing` asks for the balancing provider's role too;
        `number` is the enrolment under which the order was taken, if it was; else it is the newest in the ownership of
        that moment. Refuses, in this order: unknown asset, asset without owner, asset not enrolled, asset sold, asset
        not certified, asset not current, not a balancing provider, orders voided, not authorised.
        """
        authority = self.authority
        tenure = authority.tenure_at(identity, at)
        asset = self._enrolment(identity, tenure, number)
        authority.must_hold(identity, self.roles.asset, at)
        # the contract asks no more about an enrolment that a sale has ended or another one has replaced
        closed = tenure.ended is not None or self.assets[identity] is not asset
        if closed and asset.until < at:
            raise AssetNotCurrent(to_text(identity), asset.until)
        if balancing:
            self._must_balance(asset, at, closed=closed)
        account = self.accounts[asset.account]
        if epoch != account.epoch and at > self._epoch_ended.get((account.number, epoch), -1):
            raise OrdersVoided(epoch, account.epoch)
        return Standing(asset, account, authority.as_delegate(signer, identity, tenure, TRADE, at))

    def energy_type(self, identity: Address, at: int) -> EnergyType:
        """Return the energy that the asset is certified for at the moment `at`: none where nothing is said of it."""
        verdict = self.authority.holds(identity, self.roles.asset, at)
        if not verdict.holds:
            return EnergyType.NONE
        try:
            return unpack_asset(verdict.data).energy_type
        except MalformedClaimData:
            return EnergyType.NONE

    def must_operate(self, signer: Address, node: int, at: int) -> None:
        """Refuse who is not the grid operator of a node at the moment `at`: the claim is for that node, or for any."""
        verdict = self.authority.holds(signer, self.roles.grid_operator, at)
        if not verdict.holds:
            raise NotTheGridOperator(to_text(signer), node, str(verdict.failure))
        if (claimed := unpack_market(verdict.data)) not in (0, node):
            raise NotTheGridOperator(to_text(signer), node, f"the claim is for node {claimed}")

    def _enrolment(self, identity: Address, tenure: Tenure, number: int | None) -> Asset:
        enrolled = self._enrolled.get((identity, tenure.epoch)) if number is None else self._numbers.get(number)
        if enrolled is None:
            raise AssetNotEnrolled(to_text(identity), tenure.epoch)
        if enrolled.epoch != tenure.epoch or enrolled.identity != identity:
            raise AssetSold(to_text(identity), tenure.epoch)
        return enrolled

    def _must_balance(self, asset: Asset, at: int, *, closed: bool) -> None:
        identity = asset.identity
        try:
            self.authority.must_hold(identity, self.roles.balancing, at)
        except AssetNotCertified as refusal:
            raise NotABalancingProvider(to_text(identity), at, refusal.why) from refusal
        if closed and asset.balancing_until < at:
            why = f"kept current until {asset.balancing_until} only"
            raise NotABalancingProvider(to_text(identity), at, why)

    def _keep(self, asset: Asset) -> None:
        self._numbers[asset.number] = asset
        newest = self.assets.get(asset.identity)
        if newest is None or newest.number <= asset.number:
            self.assets[asset.identity] = asset
        newest = self._enrolled.get((asset.identity, asset.epoch))
        if newest is None or newest.number <= asset.number:
            self._enrolled[asset.identity, asset.epoch] = asset
