"""The settlement contract at one address of one chain: what it can be told, and what it can be asked.

The first half builds calldata and touches nothing; whoever holds the right key sends it. The second half asks the
chain; `block` asks for the state after that block, the newest if None. Token amounts are in the token's own units,
credit in nano. The calldata of a batch is made by `settlement.calldata`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from contracts.abi import abi_of
from contracts.evm import Evm
from exchange.units import MicroPerKwh, Nano
from identity.address import Address
from identity.hashing import keccak
from identity.purposes import TRADE, delegate_type
from identity.registry import RequiredRoles
from settlement.effects.sources import Sources
from settlement.facts import MarketOpened


class Role(IntFlag):
    """One duty each, as the contract numbers them."""

    OPERATOR = 1
    GUARDIAN = 2


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


def void_orders(account: int) -> bytes:
    """Begin a new epoch: what was signed in the one before counts no longer. As the holder."""
    return _tell("void_orders", account)


def enrol(identity: Address, account: int) -> bytes:
    """Enrol a certified asset under an account of its owner, once in each ownership of it; anybody may."""
    return _tell("enrol", identity, account)


def refresh(assets: Sequence[int]) -> bytes:
    """Have the contract ask the registries anew about up to 64 enrolled assets; anybody may."""
    return _tell("refresh", list(assets))


def open_market(terms: MarketOpened) -> bytes:
    """Open a market on these terms for good, as one who holds the grid operator's role."""
    return _tell(
        "open_market",
        terms.market,
        terms.tree,
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
    balancing_until: int


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

    def epoch_ended(self, account: int, epoch: int, block: int | None = None) -> int:
        """Return when an epoch of the account was ended; zero for the present one."""
        return self._number("epoch_ended", account, epoch, block=block)

    def asset_count(self, block: int | None = None) -> int:
        """Return how many assets are enrolled; they are numbered from 1."""
        return self._number("asset_count", block=block)

    def asset_of(self, identity: Address, block: int | None = None) -> int:
        """Return the number under which the asset with this identity was enrolled last; zero if it never was."""
        return self._number("asset_of", identity, block=block)

    def epoch_of(self, number: int, block: int | None = None) -> int:
        """Return in which ownership of the asset it was enrolled under this number."""
        return self._number("epoch_of", number, block=block)

    def asset(self, number: int, block: int | None = None) -> AssetWord:
        """Return the identity and account of an asset, and what is kept of the registries' word."""
        return AssetWord(*self._ask("asset", number, block=block))

    def delegated_until(self, number: int, agent: Address, block: int | None = None) -> int:
        """Return before when `agent` may trade for an enrolled asset, in that ownership of it; 0 if it never might.

        It is the DID registry that is asked, as the contract does.
        """
        kind = keccak(delegate_type(TRADE, self._number("epoch_of", number, block=block)))
        arguments = (self.asset(number, block).identity, kind, agent)
        registry = abi_of("DidRegistry")
        until: int = registry.ask(self.evm, self._ask("did_registry")[0], "delegates", *arguments, block=block)[0]
        return until

    def market(self, number: int, block: int | None = None) -> MarketOpened | None:
        """Return the terms of a market, or None if it is not open."""
        tree, fee_account, fee_cap, period, lead, window, uniform = self._ask("market", number, block=block)
        if period == 0:
            return None
        return MarketOpened(
            market=number,
            tree=tree,
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

    def sources(self) -> Sources:
        """Return the contract with the registries it asks: whose logs its state follows from."""
        registries = (Address(self._ask(name)[0]) for name in ("did_registry", "asset_registry", "role_registry"))
        return Sources(self.evm, self.address, *registries)

    def required_roles(self) -> RequiredRoles:
        """Return the roles that an asset must hold to trade, and to offer balancing."""
        return RequiredRoles(
            asset=self._ask("asset_role")[0],
            balancing=self._ask("balancing_role")[0],
            grid_operator=self._ask("grid_operator_role")[0],
        )

    def cache_seconds(self) -> int:
        """Return how long the contract believes, at most, what the registries said of an asset."""
        return self._number("cache_seconds")

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
