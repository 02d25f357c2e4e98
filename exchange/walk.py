"""The clearing of a whole tree order by order: for books with preferences, and for fees that are shares.

Bottom-up, as everywhere: at each node its own orders and what is left of its children's meet by the node's mechanism,
and what is left moves up within the node's limits. Each alternative of a bid is a row of its own; rows choose dearest
first, each the cheapest offers that it may buy, and an alternative never before those listed before it. On a book
without preferences and with constant fees the trades are those of the kernel over columns.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat

from exchange.delivery import Mechanism
from exchange.order import Side
from exchange.tree import MOST_DEPTH, Node, Tree
from exchange.units import MicroPerKwh, Wh
from exchange.walk_meet import Buyers, Deals, Stall, meet_by_lists, meet_by_terms, meet_plain, stall_of
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
    state = _Walk(bids, offers, tree, mechanism)
    by_depth: list[list[Node]] = [[] for _ in range(MOST_DEPTH)]
    for node in tree.nodes:
        by_depth[len(tree.way_up(node.number)) - 1].append(node)
    trades: dict[int, list[WalkTrade]] = {}
    for node in (node for level in reversed(by_depth) for node in level):
        goes_out = (left_out or {}).get(node.number, node.export_limit)
        comes_in = (left_in or {}).get(node.number, node.import_limit)
        trades[node.number] = state.clear(node, limited=goes_out is not None or comes_in is not None)
        if node.parent is not None:
            if goes_out is not None:
                state.limit_exports(node, goes_out)
            if comes_in is not None:
                state.limit_imports(node, comes_in)
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
        self._offer_node = [offer.node for offer in offers]
        self._limit: list[int] = [offer.rate for offer in offers]
        self._account = [offer.account for offer in offers]
        self._left: list[int] = [offer.energy for offer in offers]
        self._is_plain = [offer.preferences is None for offer in offers]
        self._offer_rate = list(self._limit)
        self._row_rate = list(self._rows.limit)
        alike = self._rows.rank_limit is self._rows.limit
        self._rank_rate = self._row_rate if alike else list(self._rows.rank_limit)
        nodes = [node.number for node in tree.nodes]
        self._rows_at = _grouped(map(self._bid_node.__getitem__, self._rows.bid), nodes)
        self._offers_at = _grouped(self._offer_node, nodes)

    def clear(self, node: Node, limited: bool) -> list[WalkTrade]:
        """Let what has reached a node meet there, and return the trades.

        Where a limit asks for it, everything that has reached the node is in merit order then.
        """
        number, rows, offers = node.number, self._rows_at[node.number], self._offers_at[node.number]
        self._price_rows(node, rows)
        row_rate, offer_rate = self._row_rate, self._offer_rate
        if (
            rows and offers and not limited and self._terms is None
        ):  # what no rate on the other side can meet need not be sorted
            highest, lowest = max(map(row_rate.__getitem__, rows)), min(map(offer_rate.__getitem__, offers))
            rows = [row for row in rows if row_rate[row] >= lowest]
            offers = [offer for offer in offers if offer_rate[offer] <= highest]
        rows.sort()  # priority first: the sorts by rate are stable
        rows.sort(key=self._rank_rate.__getitem__, reverse=True)
        offers.sort()
        offers.sort(key=offer_rate.__getitem__)
        if not rows or not offers:
            return []
        stall = stall_of(offers, offer_rate, self._account, self._left)
        mechanism = node.mechanism or self._mechanism
        deals = self._meet(node, mechanism, rows, stall)
        if not deals.row:
            return []
        for place, left in zip(offers, stall.left, strict=False):
            self._left[place] = left
        sold = list(map(stall.offer.__getitem__, deals.rank))
        rates = self._rates(number, mechanism, rows, stall, deals, sold)
        bought = map(self._rows.bid.__getitem__, deals.row)
        under = map(self._rows.alternative.__getitem__, deals.row)
        return list(zip(bought, sold, deals.energy, rates, repeat(number), under, strict=False))

    def limit_exports(self, node: Node, limit: Wh) -> None:
        """Hold back what is left of offers beyond the cheapest up to the limit."""
        room: int = limit
        for place in self._offers_at[node.number]:  # in merit order since the node was cleared
            goes = min(self._left[place], room)
            if goes < self._left[place]:
                self.held.append((Side.OFFER, place, node.number, Wh(self._left[place] - goes)))
            self._left[place] = goes
            room -= goes

    def limit_imports(self, node: Node, limit: Wh) -> None:
        """Hold back what is left of bids beyond the dearest up to the limit.

        A bid stands where the first of its rows does that can still buy, with no more than all of them together can.
        """
        room: int = limit
        rows, left, seen = self._rows, self._buyers.left, set()
        for row in self._rows_at[node.number]:
            bid = rows.bid[row]
            if bid in seen or not rows.cap[row]:
                continue
            seen.add(bid)
            wants = min(left[bid], sum(rows.cap[rows.first[bid] : rows.first[bid + 1]]))
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
        elif constant := fee.constant:
            for place in offers:
                rate[place] += constant
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

    def _meet(self, node: Node, mechanism: Mechanism, ranked: list[int], stall: Stall) -> Deals:
        rows = self._rows
        if self._terms is not None and mechanism is not Mechanism.PAY_AS_CLEAR:
            return self._meet_by_terms(self._terms, node.number, ranked, stall)
        if not rows.plain and (
            any(map(rows.special.__getitem__, ranked)) or not all(map(self._is_plain.__getitem__, stall.offer))
        ):
            return meet_by_lists(ranked, self._row_rate, self._buyers, stall)
        return meet_plain(ranked, self._row_rate, self._buyers, stall)

    def _meet_by_terms(self, terms: Terms, number: int, ranked: list[int], stall: Stall) -> Deals:
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
        self, number: int, mechanism: Mechanism, ranked: list[int], stall: Stall, deals: Deals, sold: list[int]
    ) -> list[int]:
        """Return what the seller of each deal gets; `sold` are the places of their offers."""
        asks, terms = list(map(self._limit.__getitem__, sold)), self._terms
        if mechanism is Mechanism.PAY_AS_OFFER:
            return asks
        at_node = list(map(self._row_rate.__getitem__, deals.row))
        asked = list(map(stall.rate.__getitem__, deals.rank))
        if mechanism is Mechanism.PAY_AS_CLEAR:
            price = one_rate(ranked, self._row_rate, self._buyers, stall, self._is_plain, deals)
            if price is not None:
                self.prices[number] = MicroPerKwh(price)
            at_node = rates_at_one_rate(price, asked, at_node)
        elif terms is not None:
            bids, limit = map(self._rows.bid.__getitem__, deals.row), map(self._rows.limit.__getitem__, deals.row)
            sellers, buyers = map(self._offer_node.__getitem__, sold), map(self._bid_node.__getitem__, bids)
            return list(map(terms.most_for_seller, limit, sellers, buyers))
        if terms is not None:
            ways = (terms.below(self._offer_node[place], number) for place in sold)
            return list(map(terms.kept, ways, at_node))
        return [rate - there + own for rate, there, own in zip(at_node, asked, asks, strict=True)]


def _grouped(nodes: Iterable[int], numbers: Iterable[int]) -> dict[int, list[int]]:
    """Return the places of each number of a node; raises `ValueError` where one is not among the numbers."""
    places: dict[int, list[int]] = {number: [] for number in numbers}
    try:
        for place, number in enumerate(nodes):
            places[number].append(place)
    except KeyError as error:
        raise ValueError("an order hangs on a node that is not there") from error
    return places
