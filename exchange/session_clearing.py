"""The clearing of a session as the market holds it, at a tick and at the end. Authority counts as of gate closure."""

from collections.abc import Iterable

from exchange.admission import judge
from exchange.clear import clear
from exchange.clearing import Clearing
from exchange.crossings import Crossings, crossed_by
from exchange.events import OrderAccepted
from exchange.held_session import Session
from exchange.parameters import Parameters
from exchange.resting import NOBODY, Resting
from exchange.ticks import clear_rest, united, used_by, without
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


def clear_closed(
    session: Session, rules: Parameters, registry: Registry, crossings: Crossings
) -> tuple[Clearing, Excluded]:
    """Clear a session whose gate has closed: what its ticks made of it, and the last clearing of what is left."""
    key, mechanism = session.key, rules.market_of(session.key.market).mechanism
    judged, excluded = _judged(session.took_part(), rules, registry)
    if not session.ticks:
        return clear(judged, session=key, tree=crossings.left(rules.tree, key), mechanism=mechanism), excluded
    nodes = {digest: rules.node_of(accepted.signed.order.asset) for digest, accepted in session.orders.items()}
    gone = {digest for digest, _ in excluded}
    ticks = [without(tick.clearing, gone, nodes, rules.tree) for tick in session.ticks]
    last = clear_rest(
        [entry for entry in judged if entry.digest not in session.cancelled],
        used_by(ticks),
        session=key,
        tree=crossings.left(rules.tree, key, crossed_by(*ticks)),
        mechanism=mechanism,
    )
    return united(ticks, last, nodes, rules.tree), excluded


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
