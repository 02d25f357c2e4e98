"""The settlement contract at one address of one chain: what it can be told, and what it can be asked.

The first half builds calldata and touches nothing; whoever holds the right key sends it. The second half asks the
chain; `block` asks for the state after that block, the newest if None. Token amounts are in the token's own units,
credit in nano. The calldata of a batch is made by `settlement.calldata`.
"""

from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from contracts.evm import Evm
from exchange.units import MicroPerKwh, Nano
from identity.address import Address
from settlement.effects.contract_abi import abi_of
from settlement.facts import MarketOpened


class Role(IntFlag):
    """One duty each, as the contract numbers them."""

    OPERATOR = 1
    REGISTRAR = 2
    GRID_OPERATOR = 4
    GUARDIAN = 8


def open_account(holder: Address) -> bytes:
    """Open an account for `holder`; anybody may."""
    return _tell("open_account", holder)


def deposit(account: int, token_units: int) -> bytes:
    """Move tokens that the sender has approved into an account."""
    return _tell("deposit", account, token_units)


def deposit_with_permit(account: int, token_units: int, deadline: int, v: int, r: bytes, s: bytes) -> bytes:
    """Move tokens into an account by the sender's EIP-2612 permit, without an approval before."""
    return _tell("deposit_with_permit", account, token_units, deadline, v, r, s)


def request_withdrawal(account: int, token_units: int) -> bytes:
    """Ask for money back, as the holder; it is due after the contract's delay."""
    return _tell("request_withdrawal", account, token_units)


def cancel_withdrawal(account: int) -> bytes:
    """Forget the request, as the holder."""
    return _tell("cancel_withdrawal", account)


def withdraw(account: int) -> bytes:
    """Pay the holder what was asked for and is due; anybody may."""
    return _tell("withdraw", account)


def name_delegate(account: int, agent: Address, until: int) -> bytes:
    """Let `agent` sign for the account until `until` (unix seconds), as the holder."""
    return _tell("name_delegate", account, agent, until)


def revoke_delegate(account: int, agent: Address) -> bytes:
    """End a delegation now, as the holder."""
    return _tell("revoke_delegate", account, agent)


def void_orders(account: int) -> bytes:
    """Begin a new epoch: what was signed in the one before counts no longer. As the holder."""
    return _tell("void_orders", account)


def enrol(identity: Address, account: int, until: int) -> bytes:
    """Enrol an asset under an account until `until` (unix seconds), as a registrar."""
    return _tell("enrol", identity, account, until)


def retire(asset: int) -> bytes:
    """End an asset's enrolment now, as a registrar."""
    return _tell("retire", asset)


def renew(asset: int, until: int) -> bytes:
    """Say anew until when an asset is enrolled, as a registrar."""
    return _tell("renew", asset, until)


def open_market(terms: MarketOpened) -> bytes:
    """Open a market on these terms for good, as a grid operator."""
    return _tell(
        "open_market",
        terms.market,
        terms.fee_account,
        terms.fee_cap,
        terms.period,
        terms.lead,
        terms.window,
        terms.uniform,
    )


def grant(role: Role, member: Address) -> bytes:
    """Give `member` the duties in `role`, as the admin."""
    return _tell("grant", int(role), member)


def revoke(role: Role, member: Address) -> bytes:
    """Take the duties in `role` from `member`, as the admin."""
    return _tell("revoke", int(role), member)


def propose_admin(proposed: Address) -> bytes:
    """Propose who is to be the next admin, as the admin; the zero address takes a proposal back."""
    return _tell("propose_admin", proposed)


def accept_admin() -> bytes:
    """Become admin, as the one proposed."""
    return _tell("accept_admin")


def pause() -> bytes:
    """Stop new deposits and settlements, as a guardian."""
    return _tell("pause")


def unpause() -> bytes:
    """Take deposits and settlements again, as the admin."""
    return _tell("unpause")


@dataclass(frozen=True, slots=True)
class AccountWord:
    """What the contract keeps of an account. The holder is the zero address where there is no account."""

    holder: Address
    credit: Nano
    epoch: int


@dataclass(frozen=True, slots=True)
class AssetWord:
    """What the contract keeps of an asset. The identity is the zero address where there is no asset."""

    identity: Address
    account: int
    until: int


class SettlementContract:
    """The settlement contract at `address`. Every question may raise an `EvmError` or `NoSuchContract`."""

    def __init__(self, evm: Evm, address: Address) -> None:
        self.evm = evm
        self.address = address

    def account_count(self, block: int | None = None) -> int:
        """Return how many accounts there are; they are numbered from 1."""
        return self._number("account_count", block=block)

    def account(self, number: int, block: int | None = None) -> AccountWord:
        """Return holder, credit and epoch of an account."""
        return AccountWord(*self._ask("account", number, block=block))

    def credit_of(self, number: int, block: int | None = None) -> Nano:
        """Return the credit of an account."""
        return Nano(self._number("credit_of", number, block=block))

    def withdrawal(self, number: int, block: int | None = None) -> tuple[Nano, int]:
        """Return the amount an account's holder has asked for and when it is due; zeros where nothing is asked."""
        amount, due = self._ask("withdrawal", number, block=block)
        return Nano(amount), due

    def delegation(self, account: int, agent: Address, block: int | None = None) -> int:
        """Return until when `agent` may sign for the account; zero if it was never named."""
        return self._number("agent_until", account, agent, block=block)

    def epoch_ended(self, account: int, epoch: int, block: int | None = None) -> int:
        """Return when an epoch of the account was ended; zero for the present one."""
        return self._number("epoch_ended", account, epoch, block=block)

    def asset_count(self, block: int | None = None) -> int:
        """Return how many assets are enrolled; they are numbered from 1."""
        return self._number("asset_count", block=block)

    def asset_of(self, identity: Address, block: int | None = None) -> int:
        """Return the number of the asset with this identity; zero if there is none."""
        return self._number("asset_of", identity, block=block)

    def asset(self, number: int, block: int | None = None) -> AssetWord:
        """Return identity, account and end of an asset."""
        return AssetWord(*self._ask("asset", number, block=block))

    def market(self, number: int, block: int | None = None) -> MarketOpened | None:
        """Return the terms of a market, or None if it is not open."""
        fee_account, fee_cap, period, lead, window, uniform = self._ask("market", number, block=block)
        if period == 0:
            return None
        return MarketOpened(
            market=number,
            fee_account=fee_account,
            fee_cap=MicroPerKwh(fee_cap),
            period=period,
            lead=lead,
            window=window,
            uniform=uniform,
        )

    def record(self, session: int, part: int, block: int | None = None) -> bytes | None:
        """Return what the contract keeps of a settled part (`settlement.record`), or None if it is not settled."""
        record: bytes = self._ask("record", session, part, block=block)[0]
        return record if any(record) else None

    def parts_settled(self, session: int, block: int | None = None) -> tuple[int, int]:
        """Return how many parts of a session are settled, and how many there are; zeros while none is settled."""
        settled, parts = self._ask("parts_settled", session, block=block)
        return settled, parts

    def token(self) -> Address:
        """Return the address of the token in escrow."""
        return Address(self._ask("token")[0])

    def scale(self) -> int:
        """Return how many nano one unit of the token is."""
        return self._number("scale")

    def withdrawal_delay(self) -> int:
        """Return the seconds between asking for money and getting it."""
        return self._number("withdrawal_delay")

    def tokens_held(self, block: int | None = None) -> int:
        """Return the token units held for all accounts; what was sent there without a deposit does not count."""
        return self._number("tokens_held", block=block)

    def domain_separator(self, block: int | None = None) -> bytes:
        """Return the EIP-712 domain separator under which the contract checks orders."""
        separator: bytes = self._ask("domain_separator", block=block)[0]
        return separator

    def roles_of(self, member: Address, block: int | None = None) -> Role:
        """Return the duties of `member`."""
        return Role(self._number("roles_of", member, block=block))

    def admin(self, block: int | None = None) -> Address:
        """Return who grants roles and lifts a pause."""
        return Address(self._ask("admin", block=block)[0])

    def paused(self, block: int | None = None) -> bool:
        """Whether new deposits and settlements are stopped."""
        return bool(self._ask("paused", block=block)[0])

    def _number(self, name: str, *arguments: object, block: int | None = None) -> int:
        number: int = self._ask(name, *arguments, block=block)[0]
        return number

    def _ask(self, name: str, *arguments: object, block: int | None = None) -> tuple[Any, ...]:
        return abi_of("Settlement").ask(self.evm, self.address, name, *arguments, block=block)


def _tell(name: str, *arguments: object) -> bytes:
    return abi_of("Settlement").calldata(name, *arguments)
