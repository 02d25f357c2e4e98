"""The registries of a town: three roles are defined, and assets made, certified, delegated, sold, retired.

A certifier issues what assets need, the community operator what grid operators need. People are actors by name; assets
are known by their identity, the address of their own contract.
"""

from contracts.artifacts import load
from tests.contracts.caller import Contract
from tests.contracts.identities import NO_DATA, TRADE, Identities, role_of
from tests.contracts.machine import Machine, Outcome
from tests.contracts.orders import address_of

__all__ = ["ASSET", "BALANCING", "FOREVER", "GRID_OPERATOR", "TRADE", "Registries"]

ASSET, BALANCING, GRID_OPERATOR = "asset", "balancingprovider", "gridoperator"  # roles, by their labels
ISSUERS = {ASSET: "the certifier", BALANCING: "the certifier", GRID_OPERATOR: "the community operator"}
NODES = role_of(ASSET), role_of(BALANCING), role_of(GRID_OPERATOR)
FOREVER = 2**40


class Registries:
    """DID registry, asset registry and role registry, with the three roles defined."""

    def __init__(self, machine: Machine) -> None:
        self._people = Identities(machine)
        self.dids, self.assets, self.roles = self._people.dids, self._people.assets, self._people.roles
        self._certified = 0
        for role, issuer in ISSUERS.items():
            self.define(role, issuer)

    def define(self, role: str, issuer: str) -> None:
        """Say anew who issues the role; a claim to provide balancing ends with the asset's sale."""
        self._people.define(role, issuers=[address_of(issuer)], ends_at_sale=role == BALANCING)

    def create(self, owner: str) -> bytes:
        """Make an asset and return its identity."""
        return self._people.asset(owner).address

    def certify(
        self, subject: bytes, role: str, *, holder: str, expiry: int | None = None, data: bytes = NO_DATA
    ) -> Outcome:
        """The role's issuer and the subject's holder agree on a claim; anybody registers it."""
        self._certified += 1  # a proof serves once, so no two claims end at once
        terms = {"expiry": FOREVER - self._certified if expiry is None else expiry, "data": data, "agreed_by": holder}
        who = holder if subject == address_of(holder) else self.shell(subject)
        return self._people.claim(who, role, ISSUERS[role], **terms)

    def revoke(self, subject: bytes, role: str) -> Outcome:
        """Who issued the claim takes it back."""
        return self.roles.send(ISSUERS[role], "revoke", role_of(role), subject)

    def offer(self, identity: bytes, owner: str, to: str) -> Outcome:
        return self.assets.send(owner, "offer", identity, address_of(to), 0)

    def sell(self, identity: bytes, owner: str, to: str) -> None:
        self._people.sell(self.shell(identity), owner, to)

    def retire(self, identity: bytes, owner: str) -> Outcome:
        return self.assets.send(owner, "retire", identity)

    def delegate(self, identity: bytes, owner: str, agent: str, seconds: int, purpose: bytes = TRADE) -> Outcome:
        """The owner lets `agent` act for the asset, for so long from now and in this ownership."""
        return self.shell(identity).send(owner, "delegate", purpose, address_of(agent), seconds)

    def dismiss(self, identity: bytes, owner: str, agent: str) -> Outcome:
        return self.shell(identity).send(owner, "dismiss", TRADE, address_of(agent))

    def shell(self, identity: bytes) -> Contract:
        """The asset's own contract."""
        return Contract.at(self._people.machine, load("AssetIdentity"), identity)
