"""The clearing of a whole tree order by order: for books with preferences, and for fees that are shares.

Bottom-up, as everywhere: at each node its own orders and what is left of its children's meet by the node's mechanism,
and what is left moves up within the node's limits. Each alternative of a bid is a row of its own; rows choose dearest
first, each the cheapest offers that it may buy, and an alternative never before those listed before it. On a book
without preferences and with constant fees the trades are those of the kernel over columns.

All nodes of a level are cleared together, by columns but for the choosing.
"""

from collections.abc import Mapping

import numpy as np

from exchange.auction import Column
from exchange.delivery import Mechanism
from exchange.levels import levels_of
from exchange.order import Side
from exchange.rising import Rising, bounded
from exchange.tree import Tree
from exchange.units import MicroPerKwh, Wh
from exchange.walk_meet import Deals, Left, meet
from exchange.walk_order import Held, Walked, WalkSide, WalkTrade
from exchange.walk_rates import one_rates, rates_at_one_rate
from exchange.walk_rows import NO_ALTERNATIVE, Rows, rows_of
from exchange.walk_stall import Present, Stall, stall_of, within_reach
from exchange.walk_terms import Terms

_CLEARS = (Mechanism.PAY_AS_OFFER, Mechanism.PAY_AS_BID, Mechanism.PAY_AS_CLEAR)


def walk(
    bids: WalkSide,
    offers: WalkSide,
    tree: Tree,
    mechanism: Mechanism,
    left_in: Mapping[int, Wh] | None = None,
    left_out: Mapping[int, Wh] | None = None,
) -> Walked:
    """Clear bids and offers, each listed in order of priority; `mechanism` is that of nodes without one of their own.

    `left_in` and `left_out` say by number of node what may still cross its boundary, where that is not its limit.
    Raises `ValueError` for an order at no node of the tree, and for a node that is cleared by another mechanism than
    the three that clear node by node.
    """
    for node in tree.nodes:
        if (node.mechanism or mechanism) not in _CLEARS:
            raise ValueError(f"node {node.number} is not cleared by itself")
    state = _Walk(bids, offers, tree, mechanism, left_in or {}, left_out or {})
    for depth in reversed(range(state.levels)):
        state.clear(depth)
        if depth:
            state.limit(depth)
            state.move_up(depth)
    return Walked(state.trades(), state.prices, state.held)


class _Walk:
    """What there is at each node, by place of the order or of the row; rates are as they are at the node reached.

    Nodes are places, too, as they are listed in the tree.
    """

    def __init__(
        self,
        bids: WalkSide,
        offers: WalkSide,
        tree: Tree,
        mechanism: Mechanism,
        left_in: Mapping[int, Wh],
        left_out: Mapping[int, Wh],
    ) -> None:
        self.prices: dict[int, MicroPerKwh] = {}
        self.held: list[Held] = []
        self._nodes = levels_of(tree, mechanism)
        self._number = np.array([node.number for node in tree.nodes])
        self.levels = int(self._nodes.depth.max()) + 1
        for limits, left in ((self._nodes.import_limit, left_in), (self._nodes.export_limit, left_out)):
            for number in left.keys() & set(self._number.tolist()):
                limits[np.searchsorted(self._number, number)] = left[number]
        self._terms = None if tree.is_constant else Terms(tree, mechanism, bids.node, offers.node, offers.rate)
        self._book: Rows = rows_of(bids, offers)
        self._accounts = bids.account, offers.account
        self._left = Left(bids.energy.copy(), self._book.cap, offers.energy.copy())
        self._asks = offers.rate
        self._is_plain_offer = np.ones(len(offers), dtype=np.bool_)
        self._is_plain_offer[list(offers.preferences)] = False
        self._bid_node, self._offer_node = self._places(bids.node), self._places(offers.node)
        self._row_rate, self._rank_rate = self._book.limit.copy(), self._book.rank_limit.copy()
        self._offer_rate = offers.rate.copy()
        self._rows = np.flatnonzero(self._book.cap)
        self._offers = np.arange(len(offers))
        self._trades: list[tuple[Column, ...]] = []

    def _places(self, numbers: Column) -> Column:
        place = np.minimum(np.searchsorted(self._number, numbers), len(self._number) - 1)
        if (self._number[place] != numbers).any():
            raise ValueError("an order hangs on a node that is not there")
        return place

    def clear(self, depth: int) -> None:
        """Let what has reached the nodes of a level meet there."""
        self._price_rows(depth)
        rows, offers = self._rows_at(depth), self._offers_at(depth)
        if not len(rows.place) or not len(offers.place):
            return
        if self._terms is None:
            offers = within_reach(rows, offers, len(self._nodes))
        offers = offers.ordered(offers.rate, len(self._nodes))
        ways = None if self._terms is None else self._terms.ways(offers)
        stall = stall_of(self._book, rows, self._rank_rate[rows.place], offers, len(self._nodes), ways)
        bid = self._book.bid[stall.rows.place]
        agree = None if self._terms is None else self._terms.agreement(stall, bid, self._book.limit[stall.rows.place])
        deals = meet(stall, bid, self._accounts, self._left, agree)
        if len(deals):
            self._note(stall, bid, deals)

    def limit(self, depth: int) -> None:
        """Hold back what is left of offers beyond the cheapest that may leave a node, and of bids beyond the dearest
        that may come in.

        A bid stands where the first of its rows does that can still buy, with no more than all of them together can.
        """
        offers, left, book = self._offers_at(depth), self._left, self._book
        side = Rising(offers.place, offers.node, offers.rate, left.offer[offers.place])
        crossing, held_offers = bounded(side, side.rate, self._nodes.export_limit)
        if crossing is not side:
            left.offer[offers.place] = 0
            left.offer[crossing.row] = crossing.energy
        rows = self._rows_at(depth)
        bid, first = np.unique(book.bid[rows.place], return_index=True)
        hope = np.add.reduceat(left.cap, book.first)[bid] if len(bid) else bid
        wanted = np.minimum(left.bid[bid], hope)
        side = Rising(bid, rows.node[first], self._rank_rate[rows.place[first]], wanted)
        crossing, held_bids = bounded(side, -side.rate, self._nodes.import_limit)
        if crossing is not side:
            left.bid[bid] = 0
            left.bid[crossing.row] = crossing.energy
        held = [
            (node, which, place, energy)
            for which, columns in ((Side.OFFER, held_offers), (Side.BID, held_bids))
            for place, node, energy in zip(*(column.tolist() for column in columns), strict=True)
        ]
        held.sort(key=lambda one: one[0])
        self.held += [(which, place, int(self._number[node]), Wh(energy)) for node, which, place, energy in held]

    def move_up(self, depth: int) -> None:
        """Take what is left to the nodes above; offers grow dearer by the fees of the nodes they leave."""
        offers = self._offers_at(depth)
        self._offer_rate[offers.place] += self._nodes.fee[offers.node]
        if self._terms is not None:
            self._offer_rate[offers.place] += self._terms.shares(offers)
        self._offer_node[offers.place] = self._nodes.parent[offers.node]
        bids = np.flatnonzero(self._nodes.depth[self._bid_node] == depth)
        self._bid_node[bids] = self._nodes.parent[self._bid_node[bids]]

    def trades(self) -> list[WalkTrade]:
        """Return all trades by the number of their node."""
        if not self._trades:
            return []
        columns = [np.concatenate(column) for column in zip(*self._trades, strict=True)]
        order = np.argsort(columns[4], kind="stable")
        bid, offer, energy, rate, top, alternative = (column[order].tolist() for column in columns)
        under = [None if one == NO_ALTERNATIVE else one for one in alternative]
        return list(zip(bid, offer, energy, rate, top, under, strict=True))

    def _rows_at(self, depth: int) -> Present:
        """Return the rows at the nodes of a level that can still buy, by place."""
        left, rows = self._left, self._rows
        rows = self._rows = rows[(left.bid[self._book.bid[rows]] > 0) & (left.cap[rows] > 0)]
        node = self._bid_node[self._book.bid[rows]]
        at = np.flatnonzero(self._nodes.depth[node] == depth)
        return Present(rows[at], node[at], self._row_rate[rows[at]])

    def _offers_at(self, depth: int) -> Present:
        """Return the offers at the nodes of a level that have something left, by place."""
        offers = self._offers = self._offers[self._left.offer[self._offers] > 0]
        node = self._offer_node[offers]
        at = np.flatnonzero(self._nodes.depth[node] == depth)
        return Present(offers[at], node[at], self._offer_rate[offers[at]])

    def _price_rows(self, depth: int) -> None:
        """Say what rows are worth at the nodes that they have reached."""
        rows = self._rows_at(depth)
        if self._terms is None:
            fee = self._nodes.fee[rows.node]
            self._row_rate[rows.place] -= fee
            self._rank_rate[rows.place] -= fee
        else:
            bid = self._book.bid[rows.place]
            self._row_rate[rows.place] = self._terms.worths(self._book.limit[rows.place], bid, rows.node)
            self._rank_rate[rows.place] = self._terms.worths(self._book.rank_limit[rows.place], bid, rows.node)

    def _note(self, stall: Stall, bid: Column, deals: Deals) -> None:
        """Write down the deals of a level, each with what its seller gets."""
        nodes, row = len(self._nodes), stall.rows.place[deals.row]
        offer, node = stall.offers.place[deals.offer], stall.rows.node[deals.row]
        offered, asked, asks = stall.rows.rate[deals.row], stall.offers.rate[deals.offer], self._asks[offer]
        alternative, mechanism = self._book.alternative[row], self._nodes.mechanism[node]
        at_node = np.where(mechanism == Mechanism.PAY_AS_OFFER, asked, offered)
        uniform = mechanism == Mechanism.PAY_AS_CLEAR
        if uniform.any():
            plain = np.flatnonzero(uniform & (alternative == NO_ALTERNATIVE) & self._is_plain_offer[offer])
            unsold = np.flatnonzero(
                (self._left.offer[stall.offers.place] > 0) & self._is_plain_offer[stall.offers.place]
            )
            unserved = np.flatnonzero(
                (self._left.bid[bid] > 0) & (self._book.alternative[stall.rows.place] == NO_ALTERNATIVE)
            )
            prices = one_rates(
                Present(offer[plain], node[plain], asked[plain]),
                Present(row[plain], node[plain], offered[plain]),
                stall.offers.some(unsold),
                stall.rows.some(unserved),
                nodes,
            )
            numbers = self._number[prices.places].tolist()
            self.prices |= dict(zip(numbers, prices.rate[prices.places].tolist(), strict=True))
            at_node = np.where(uniform, rates_at_one_rate(prices, node, asked, offered), at_node)
        if self._terms is None:
            rate = at_node - asked + asks
        else:
            rate = self._terms.for_sellers(node, self._book.bid[row], self._book.limit[row], offer, at_node)
        self._trades.append((self._book.bid[row], offer, deals.energy, rate, self._number[node], alternative))
