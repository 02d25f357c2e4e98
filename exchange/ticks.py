"""Tick-wise clearing: what the orders of a session make of each other while its gate is open, and what that adds up to.

At each tick, and once more at gate closure, the orders that stand are matched with what earlier ticks have left of
them. Trades are final when they are made, but for one reason: an order whose authority has ended by gate closure takes
no part in the session, since the contract would refuse it and every other trade with it. Its trades are struck out,
and what others had traded with it is matched again at the closure.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from exchange.clear import clear, together
from exchange.clearing import Clearing, NodeResult, OwnUse
from exchange.delivery import Mechanism, SessionKey
from exchange.resting import Resting
from exchange.trade import Trade
from exchange.tree import Tree
from exchange.units import MicroPerKwh, Wh


def used_by(clearings: Iterable[Clearing]) -> dict[bytes, int]:
    """Return how much of each order was matched, own energy included (Wh); none of which nothing was."""
    used: dict[bytes, int] = {}
    for clearing in clearings:
        matches: tuple[Trade | OwnUse, ...] = (*clearing.trades, *clearing.own_uses)
        for match in matches:
            for digest in (match.bid, match.offer):
                used[digest] = used.get(digest, 0) + match.energy
    return used


def clear_rest(
    standing: Iterable[Resting],
    used: Mapping[bytes, int],
    *,
    session: SessionKey,
    tree: Tree,
    mechanism: Mechanism,
) -> Clearing:
    """Match what is left of the orders that stand, of which so much is `used`; `tree` says what may still cross."""
    return clear(rest_of(standing, used), session=session, tree=tree, mechanism=mechanism)


def rest_of(standing: Iterable[Resting], used: Mapping[bytes, int]) -> list[Resting]:
    """Return the orders of which something is left, with what that is."""
    rest = (
        replace(entry, left=Wh(entry.order.energy - max(used[entry.digest], 0))) if entry.digest in used else entry
        for entry in standing
    )
    return [entry for entry in rest if entry.energy > 0]


def without(clearing: Clearing, gone: Collection[bytes], nodes: Mapping[bytes, int], tree: Tree) -> Clearing:
    """Return what stays of a tick's clearing when orders are struck out; `nodes` says where every order hangs."""
    if not gone:
        return clearing
    trades = [trade for trade in clearing.trades if trade.bid not in gone and trade.offer not in gone]
    uses = [use for use in clearing.own_uses if use.bid not in gone and use.offer not in gone]
    return replace(clearing, trades=tuple(trades), own_uses=tuple(uses), nodes=results(trades, nodes, tree))


def united(ticks: Sequence[Clearing], last: Clearing, nodes: Mapping[bytes, int], tree: Tree) -> Clearing:
    """Return all that a session came to: what its ticks made of it, and its last clearing, as one.

    Trades of the same two orders at the same rate and with the same fees are one trade, so that each has a name of its
    own. What stayed behind at a full boundary, and what lapsed, is that of the last clearing.
    """
    if not ticks:
        return last
    every = [*ticks, last]
    uses: dict[tuple[bytes, bytes], int] = {}
    for use in (use for clearing in every for use in clearing.own_uses):
        uses[use.bid, use.offer] = uses.get((use.bid, use.offer), 0) + use.energy
    own = (OwnUse(bid=bid, offer=offer, energy=Wh(energy)) for (bid, offer), energy in sorted(uses.items()))
    made = merged(trade for clearing in every for trade in clearing.trades)
    rates = [trade.rate for trade in made]
    return Clearing(
        rate=None,
        low=min(rates, default=last.low),
        high=max(rates, default=last.high),
        trades=made,
        own_uses=tuple(own),
        lapsed=last.lapsed,
        nodes=results(made, nodes, tree),
        held=last.held,
    )


def merged(trades: Iterable[Trade]) -> tuple[Trade, ...]:
    """Return trades by leaf, those of the same two orders at the same rate and with the same fees as one."""
    return tuple(sorted(together(trades), key=Trade.leaf))


def results(
    trades: Sequence[Trade],
    nodes: Mapping[bytes, int],
    tree: Tree,
    has_one_price: Callable[[int], bool] = lambda _: False,
) -> tuple[NodeResult, ...]:
    """Return what trades come to at every node that they touch; `has_one_price` says which have one price."""
    energy: dict[int, int] = {}
    imported: dict[int, int] = {}
    exported: dict[int, int] = {}
    rates: dict[int, list[int]] = {}
    for trade in trades:
        top = trade.fees.top
        energy[top] = energy.get(top, 0) + trade.energy
        rates.setdefault(top, []).append(trade.rate + trade.fees.before_top)
        for crossed, digest in ((exported, trade.offer), (imported, trade.bid)):
            for below in tree.below(nodes[digest], top):
                crossed[below] = crossed.get(below, 0) + trade.energy
    return tuple(
        NodeResult(
            node=number,
            energy=Wh(energy.get(number, 0)),
            imported=Wh(imported.get(number, 0)),
            exported=Wh(exported.get(number, 0)),
            price=MicroPerKwh(rates[number][0]) if number in rates and has_one_price(number) else None,
            low=MicroPerKwh(min(rates[number])) if number in rates else None,
            high=MicroPerKwh(max(rates[number])) if number in rates else None,
        )
        for number in sorted({*energy, *imported, *exported})
    )
