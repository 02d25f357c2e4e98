"""What the settlement contract should be told of the registries: whom to enrol, about whom to ask anew.

The contract keeps what the registries said when somebody last had it ask, for a bounded time. Anybody may do both; an
exchange does it for its members, so that no order is refused for want of a question.
"""

from dataclasses import dataclass

from identity.address import Address
from identity.registry import Asset, Registry


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Assets to enrol, each with the account of its owner; numbers of enrolments to refresh. Both ascend."""

    enrol: tuple[tuple[Address, int], ...]
    refresh: tuple[int, ...]


def upkeep(registry: Registry, now: int, cache_seconds: int) -> Upkeep:
    """Return what is due at `now`, where the contract keeps an answer for `cache_seconds`.

    A certified asset is enrolled as soon as its owner has an account: the first, where there are several. An enrolment
    is refreshed when the contract's answer promises more than the registries do, or when half of its time is over and
    they have more to give.
    """
    accounts: dict[Address, int] = {}
    for number, account in sorted(registry.accounts.items()):
        accounts.setdefault(account.holder, number)
    enrol, refresh = [], []
    for identity, tenure in sorted(registry.authority.tenures.present.items()):
        if tenure.owner not in accounts or registry.enrolment(identity, tenure.epoch) is not None:
            continue
        if registry.authority.held_until(identity, registry.roles.asset) >= now:
            enrol.append((identity, accounts[tenure.owner]))
    for number, asset in sorted(registry.enrolments.items()):
        if _is_stale(registry, asset, now, cache_seconds):
            refresh.append(number)
    return Upkeep(tuple(enrol), tuple(refresh))


def _is_stale(registry: Registry, asset: Asset, now: int, cache_seconds: int) -> bool:
    ended = registry.authority.tenures.ended(asset.identity, asset.epoch)
    if ended is not None:
        return asset.until >= ended or asset.balancing_until >= ended
    if registry.assets[asset.identity] is not asset:
        return False  # another enrolment stands in its place
    roles = registry.roles
    return any(
        _differs(kept, registry.authority.held_until(asset.identity, role), now, cache_seconds)
        for kept, role in ((asset.until, roles.asset), (asset.balancing_until, roles.balancing))
    )


def _differs(kept: int, held: int, now: int, cache_seconds: int) -> bool:
    """Whether the contract keeps an end that is too late, or one that half of its time has brought near."""
    if held < now:
        return kept >= now
    return kept > held or kept < min(held, now + (cache_seconds >> 1))
