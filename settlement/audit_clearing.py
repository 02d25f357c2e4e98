"""The clearing of one book: by clearing again, and every trade against the orders it names."""

from collections.abc import Iterator
from dataclasses import replace

from exchange.balancing_tree import reserve_tree
from exchange.book import Book
from exchange.clearing import Clearing, OwnUse
from exchange.delivery import Mechanism, Product
from exchange.documents import hexed
from exchange.events import OrderAccepted
from exchange.order import Side
from exchange.proposals import best
from exchange.resting import Resting
from exchange.session_clearing import resting_order
from exchange.ticks import rest_of, united, used_by
from exchange.trade import Trade
from exchange.tree import Tree
from settlement.audit_proposals import counted
from settlement.boundaries import Boundaries, nodes_of
from settlement.findings import Finding


def check_clearing(book: Book, boundaries: Boundaries) -> Iterator[Finding]:
    """Yield where the book's clearing is not the one that its orders and rules give.

    `boundaries` say what could still cross those of the tree when the session was cleared.
    """
    closure = book.gate_closure
    if book.cleared.parameters != book.rules.hash():
        sentence = f"the rules in the book have the hash {hexed(book.rules.hash())}"
        yield Finding("parameters-hash", book.key, hexed(book.cleared.parameters), sentence)
    if book.cleared.at < closure:
        yield Finding("cleared-early", book.key, "", f"cleared at {book.cleared.at}, the gate closed at {closure}")
    yield from _check_trades(book)
    yield from _check_limits(book, boundaries.whole)
    last, proposer = best(
        rest_of(_resting(book), used_by(boundaries.made)),
        [(taken.matcher, taken.proposal) for taken in counted(book)],
        blind=book.blind,
        session=book.key,
        tree=boundaries.last,
        mechanism=book.market.mechanism,
    )
    if proposer != book.cleared.proposer:
        said = hexed(book.cleared.proposer) if book.cleared.proposer else "the exchange"
        sentence = f"the best clearing is by {hexed(proposer) if proposer else 'the exchange'}, not by {said}"
        yield Finding("proposer", book.key, "", sentence)
    nodes = nodes_of(book) | {entry.digest: entry.node for entry in entries_of(book)}
    again = united(boundaries.made, last, nodes, book.rules.tree)
    yield from _compare(book, book.cleared.clearing, again)


def _resting(book: Book) -> list[Resting]:
    """Return the orders that stood at gate closure, each once, under the names they ought to have."""
    gone = {cancellation.digest for cancellation in book.cancellations} | {name for name, _ in book.cleared.excluded}
    return [entry for entry in entries_of(book) if entry.digest not in gone]


def entries_of(book: Book) -> list[Resting]:
    """Return the orders of a book as the clearing sees them, each once, under the names they ought to have."""
    separator = book.parameters.domain.separator()
    resting = {}
    for accepted in book.orders:
        order = accepted.signed.order
        digest = order.digest(separator)
        if order.session == book.key and digest not in resting:
            resting[digest] = replace(resting_order(accepted, book.rules), digest=digest)
    return list(resting.values())


def _compare(book: Book, said: Clearing, again: Clearing) -> Iterator[Finding]:
    if (said.rate, said.low, said.high) != (again.rate, again.low, again.high):
        sentence = f"{again.rate} in {again.low} to {again.high}, not {said.rate} in {said.low} to {said.high}"
        yield Finding("clearing-rate", book.key, "", f"clearing again gives {sentence} (µ/kWh)")
    of_said, of_again = set(said.trades), set(again.trades)
    for trade in sorted(of_said - of_again, key=Trade.leaf):
        yield Finding("clearing-trades", book.key, hexed(trade.leaf()), "clearing again does not give this trade")
    for trade in sorted(of_again - of_said, key=Trade.leaf):
        yield Finding("clearing-trades", book.key, hexed(trade.leaf()), "clearing again gives this trade as well")
    if of_said == of_again and said.trades != again.trades:
        yield Finding("clearing-trades", book.key, "", "the trades are not listed in order of their leaf, once each")
    for use in _differing(said.own_uses, again.own_uses):
        yield Finding(
            "clearing-own-use", book.key, hexed(use.bid), f"{use.energy} Wh are not the own energy of this bid"
        )
    if set(said.own_uses) == set(again.own_uses) and said.own_uses != again.own_uses:
        yield Finding("clearing-own-use", book.key, "", "the own energy is not listed in order, once each")
    for name, in_book, cleared in (("nodes", said.nodes, again.nodes), ("held", said.held, again.held)):
        if in_book != cleared:
            yield Finding("clearing-nodes", book.key, "", f"clearing again gives other {name} than the book lists")
    if said.lapsed != again.lapsed:
        sentence = f"clearing again lets {len(again.lapsed)} orders lapse, the book {len(said.lapsed)}, or others"
        yield Finding("clearing-lapsed", book.key, "", sentence)


def _differing(said: tuple[OwnUse, ...], again: tuple[OwnUse, ...]) -> list[OwnUse]:
    return sorted({*said} ^ {*again}, key=lambda use: (use.bid, use.offer, use.energy))


def _check_trades(book: Book) -> Iterator[Finding]:
    """Yield what is wrong with each trade by itself and with the fills they add up to."""
    orders = {accepted.digest: accepted for accepted in book.orders}
    left: dict[bytes, int] = {digest: accepted.signed.order.energy for digest, accepted in orders.items()}
    for use in book.cleared.clearing.own_uses:
        for digest in (use.bid, use.offer):
            if digest in left:
                left[digest] -= use.energy
    for trade in book.cleared.clearing.trades:
        subject = hexed(trade.leaf())
        unknown = [digest for digest in (trade.bid, trade.offer) if digest not in orders]
        for digest in unknown:
            yield Finding("trade-unknown-order", book.key, subject, f"no order {hexed(digest)} stands in the book")
        if unknown:
            continue
        left[trade.bid] -= trade.energy
        left[trade.offer] -= trade.energy
        for sentence in _beyond(trade, orders[trade.bid], orders[trade.offer]):
            yield Finding("trade-beyond-limit", book.key, subject, sentence)
        for sentence in _wrong_fees(trade, orders[trade.bid], orders[trade.offer], book):
            yield Finding("trade-fee", book.key, subject, sentence)
    for digest, energy in left.items():
        if energy < 0:
            sentence = f"{-energy} Wh more were matched than the order is for"
            yield Finding("trade-beyond-limit", book.key, hexed(digest), sentence)


def _wrong_fees(trade: Trade, bid: OrderAccepted, offer: OrderAccepted, book: Book) -> Iterator[str]:
    """Say where the nodes on the way take something else than the rules say, each once."""
    rules = book.rules
    seller, buyer = rules.node_of(offer.signed.order.asset), rules.node_of(bid.signed.order.asset)
    if trade.fees.top != rules.tree.top(seller, buyer):
        yield f"it was made at node {trade.fees.top}, the way from {seller} to {buyer} leads over another"
    taken = {share.node: share.rate for share in trade.fees.shares}
    due = {share.node: share.rate for share in rules.tree.shares(seller, buyer, trade.rate)}
    more = book.market.mechanism is Mechanism.NETWORK  # rents of full boundaries come on top: clearing again has them
    for node in sorted({*taken, *due}):
        fee, own = taken.get(node, 0), due.get(node, 0)
        if fee != own and not (more and fee > own and node in rules.tree.path(seller, buyer)):
            yield f"node {node} takes {fee} µ/kWh, and {own} would be its fee"


def _check_limits(book: Book, tree: Tree) -> Iterator[Finding]:
    """Yield nodes over whose boundary more went than they let through."""
    crossed: dict[int, list[int]] = {}
    nodes = {accepted.digest: book.rules.node_of(accepted.signed.order.asset) for accepted in book.orders}
    for trade in book.cleared.clearing.trades:
        for way, digest in enumerate((trade.bid, trade.offer)):
            if digest not in nodes:
                continue
            for number in tree.below(nodes[digest], trade.fees.top):
                crossed.setdefault(number, [0, 0])[way] += trade.energy
    tree = reserve_tree(tree, book.key.product)  # balancing down, what bids pass is let out, and what offers pass in
    names = ("out", "in") if book.key.product is Product.BALANCING_DOWN else ("in", "out")
    for number, ways in sorted(crossed.items()):
        for what, energy, limit in zip(
            names, ways, (tree[number].import_limit, tree[number].export_limit), strict=True
        ):
            if limit is not None and energy > limit:
                sentence = f"{energy} Wh went {what}, and the node lets {limit} Wh through"
                yield Finding("node-limit", book.key, str(number), sentence)


def _beyond(trade: Trade, bid: OrderAccepted, offer: OrderAccepted) -> Iterator[str]:
    if bid.signed.order.side is not Side.BID or offer.signed.order.side is not Side.OFFER:
        yield "its orders are not a bid and an offer"
    if trade.energy <= 0:
        yield f"it is for {trade.energy} Wh"
    if trade.rate < offer.signed.order.limit:
        yield f"the seller gets {trade.rate} µ/kWh, the offer asks {offer.signed.order.limit}"
    if trade.rate + trade.fee_rate > bid.signed.order.limit:
        yield f"the buyer pays {trade.rate + trade.fee_rate} µ/kWh, the bid allows {bid.signed.order.limit}"
    if bid.account == offer.account:
        yield f"account {bid.account} trades with itself"
