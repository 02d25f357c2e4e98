"""The clearing of a session as the market holds it, at a tick and at the end. Authority counts as of gate closure."""

from collections.abc import Iterable
from dataclasses import dataclass

from exchange.admission import judge
from exchange.anonymous import AnonymousBook, anonymous
from exchange.clear import to_trade
from exchange.clearing import Clearing
from exchange.crossings import Crossings, crossed_by
from exchange.events import OrderAccepted
from exchange.held_session import Session
from exchange.parameters import Parameters
from exchange.proposals import Checked, Proposal, best, check
from exchange.resting import NOBODY, Resting
from exchange.ticks import clear_rest, rest_of, united, used_by, without
from exchange.tree import Tree
from identity.address import Address, to_address
from identity.errors import AuthorityRefused
from identity.registry import Registry

ENERGY_TYPE_CHANGED = "energy-type-changed"
"""Why an order is left out whose asset is certified for another energy than it was taken with."""

Excluded = tuple[tuple[bytes, str], ...]
"""Orders that were left out since their authority has ended, with the code of the refusal, in ascending order."""


def resting_order(accepted: OrderAccepted, parameters: Parameters) -> Resting:
    """Return an accepted order as the clearing sees it."""
    order = accepted.signed.order
    return Resting(
        order=order,
        digest=accepted.digest,
        sequence=accepted.receipt.sequence,
        account=accepted.account,
        home=parameters.home_of(order.asset),
        node=parameters.node_of(order.asset),
        holder=Address(accepted.holder) if accepted.holder else NOBODY,
        energy_type=accepted.energy_type,
        preferences=accepted.signed.preferences,
    )


def clear_tick(
    session: Session, rules: Parameters, registry: Registry, crossings: Crossings
) -> tuple[Clearing, Excluded]:
    """Match what stands of an open session's orders."""
    standing, excluded = _judged(session.live(), rules, registry)
    return (
        clear_rest(
            standing,
            session.used,
            session=session.key,
            tree=crossings.left(rules.tree, session.key),
            mechanism=rules.market_of(session.key.market).mechanism,
        ),
        excluded,
    )


@dataclass(frozen=True, slots=True)
class _Closing:
    """What the last clearing of a closed session is made of: what is left of its orders, and what its ticks made."""

    entries: list[Resting]
    ticks: list[Clearing]
    tree: Tree
    excluded: Excluded


def _closing(session: Session, rules: Parameters, registry: Registry, crossings: Crossings) -> _Closing:
    judged, excluded = _judged(session.took_part(), rules, registry)
    gone = {digest for digest, _ in excluded}
    nodes = _nodes(session, rules)
    ticks = [without(tick.clearing, gone, nodes, rules.tree) for tick in session.ticks]
    standing = [entry for entry in judged if entry.digest not in session.cancelled]
    tree = crossings.left(rules.tree, session.key, crossed_by(*ticks) if ticks else None)
    return _Closing(rest_of(standing, used_by(ticks)), ticks, tree, excluded)


def clear_closed(
    session: Session, rules: Parameters, registry: Registry, crossings: Crossings
) -> tuple[Clearing, Excluded, bytes]:
    """Clear a session whose gate has closed: what its ticks made of it, and the last clearing of what is left.

    The last is the best of our own and of those that were proposed; whose it is comes last, nothing where ours.
    """
    closing = _closing(session, rules, registry, crossings)
    last, proposer = best(
        closing.entries,
        [(taken.matcher, taken.proposal) for taken in session.proposals],
        blind=session.blind,
        session=session.key,
        tree=closing.tree,
        mechanism=rules.market_of(session.key.market).mechanism,
    )
    return united(closing.ticks, last, _nodes(session, rules), rules.tree), closing.excluded, proposer


def without_names(session: Session, rules: Parameters, registry: Registry, crossings: Crossings) -> AnonymousBook:
    """Return the book of a closed session as a matcher may read it."""
    closing, market = _closing(session, rules, registry, crossings), rules.market_of(session.key.market)
    return anonymous(
        to_trade(closing.entries, session=session.key, tree=closing.tree),
        blind=session.blind,
        session=session.key,
        tree=closing.tree,
        mechanism=market.mechanism,
        until=market.clears_at(session.key.delivery_start),
    )


def check_proposal(
    session: Session, proposal: Proposal, rules: Parameters, registry: Registry, crossings: Crossings
) -> Checked:
    """Check a proposal for a closed session, record by record, as things stand."""
    closing = _closing(session, rules, registry, crossings)
    return check(
        proposal,
        to_trade(closing.entries, session=session.key, tree=closing.tree),
        blind=session.blind,
        tree=closing.tree,
        mechanism=rules.market_of(session.key.market).mechanism,
    )


def _nodes(session: Session, rules: Parameters) -> dict[bytes, int]:
    return {digest: rules.node_of(accepted.signed.order.asset) for digest, accepted in session.orders.items()}


def _judged(orders: Iterable[OrderAccepted], rules: Parameters, registry: Registry) -> tuple[list[Resting], Excluded]:
    """Return the orders whose signers may act for them, and name the others."""
    resting, excluded = [], []
    for accepted in orders:
        order, signer = accepted.signed.order, to_address(accepted.signer)
        closure = rules.market_of(order.market).gate_closure(order.delivery_start)
        try:
            standing = judge(order, signer, rules, registry, number=accepted.asset)
        except AuthorityRefused as refusal:
            excluded.append((accepted.digest, refusal.code))
            continue
        assert standing.account.number == accepted.account, "an enrolment does not change its account"
        if rules.preferences and registry.energy_type(order.asset, closure) is not accepted.energy_type:
            excluded.append((accepted.digest, ENERGY_TYPE_CHANGED))
            continue
        resting.append(resting_order(accepted, rules))
    return resting, tuple(sorted(excluded))
