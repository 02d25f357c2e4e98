"""What a batch does, in plain Python: the credits after it, or the first reason to refuse it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tests.contracts.orders import BID, OFFER, Batch


@dataclass(frozen=True)
class Node:
    """A market's terms, as far as a session of its tree asks for them."""

    fee_account: int
    fee_cap: int
    uniform: bool


@dataclass(frozen=True)
class Facts:
    """What the contract knows before the batch: who may sign for each asset, its account, and the nodes of the tree."""

    account_of: Mapping[int, int]
    signer_of: Mapping[int, str]
    nodes: Mapping[int, Node]
    gate_closure: int


def settle(batch: Batch, credit: Mapping[int, int], facts: Facts) -> dict[int, int] | str:
    """Return all credits after the batch, or why it is refused."""
    digest = b""
    for order in batch.orders:
        if order.energy == 0:
            return "orders: energy is zero"
        if order.valid_until < facts.gate_closure:
            return "orders: expired"
        if order.digest() <= digest:
            return "orders: not ascending"
        digest = order.digest()
        if order.signer != facts.signer_of[order.asset]:
            return "orders: signer may not trade"
    left = [order.energy for order in batch.orders]
    net: Counter[int] = Counter()
    for trade in batch.trades:
        if trade.bid >= len(left) or trade.offer >= len(left):
            return "trades: no such order"
        bid, offer = batch.orders[trade.bid], batch.orders[trade.offer]
        buyer, seller = facts.account_of[bid.asset], facts.account_of[offer.asset]
        row = trade.row_in(batch.market)
        for wrong, reason in (
            (bid.side != BID or offer.side != OFFER, "sides are wrong"),
            (buyer == seller, "with oneself"),
            (trade.energy == 0, "energy is zero"),
            (trade.energy > left[trade.bid], "bid is used up"),
            (trade.energy > left[trade.offer], "offer is used up"),
            (trade.rate < offer.limit, "rate is below the offer"),
            (trade.rate + row.fee > bid.limit, "rate is above the bid"),
        ):
            if wrong:
                return f"trades: {reason}"
        left[trade.bid] -= trade.energy
        left[trade.offer] -= trade.energy
        net[buyer] -= trade.energy * (trade.rate + row.fee)
        net[seller] += trade.energy * trade.rate
        for node, share in row.shares:
            net[facts.nodes[node].fee_account] += trade.energy * share
    reason = _wrong_with_rows(batch, facts)
    if reason is not None:
        return reason
    after = {account: nano + net[account] for account, nano in credit.items()}
    if min(after.values()) < 0:
        return "money: credit is short"
    return after


def _wrong_with_rows(batch: Batch, facts: Facts) -> str | None:
    prices: dict[int, set[int]] = {}
    for row in batch.rows():
        if any(share > facts.nodes[node].fee_cap for node, share in row.shares):
            return "fees: above the cap"
        at_top = prices.setdefault(row.top, set())
        at_top |= {trade.rate + row.before_top for trade in batch.trades if trade.row_in(batch.market) == row}
        if facts.nodes[row.top].uniform and len(at_top) > 1:
            return "trades: two rates"
    return None
