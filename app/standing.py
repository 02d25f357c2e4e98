"""Who owns what and who holds which role, for the judgement of reads: as the registries say it of a moment.

Accounts have one holder for good; assets belong to the owner of that moment, and roles are held by claims of the
community's own roles, with every issuer above them. Besides, whoever settles or signs receipts for this exchange
operates it, whatever is claimed: its own keys are no matter of others' word.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from identity.access import Kind, Role, Scope
from identity.address import Address
from identity.claim_data import unpack_market
from identity.energy_roles import EnergyRole
from identity.registry import Registry
from identity.tenure import Tenure

_EVERY_MARKET = 0


@dataclass(frozen=True, slots=True)
class ChainStanding:
    """Standing at a moment (unix seconds), with everything known by now.

    `registry` is what the chain adds up to, `nodes` are those of the community's roles, `operators` are the exchange's
    own keys.
    """

    registry: Callable[[], Registry]
    nodes: Mapping[EnergyRole, bytes]
    operators: frozenset[Address]

    def owner(self, scope: Scope, at: int) -> Address | None:
        """Return the holder of an account, or whom an asset belongs to at a moment: nobody, once it is retired."""
        if scope.kind is Kind.ACCOUNT:
            account = self.registry().accounts.get(scope.of)
            return None if account is None else account.holder
        tenure = self._tenure(scope, at)
        return None if tenure is None else tenure.owner

    def owned_since(self, scope: Scope, at: int) -> int:
        """Return when the ownership of that moment began; 0 of what is never sold."""
        tenure = self._tenure(scope, at)
        return 0 if tenure is None else tenure.since

    def holds(self, who: Address, role: Role, at: int, node: int | None = None) -> bool:
        """Say whether `who` holds a role at a moment; a grid operator's claim names its market, or all of them."""
        if role is Role.EXCHANGE_OPERATOR and who in self.operators:
            return True
        verdict = self.registry().authority.holds(who, self.nodes[EnergyRole(role)], at)
        if not verdict.holds or role is not Role.GRID_OPERATOR or node is None:
            return verdict.holds
        return unpack_market(verdict.data) in (_EVERY_MARKET, node)

    def is_member(self, who: Address) -> bool:
        """Say whether `who` holds an account."""
        return any(account.holder == who for account in list(self.registry().accounts.values()))

    def _tenure(self, scope: Scope, at: int) -> Tenure | None:
        return self.registry().authority.tenures.at(scope.asset, at) if scope.kind is Kind.METER else None
