"""Who owns what and who holds which role, for the judgement of reads: as the settlement contract's log says it.

The exchange's operator is whoever settles or signs receipts; a node's grid operator is who holds its fee account. Other
roles, and a past owner of an asset, are known to no log that is read here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from identity.access import Kind, Role, Scope
from identity.address import Address
from settlement.chain_state import ChainState


@dataclass(frozen=True, slots=True)
class ChainStanding:
    """Standing as of now, whatever instant is asked about; `state` is what the chain adds up to."""

    state: Callable[[], ChainState]
    operators: frozenset[Address]

    def owner(self, scope: Scope, at: int) -> Address | None:  # noqa: ARG002  # of the protocol
        """Return the holder of an account, or of the account that an asset is enrolled under."""
        registry = self.state().registry
        number: int | None = scope.of if scope.kind is Kind.ACCOUNT else None
        if scope.kind is Kind.METER:
            asset = registry.assets.get(scope.asset)
            number = None if asset is None else asset.account
        account = None if number is None else registry.accounts.get(number)
        return None if account is None else account.holder

    def holds(self, who: Address, role: Role, at: int, node: int | None = None) -> bool:  # noqa: ARG002
        """Say whether `who` holds a role, for a node where one is named."""
        if role is Role.EXCHANGE_OPERATOR:
            return who in self.operators
        if role is not Role.GRID_OPERATOR:
            return False
        state = self.state()
        markets = (
            list(state.markets.values()) if node is None else [state.markets[node]] if node in state.markets else []
        )
        held = (state.registry.accounts.get(market.fee_account) for market in markets)
        return any(account is not None and account.holder == who for account in held)

    def is_member(self, who: Address) -> bool:
        """Say whether `who` holds an account."""
        return any(account.holder == who for account in list(self.state().registry.accounts.values()))
