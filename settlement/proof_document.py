"""Proofs as JSON documents, `merit-proof/1`, and back: everything a verifier needs, and nothing it does not know.

Bytes are `0x` and lower-case hex, addresses have their checksum, counts carry their unit in the name, and every number
fits a double, so that a browser reads them exactly. What is missing, surplus or out of range is refused.
"""

from collections.abc import Mapping
from typing import Any

from exchange.delivery import Product, SessionKey
from exchange.documents import (
    hexed,
    order_from_document,
    order_to_document,
    receipt_from_document,
    receipt_to_document,
    trade_from_document,
    trade_to_document,
)
from exchange.errors import OrderMalformed
from exchange.trade import Trade
from identity.address import Address, parse_address, to_text
from identity.errors import MalformedAddress
from settlement.errors import ProofMalformed
from settlement.proof import OrderProof, Place, Proof, TradeProof

FORMAT = "merit-proof/1"

_DIGITS = frozenset("0123456789abcdef")
_MOST_SIBLINGS = 64


def proof_to_document(proof: Proof) -> dict[str, Any]:
    """Return a proof as plain values for JSON."""
    place = proof.place
    document: dict[str, Any] = {
        "format": FORMAT,
        "kind": "trade" if isinstance(proof, TradeProof) else "order",
        "chain_id": place.chain_id,
        "contract": to_text(place.contract),
        "market": place.session.market,
        "product": place.session.product.name.lower(),
        "delivery_start": place.session.delivery_start,
        "part": place.part,
        "parts": place.parts,
        "order_root": hexed(place.order_root),
        "trade_root": hexed(place.trade_root),
        "parameters": hexed(place.parameters),
        "transaction": hexed(place.transaction),
        "block_number": place.block_number,
        "leaf": hexed(proof.leaf),
        "siblings": [hexed(sibling) for sibling in proof.siblings],
    }
    if isinstance(proof, TradeProof):
        document["trade"] = trade_to_document(proof.trade)
        del document["trade"]["alternative"]  # not in the leaf
        if proof.orders is not None:
            bid, offer = proof.orders
            document |= {"bid": order_to_document(bid), "offer": order_to_document(offer)}
    else:
        document |= {
            "receipt": receipt_to_document(proof.receipt),
            "receipts": to_text(proof.receipts),
            "cancelled": proof.cancelled,
        }
    return document


def proof_from_document(document: object) -> Proof:
    """Read a proof; raises `ProofMalformed` naming what is wrong with its form."""
    if not isinstance(document, Mapping):
        raise ProofMalformed("a proof is an object with named fields")
    rest = dict(document)
    if _take(rest, "format") != FORMAT:
        raise ProofMalformed(f"this is no document of the form {FORMAT}")
    kind = _take(rest, "kind")
    try:
        place = _place(rest)
        leaf, siblings = _raw(rest, "leaf"), _siblings(rest)
        proof: Proof
        if kind == "trade":
            orders = None
            if "bid" in rest or "offer" in rest:
                orders = (order_from_document(_take(rest, "bid")), order_from_document(_take(rest, "offer")))
            proof = TradeProof(
                place=place,
                trade=_trade(rest, place.session),
                leaf=leaf,
                siblings=siblings,
                orders=orders,
            )
        elif kind == "order":
            cancelled = _take(rest, "cancelled")
            if not isinstance(cancelled, bool):
                raise ProofMalformed("cancelled is neither true nor false")
            proof = OrderProof(
                place=place,
                receipt=receipt_from_document(_take(rest, "receipt")),
                receipts=_address(rest, "receipts"),
                cancelled=cancelled,
                leaf=leaf,
                siblings=siblings,
            )
        else:
            raise ProofMalformed(f"there is no proof of the kind {kind!r}")
    except (OrderMalformed, MalformedAddress) as error:
        raise ProofMalformed(str(error)) from error
    if rest:
        raise ProofMalformed(f"there is no field {', '.join(sorted(map(str, rest)))} here")
    return proof


def _place(rest: dict[str, Any]) -> Place:
    product = _take(rest, "product")
    named = [known for known in Product if known.name.lower() == product]
    if not named:
        raise ProofMalformed(f"there is no product {product!r}")
    return Place(
        chain_id=_whole(rest, "chain_id", 53),
        contract=_address(rest, "contract"),
        session=SessionKey(_whole(rest, "market", 32), named[0], _whole(rest, "delivery_start", 40)),
        part=_whole(rest, "part", 16),
        parts=_whole(rest, "parts", 16),
        order_root=_raw(rest, "order_root"),
        trade_root=_raw(rest, "trade_root"),
        parameters=_raw(rest, "parameters"),
        transaction=_raw(rest, "transaction"),
        block_number=_whole(rest, "block_number", 53),
    )


def _trade(rest: dict[str, Any], session: SessionKey) -> Trade:
    fields = _take(rest, "trade")
    if not isinstance(fields, Mapping) or "alternative" in fields:
        raise ProofMalformed("trade is no object of what is in the leaf")
    return trade_from_document({**fields, "alternative": None}, session)


def _take(rest: dict[str, Any], name: str) -> Any:
    if name not in rest:
        raise ProofMalformed(f"{name} is missing")
    return rest.pop(name)


def _whole(rest: dict[str, Any], name: str, bits: int) -> int:
    value = _take(rest, name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << bits:
        raise ProofMalformed(f"{name} is not a whole number of at most {bits} bits")
    return value


def _bytes(value: object, name: str) -> bytes:
    if not isinstance(value, str) or len(value) != 66 or value[:2] != "0x" or not _DIGITS.issuperset(value[2:]):
        raise ProofMalformed(f"{name} is not 0x and 64 lower-case hex digits")
    return bytes.fromhex(value[2:])


def _raw(rest: dict[str, Any], name: str) -> bytes:
    return _bytes(_take(rest, name), name)


def _siblings(rest: dict[str, Any]) -> tuple[bytes, ...]:
    siblings = _take(rest, "siblings")
    if not isinstance(siblings, list) or len(siblings) > _MOST_SIBLINGS:
        raise ProofMalformed(f"siblings is not a list of at most {_MOST_SIBLINGS}")
    return tuple(_bytes(sibling, "a sibling") for sibling in siblings)


def _address(rest: dict[str, Any], name: str) -> Address:
    value = _take(rest, name)
    if not isinstance(value, str):
        raise ProofMalformed(f"{name} is not an address")
    return parse_address(value)
