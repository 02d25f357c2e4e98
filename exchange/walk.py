"""The clearing of a whole tree order by order: for books with preferences, and for fees that are shares.

Bottom-up, as everywhere: at each node its own orders and what is left of its children's meet by the node's mechanism,
and what is left moves up within the node's limits. Each alternative of a bid is a row of its own; rows choose dearest
first, each the cheapest offers that it may buy, and an alternative never before those listed before it. On a book
without preferences and with constant fees the trades are those of the kernel over columns.
"""

from collections.abc import Mapping, Sequence

from exchange.delivery import Mechanism
from exchange.order import Side
from exchange.tree import MOST_DEPTH, Node, Tree
from exchange.units import MicroPerKwh, Wh
from exchange.walk_meet import Buyers, Deal, Stall, meet_by_lists, meet_by_terms, meet_plain, stall_of
from exchange.walk_order import Held, Walked, WalkOrder, WalkTrade
from exchange.walk_rates import one_rate, rates_at_one_rate
from exchange.walk_rows import Rows, rows_of
from exchange.walk_terms import Terms, charged

_CLEARS = (Mechanism.PAY_AS_OFFER, Mechanism.PAY_AS_BID, Mechanism.PAY_AS_CLEAR)


def walk(
    bids: Sequence[WalkOrder],
    offers: Sequence[WalkOrder],
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
    if any(order.node not in tree for order in (*bids, *offers)):
        raise ValueError("an order hangs on a node that is not there")
    state = _Walk(bids, offers, tree, mechanism)
    by_depth: list[list[Node]] = [[] for _ in range(MOST_DEPTH)]
    for node in tree.nodes:
        by_depth[len(tree.way_up(node.number)) - 1].append(node)
    trades: dict[int, list[WalkTrade]] = {}
    for node in (node for level in reversed(by_depth) for node in level):
        trades[node.number] = state.clear(node)
        if node.parent is not None:
            state.limit_exports(node, (left_out or {}).get(node.number, node.export_limit))
            state.limit_imports(node, (left_in or {}).get(node.number, node.import_limit))
            state.move_up(node, node.parent)
    return Walked([trade for number in sorted(trades) for trade in trades[number]], state.prices, state.held)


class _Walk:
    """What there is at each node, by place of the order or of the row; rates are as they are at the node reached."""

    def __init__(
        self, bids: Sequence[WalkOrder], offers: Sequence[WalkOrder], tree: Tree, mechanism: Mechanism
    ) -> None:
        self.prices: dict[int, MicroPerKwh] = {}
        self.held: list[Held] = []
        self._tree = tree
        self._mechanism = mechanism
        self._terms = None if tree.is_constant else Terms(tree)
        self._rows: Rows = rows_of(bids, offers)
        self._buyers = Buyers(self._rows, [bid.account for bid in bids], [bid.energy for bid in bids])
        self._bid_node = [bid.node for bid in bids]
        self._limit: list[int] = [offer.rate for offer in offers]
        self._offer_node = [offer.node for offer in offers]
        self._account = [offer.account for offer in offers]
        self._left: list[int] = [offer.energy for offer in offers]
        self._is_plain = [offer.preferences is None for offer in offers]
        self._offer_rate = list(self._limit)
        self._row_rate = list(self._rows.limit)
        alike = self._rows.rank_limit == self._rows.limit
        self._rank_rate = self._row_rate if alike else list(self._rows.rank_limit)
        self._rows_at: dict[int, list[int]] = {node.number: [] for node in tree.nodes}
        self._offers_at: dict[int, list[int]] = {node.number: [] for node in tree.nodes}
        for row, bid in enumerate(self._rows.bid):
            self._rows_at[self._bid_node[bid]].append(row)
        for place, number in enumerate(self._offer_node):
            self._offers_at[number].append(place)

    def clear(self, node: Node) -> list[WalkTrade]:
        """Let what has reached a node meet there, and return the trades."""
        number, ranked, offers = node.number, self._rows_at[node.number], self._offers_at[node.number]
        self._price_rows(node, ranked)
        ranked.sort()  # priority first: the sorts by rate are stable
        ranked.sort(key=self._rank_rate.__getitem__, reverse=True)
        offers.sort()
        offers.sort(key=self._offer_rate.__getitem__)
        if not ranked or not offers:
            return []
        stall = stall_of(offers, self._offer_rate, self._account, self._left)
        mechanism = node.mechanism or self._mechanism
        deals = self._meet(node, mechanism, ranked, stall)
        for place, left in zip(offers, stall.left, strict=False):
            self._left[place] = left
        rates = self._rates(number, mechanism, ranked, stall, deals)
        bid_of, alternative, place_of = self._rows.bid, self._rows.alternative, stall.offer
        return [
            (bid_of[row], place_of[rank], Wh(energy), MicroPerKwh(rate), number, alternative[row])
            for (row, rank, energy), rate in zip(deals, rates, strict=True)
        ]

    def limit_exports(self, node: Node, limit: Wh | None) -> None:
        """Hold back what is left of offers beyond the cheapest up to the limit."""
        if limit is None:
            return
        room: int = limit
        for place in self._offers_at[node.number]:  # in merit order since the node was cleared
            goes = min(self._left[place], room)
            if goes < self._left[place]:
                self.held.append((Side.OFFER, place, node.number, Wh(self._left[place] - goes)))
            self._left[place] = goes
            room -= goes

    def limit_imports(self, node: Node, limit: Wh | None) -> None:
        """Hold back what is left of bids beyond the dearest up to the limit.

        A bid stands where the first of its rows does that can still buy, with no more than all of them together can.
        """
        if limit is None:
            return
        room: int = limit
        rows, left, seen = self._rows, self._buyers.left, set()
        for row in self._rows_at[node.number]:
            bid = rows.bid[row]
            if bid in seen or not rows.cap[row]:
                continue
            seen.add(bid)
            wants = min(left[bid], sum(rows.cap[one] for one in rows.of_bid.get(bid, (row,))))
            left[bid] = min(wants, room)
            if left[bid] < wants:
                self.held.append((Side.BID, bid, node.number, Wh(wants - left[bid])))
            room -= left[bid]

    def move_up(self, node: Node, parent: int) -> None:
        """Take what is left to the node above; offers grow dearer by the fee of the node they leave."""
        left, rate, fee = self._left, self._offer_rate, node.fee
        offers = [place for place in self._offers_at.pop(node.number) if left[place]]
        if fee.ppm:
            for place in offers:
                rate[place] += fee.at(MicroPerKwh(self._limit[place]))
        elif fee.constant:
            for place in offers:
                rate[place] += fee.constant
        self._offers_at[parent] += offers
        bid_of, wanted, cap = self._rows.bid, self._buyers.left, self._rows.cap
        self._rows_at[parent] += [row for row in self._rows_at.pop(node.number) if wanted[bid_of[row]] and cap[row]]

    def _price_rows(self, node: Node, rows: list[int]) -> None:
        """Say what rows are worth at the node that they have reached."""
        row_rate, rank_rate = self._row_rate, self._rank_rate
        if self._terms is not None:
            limit, rank_limit = self._rows.limit, self._rows.rank_limit
            for row in rows:
                origin = self._bid_node[self._rows.bid[row]]
                row_rate[row] = self._terms.worth(limit[row], origin, node.number)
                rank_rate[row] = self._terms.worth(rank_limit[row], origin, node.number)
        elif fee := node.fee.constant:
            for row in rows:
                row_rate[row] -= fee
            if rank_rate is not row_rate:
                for row in rows:
                    rank_rate[row] -= fee

    def _meet(self, node: Node, mechanism: Mechanism, ranked: list[int], stall: Stall) -> list[Deal]:
        if self._terms is not None and mechanism is not Mechanism.PAY_AS_CLEAR:
            return self._meet_by_terms(self._terms, node.number, ranked, stall)
        if self._rows.narrow and (
            any(map(self._rows.special.__getitem__, ranked)) or not all(map(self._is_plain.__getitem__, stall.offer))
        ):
            return meet_by_lists(ranked, self._row_rate, self._buyers, stall)
        return meet_plain(ranked, self._row_rate, self._buyers, stall)

    def _meet_by_terms(self, terms: Terms, number: int, ranked: list[int], stall: Stall) -> list[Deal]:
        """Match where fees are shares of what the seller gets: whether two agree is a question of their path."""
        tree, bid_node, bid_of, limit = self._tree, self._bid_node, self._rows.bid, self._rows.limit
        origin, asks, asked = self._offer_node, self._limit, stall.rate
        fee = tree[number].fee
        # where pay-as-clear, which goes by the dearest case, refused a pair further down, it must not meet up here
        mixed = any((node.mechanism or self._mechanism) is Mechanism.PAY_AS_CLEAR for node in tree.nodes)

        def agree(row: int, rank: int) -> bool:
            buyer, offer = bid_node[bid_of[row]], stall.offer[rank]
            if mixed and tree.top(origin[offer], buyer) != number:
                return False
            return asked[rank] + charged((*terms.below(buyer, number), fee), asks[offer]) <= limit[row]

        names: dict[object, int] = {}
        ways = []
        for offer in stall.offer:
            path = tree.way_up(origin[offer])
            child = path[max(path.index(number) - 1, 0)] if mixed else number
            ways.append(names.setdefault((child, terms.below(origin[offer], number)), len(names)))
        return meet_by_terms(ranked, self._buyers, stall, ways, agree)

    def _rates(
        self, number: int, mechanism: Mechanism, ranked: list[int], stall: Stall, deals: list[Deal]
    ) -> Sequence[int]:
        """Return what the seller of each deal gets."""
        asks, place_of, terms = self._limit, stall.offer, self._terms
        if mechanism is Mechanism.PAY_AS_OFFER:
            return [asks[place_of[rank]] for _, rank, _ in deals]
        if mechanism is Mechanism.PAY_AS_CLEAR:
            price = one_rate(ranked, self._row_rate, self._buyers, stall, self._is_plain, deals)
            if price is not None:
                self.prices[number] = MicroPerKwh(price)
            at_node = rates_at_one_rate(price, self._row_rate, stall, deals)
        elif terms is None:
            at_node = [self._row_rate[row] for row, _, _ in deals]
        else:
            bid_of, limit, bid_node, origin = self._rows.bid, self._rows.limit, self._bid_node, self._offer_node
            return [
                terms.most_for_seller(limit[row], origin[place_of[rank]], bid_node[bid_of[row]])
                for row, rank, _ in deals
            ]
        if terms is not None:
            return [
                terms.kept(terms.below(self._offer_node[place_of[rank]], number), rate)
                for (_, rank, _), rate in zip(deals, at_node, strict=True)
            ]
        asked = stall.rate
        return [rate - asked[rank] + asks[place_of[rank]] for (_, rank, _), rate in zip(deals, at_node, strict=True)]
