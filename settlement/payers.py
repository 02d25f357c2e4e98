"""Which account an asset's imbalance is charged to: that it ordered under, or else that it is enrolled under.

Of an asset that ordered nothing in a slot the registries say it: the newest enrolment in the ownership of the slot's
first second. Who buys an asset is charged from the first slot that begins as the buyer's.
"""

from collections.abc import Mapping

from identity.address import Address
from identity.registry import Registry
from settlement.contracted import Place


class Payers:
    """Accounts by asset and slot: `ordered_under` comes from books, the rest from the registries."""

    def __init__(self, ordered_under: Mapping[Place, int], registry: Registry) -> None:
        self._ordered_under = ordered_under
        self._tenures = registry.authority.tenures
        self._enrolled = {
            (asset.identity, asset.epoch): asset.account for _, asset in sorted(registry.enrolments.items())
        }

    def account_of(self, asset: Address, start: int) -> int | None:
        """Return the account that is charged for an asset in the slot that begins at `start`, if there is one."""
        account = self._ordered_under.get((asset, start))
        if account is not None:
            return account
        tenure = self._tenures.at(asset, start)
        return None if tenure is None else self._enrolled.get((asset, tenure.epoch))
