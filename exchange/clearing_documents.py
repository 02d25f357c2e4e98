"""Clearings and trades as plain values for JSON, and back: the form of the journal and of every published book."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from exchange.clearing import Clearing, Held, NodeResult, OwnUse
from exchange.delivery import SessionKey
from exchange.errors import OrderMalformed
from exchange.fee_row import FeeRow
from exchange.fields import Document, Fields, hexed, raw_bytes
from exchange.trade import Trade
from exchange.tree import FeeShare
from exchange.units import MicroPerKwh, Wh


def clearing_to_document(clearing: Clearing) -> Document:
    """Return a clearing as plain values."""
    return {
        "rate_micro_per_kwh": clearing.rate,
        "low_micro_per_kwh": clearing.low,
        "high_micro_per_kwh": clearing.high,
        "trades": [trade_to_document(trade) for trade in clearing.trades],
        "own_uses": [
            {"bid": hexed(use.bid), "offer": hexed(use.offer), "energy_wh": use.energy} for use in clearing.own_uses
        ],
        "lapsed": [hexed(digest) for digest in clearing.lapsed],
        "nodes": [
            {
                "node": result.node,
                "energy_wh": result.energy,
                "imported_wh": result.imported,
                "exported_wh": result.exported,
                "price_micro_per_kwh": result.price,
                "low_micro_per_kwh": result.low,
                "high_micro_per_kwh": result.high,
            }
            for result in clearing.nodes
        ],
        "held": [{"order": hexed(held.order), "node": held.node, "energy_wh": held.energy} for held in clearing.held],
    }


def clearing_from_document(document: Mapping[str, Any], session: SessionKey) -> Clearing:
    """Read the clearing of `session`."""
    fields = Fields(document)
    own_uses = []
    for use in fields.mappings("own_uses"):
        of_use = Fields(use)
        own_uses.append(
            OwnUse(bid=of_use.raw("bid", 32), offer=of_use.raw("offer", 32), energy=Wh(of_use.whole("energy_wh")))
        )
        of_use.finish()
    clearing = Clearing(
        rate=fields.rate_or_none("rate_micro_per_kwh"),
        low=fields.rate_or_none("low_micro_per_kwh"),
        high=fields.rate_or_none("high_micro_per_kwh"),
        trades=tuple(trade_from_document(trade, session) for trade in fields.mappings("trades")),
        own_uses=tuple(own_uses),
        lapsed=tuple(raw_bytes(digest, 32, "lapsed") for digest in fields.items("lapsed")),
        nodes=tuple(_node_result(result) for result in fields.mappings("nodes")),
        held=tuple(_held(held) for held in fields.mappings("held")),
    )
    fields.finish()
    return clearing


def _node_result(document: Mapping[str, Any]) -> NodeResult:
    fields = Fields(document)
    result = NodeResult(
        node=fields.whole("node"),
        energy=Wh(fields.whole("energy_wh")),
        imported=Wh(fields.whole("imported_wh")),
        exported=Wh(fields.whole("exported_wh")),
        price=fields.rate_or_none("price_micro_per_kwh"),
        low=fields.rate_or_none("low_micro_per_kwh"),
        high=fields.rate_or_none("high_micro_per_kwh"),
    )
    fields.finish()
    return result


def _held(document: Mapping[str, Any]) -> Held:
    fields = Fields(document)
    held = Held(order=fields.raw("order", 32), node=fields.whole("node"), energy=Wh(fields.whole("energy_wh")))
    fields.finish()
    return held


def trade_to_document(trade: Trade) -> Document:
    """Return a trade as plain values, without its session."""
    return {
        "bid": hexed(trade.bid),
        "offer": hexed(trade.offer),
        "energy_wh": trade.energy,
        "rate_micro_per_kwh": trade.rate,
        "fees": [share_to_document(share) for share in trade.fees.shares],
        "top": trade.fees.top,
        "alternative": trade.alternative,
    }


def trade_from_document(document: Mapping[str, Any], session: SessionKey) -> Trade:
    """Read a trade of `session`."""
    fields = Fields(document)
    top = fields.whole("top")
    trade = Trade(
        session=session,
        bid=fields.raw("bid", 32),
        offer=fields.raw("offer", 32),
        energy=Wh(fields.whole("energy_wh")),
        rate=MicroPerKwh(fields.whole("rate_micro_per_kwh")),
        fees=_fees(tuple(map(_share, fields.mappings("fees"))), top),
        alternative=fields.whole_or_none("alternative"),
    )
    fields.finish()
    return trade


def share_to_document(share: FeeShare) -> Document:
    """Return what one node takes as plain values."""
    return {"node": share.node, "rate_micro_per_kwh": share.rate}


def _share(document: Mapping[str, Any]) -> tuple[int, int]:
    fields = Fields(document)
    share = fields.whole("node"), fields.whole("rate_micro_per_kwh")
    fields.finish()
    return share


def _fees(shares: tuple[tuple[int, int], ...], top: int) -> FeeRow:
    try:
        return fee_row(shares, top)
    except ValueError as error:
        raise OrderMalformed(str(error)) from error


@lru_cache(maxsize=1 << 12)  # there are millions of trades and few ways through a tree
def fee_row(shares: tuple[tuple[int, int], ...], top: int) -> FeeRow:
    """Return the row of these pairs of a node and a rate: one value for all trades that went the same way.

    Raises `ValueError` as `FeeRow` does.
    """
    return FeeRow(tuple(FeeShare(node, MicroPerKwh(rate)) for node, rate in shares), top)
