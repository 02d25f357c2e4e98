"""A reader who may read everything, for tests of what is read and not of who may."""

from identity.access import By, Permission
from tests.actors import OPERATOR


class Everybody:
    """Permits every read, and remembers what was asked for."""

    def __init__(self):
        self.items = []

    def reader(self, request):
        return OPERATOR.address

    def judge(self, request, *items):
        self.items += items
        return tuple(Permission(By.OWN, item.scopes[0]) for item in items)

    def may(self, request, item):
        self.items.append(item)
        return True
