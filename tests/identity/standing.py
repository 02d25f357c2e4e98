"""Standing as a test says it: who owns what, and who holds which role until when."""

from identity.access import Role, Scope
from identity.address import Address


class Said:
    """`owners` and `roles` are what holds; a test changes them as a sale or a revocation would."""

    def __init__(self):
        self.owners: dict[Scope, Address] = {}
        self.since: dict[Scope, int] = {}
        self.roles: set[tuple[Address, Role, int | None]] = set()

    def owner(self, scope, at):
        return self.owners.get(scope)

    def owned_since(self, scope, at):
        return self.since.get(scope, 0)

    def holds(self, who, role, at, node=None):
        return any((who, role) == held[:2] and (node is None or held[2] in (None, node)) for held in self.roles)

    def is_member(self, who):
        return who in self.owners.values()
