"""Who may act for which asset, until when: a fold over what the chain says.

The settlement contract names accounts, their holders and delegates, and the assets enrolled under them. Whoever reads
its log hands the facts to `Registry.apply` in order; the questions are answered from memory. The facts are plain
values, so another registry may become their source without a change here.

Authority is judged **as of a moment**, the gate closure of a session: a delegation that ends later, an enrolment that
ends later, or an epoch that began later does not undo what was agreed before. The contract follows the same rule.
"""

from dataclasses import dataclass

from identity.address import Address, to_text
from identity.errors import AssetNotCurrent, NotAuthorised, OrdersVoided, UnknownAsset


@dataclass(frozen=True, slots=True)
class AccountOpened:
    """An account was opened for `holder`."""

    account: int
    holder: Address


@dataclass(frozen=True, slots=True)
class EpochBegun:
    """The holder voided everything signed before: a new epoch began at `since` (unix seconds)."""

    account: int
    epoch: int
    since: int


@dataclass(frozen=True, slots=True)
class DelegateNamed:
    """`agent` may sign for the account until `until` (unix seconds, inclusive); a revocation names an earlier end."""

    account: int
    agent: Address
    until: int


@dataclass(frozen=True, slots=True)
class AssetEnrolled:
    """An asset, known by its identity address, was enrolled under an account until `until`."""

    asset: int
    identity: Address
    account: int
    until: int


@dataclass(frozen=True, slots=True)
class AssetRenewed:
    """The enrolment of an asset now ends at `until`: later (renewed) or earlier (retired)."""

    asset: int
    until: int


RegistryFact = AccountOpened | EpochBegun | DelegateNamed | AssetEnrolled | AssetRenewed


@dataclass(frozen=True, slots=True)
class Account:
    """A member's account: who holds it, and the epoch in which orders are signed now."""

    number: int
    holder: Address
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Asset:
    """An enrolled asset: its number, its identity, the account it trades for, the end of its enrolment."""

    number: int
    identity: Address
    account: int
    until: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The answer to "may this signer act for this asset?": yes, for this account."""

    asset: Asset
    account: Account
    as_delegate: bool


class Registry:
    """Accounts, assets and delegates as they stand after the facts applied so far."""

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.assets: dict[Address, Asset] = {}
        self._asset_numbers: dict[int, Address] = {}
        self._delegates: dict[tuple[int, Address], int] = {}
        self._epoch_ended: dict[tuple[int, int], int] = {}

    def apply(self, fact: RegistryFact) -> None:
        """Take one more fact; facts come in the order of the chain."""
        match fact:
            case AccountOpened(account, holder):
                self.accounts[account] = Account(account, holder)
            case EpochBegun(account, epoch, since):
                known = self.accounts[account]
                self.accounts[account] = Account(account, known.holder, epoch)
                self._epoch_ended[account, epoch - 1] = since
            case DelegateNamed(account, agent, until):
                self._delegates[account, agent] = until
            case AssetEnrolled(number, identity, account, until):
                self.assets[identity] = Asset(number, identity, account, until)
                self._asset_numbers[number] = identity
            case AssetRenewed(number, until):
                identity = self._asset_numbers[number]
                asset = self.assets[identity]
                self.assets[identity] = Asset(number, identity, asset.account, until)

    def asset(self, identity: Address) -> Asset:
        """Return the asset with this identity, or refuse it as unknown."""
        asset = self.assets.get(identity)
        if asset is None:
            raise UnknownAsset(to_text(identity))
        return asset

    def asset_by_number(self, number: int) -> Asset | None:
        """Return the asset with this number, if one is enrolled."""
        identity = self._asset_numbers.get(number)
        return None if identity is None else self.assets[identity]

    def accounts_of(self, holder: Address) -> list[Account]:
        """Return the accounts that `holder` holds, by number."""
        return [account for _, account in sorted(self.accounts.items()) if account.holder == holder]

    def delegation(self, account: int, agent: Address) -> int | None:
        """Return until when `agent` may sign for the account, if it was ever named."""
        return self._delegates.get((account, agent))

    def epoch_ended(self, account: int, epoch: int) -> int | None:
        """Return when an epoch of the account was ended, if it was."""
        return self._epoch_ended.get((account, epoch))

    def judge(self, identity: Address, signer: Address, epoch: int, at: int) -> Standing:
        """Return for which account `signer` may act for the asset `identity` at the moment `at`.

        `epoch` is the account epoch the signature was made in. Refuses, in this order: unknown asset, asset not
        current, orders voided, not authorised.
        """
        asset = self.asset(identity)
        if asset.until < at:
            raise AssetNotCurrent(to_text(identity), asset.until)
        account = self.accounts[asset.account]
        voided_later = at <= self._epoch_ended.get((account.number, epoch), -1)
        if epoch != account.epoch and not voided_later:
            raise OrdersVoided(epoch, account.epoch)
        if signer == account.holder:
            return Standing(asset, account, as_delegate=False)
        until = self._delegates.get((account.number, signer))
        if until is None or until < at:
            raise NotAuthorised(to_text(signer), account.number)
        return Standing(asset, account, as_delegate=True)
