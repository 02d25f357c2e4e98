"""Events as plain values for JSON, and back: the form of the journal and of every published book.

Bytes are `0x` and lower-case hex, everything counted is a whole number with its unit in the name. What is missing,
surplus or out of range is refused: a document that was read once is valid.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from exchange.clearing import Clearing, Held, NodeResult, OwnUse
from exchange.delivery import Product, SessionKey
from exchange.errors import OrderMalformed
from exchange.events import (
    Event,
    GateClosed,
    NodeTermsSet,
    OrderAccepted,
    OrderCancelled,
    ParametersSet,
    SessionCleared,
    SessionSettled,
)
from exchange.fee_row import FeeRow
from exchange.order import Order, Side, SignedOrder
from exchange.parameters import from_document as parameters_from_document
from exchange.preferences import Preferences
from exchange.preferences import from_document as preferences_from_document
from exchange.receipt import Receipt
from exchange.terms import NodeTerms
from exchange.trade import Trade
from exchange.tree import Fee, FeeShare
from exchange.units import MicroPerKwh, Nano, Wh
from identity.address import Address
from identity.claim_data import EnergyType
from identity.errors import MalformedAddress

Document = dict[str, Any]

_MOST_SIBLINGS = 64


def hexed(raw: bytes) -> str:
    """Return bytes as `0x` and lower-case hex."""
    return "0x" + raw.hex()


def event_to_document(event: Event) -> Document:
    """Return an event as plain values; its kind stands under `event`."""
    match event:
        case ParametersSet():
            return {"event": "parameters-set", "parameters": event.parameters.to_document(), "at": event.at}
        case NodeTermsSet():
            return {
                "event": "node-terms-set",
                "digest": hexed(event.digest),
                **terms_to_document(event.terms, event.signature),
                "signer": hexed(event.signer),
                "at": event.at,
            }
        case OrderAccepted():
            return {
                "event": "order-accepted",
                "digest": hexed(event.digest),
                "order": order_to_document(event.signed),
                "receipt": receipt_to_document(event.receipt),
                "signer": hexed(event.signer),
                "account": event.account,
                "asset_number": event.asset,
                "free_nano": event.free,
                "holder": hexed(event.holder),
                "energy_type": event.energy_type.name.lower(),
            }
        case OrderCancelled():
            return {
                "event": "order-cancelled",
                "digest": hexed(event.digest),
                "session": event.session.number,
                "signature": hexed(event.signature),
                "at": event.at,
            }
        case GateClosed():
            return {"event": "gate-closed", "session": event.session.number, "at": event.at}
        case SessionCleared():
            return {
                "event": "session-cleared",
                "session": event.session.number,
                "clearing": clearing_to_document(event.clearing),
                "excluded": [[hexed(digest), code] for digest, code in event.excluded],
                "parameters": hexed(event.parameters),
                "at": event.at,
            }
        case SessionSettled():
            return {"event": "session-settled", "session": event.session.number, "at": event.at}


def event_from_document(document: Mapping[str, Any]) -> Event:
    """Read an event; raises `OrderMalformed` naming what is wrong with it."""
    fields = _Fields(document)
    kind = fields.text("event")
    event: Event
    match kind:
        case "parameters-set":
            try:
                event = ParametersSet(
                    parameters=parameters_from_document(fields.mapping("parameters")), at=fields.whole("at")
                )
            except (ValueError, MalformedAddress) as error:
                raise OrderMalformed(str(error)) from error
        case "node-terms-set":
            event = NodeTermsSet(
                digest=fields.raw("digest", 32),
                terms=fields.terms(),
                signature=fields.raw("signature", 64),
                signer=fields.raw("signer", 20),
                at=fields.whole("at"),
            )
        case "order-accepted":
            event = OrderAccepted(
                digest=fields.raw("digest", 32),
                signed=order_from_document(fields.mapping("order")),
                receipt=receipt_from_document(fields.mapping("receipt")),
                signer=fields.raw("signer", 20),
                account=fields.whole("account"),
                asset=fields.whole("asset_number"),
                free=Nano(fields.whole("free_nano")),
                holder=fields.holder("holder"),
                energy_type=fields.energy_type("energy_type"),
            )
        case "order-cancelled":
            event = OrderCancelled(
                digest=fields.raw("digest", 32),
                session=fields.session("session"),
                signature=fields.raw("signature", 64),
                at=fields.whole("at"),
            )
        case "gate-closed":
            event = GateClosed(session=fields.session("session"), at=fields.whole("at"))
        case "session-cleared":
            session = fields.session("session")
            event = SessionCleared(
                session=session,
                clearing=clearing_from_document(fields.mapping("clearing"), session),
                excluded=tuple(_exclusion(pair) for pair in fields.items("excluded")),
                parameters=fields.raw("parameters", 32),
                at=fields.whole("at"),
            )
        case "session-settled":
            event = SessionSettled(session=fields.session("session"), at=fields.whole("at"))
        case _:
            raise OrderMalformed(f"no event is called {kind!r}")
    fields.finish()
    return event


def terms_to_document(terms: NodeTerms, signature: bytes) -> Document:
    """Return a signed change of a node's terms as plain values, as it is posted."""
    return {
        "node": terms.node,
        "fee_micro_per_kwh": terms.fee.constant,
        "fee_ppm": terms.fee.ppm,
        "import_limit_wh": terms.import_limit,
        "export_limit_wh": terms.export_limit,
        "serial": terms.serial,
        "signature": hexed(signature),
    }


def terms_from_document(document: Mapping[str, Any]) -> tuple[NodeTerms, bytes]:
    """Read a signed change of a node's terms; raises `OrderMalformed` naming what is wrong with it."""
    fields = _Fields(document)
    terms, signature = fields.terms(), fields.raw("signature", 64)
    fields.finish()
    return terms, signature


def order_to_document(signed: SignedOrder) -> Document:
    """Return a signed order as plain values, as it is posted."""
    order = signed.order
    return {
        "asset": hexed(order.asset),
        "market": order.market,
        "product": order.product.name.lower(),
        "side": order.side.name.lower(),
        "delivery_start": order.delivery_start,
        "energy_wh": order.energy,
        "limit_micro_per_kwh": order.limit,
        "preferences": hexed(order.preferences),
        "valid_until": order.valid_until,
        "salt": order.salt,
        "signature": hexed(signed.signature),
        "alternatives": None if signed.preferences is None else signed.preferences.to_document()["alternatives"],
    }


def order_from_document(document: Mapping[str, Any]) -> SignedOrder:
    """Read a signed order; raises `OrderMalformed` naming what is wrong with it."""
    fields = _Fields(document)
    try:
        order = Order(
            asset=Address(fields.raw("asset", 20)),
            market=fields.whole("market"),
            product=Product[fields.text("product").upper()],
            side=Side[fields.text("side").upper()],
            delivery_start=fields.whole("delivery_start"),
            energy=Wh(fields.whole("energy_wh")),
            limit=MicroPerKwh(fields.whole("limit_micro_per_kwh")),
            preferences=fields.raw("preferences", 32),
            valid_until=fields.whole("valid_until"),
            salt=fields.whole("salt"),
        )
    except ValueError as error:
        raise OrderMalformed(str(error)) from error
    except KeyError as error:
        raise OrderMalformed(f"there is no {error} here") from error
    signed = SignedOrder(order, fields.raw("signature", 64), fields.preferences("alternatives"))
    fields.finish()
    return signed


def receipt_to_document(receipt: Receipt) -> Document:
    """Return a receipt as plain values."""
    return {
        "order": hexed(receipt.order),
        "sequence": receipt.sequence,
        "received_at": receipt.received_at,
        "blind": hexed(receipt.blind),
        "path": hexed(receipt.path),
        "signature": hexed(receipt.signature),
    }


def receipt_from_document(document: Mapping[str, Any]) -> Receipt:
    """Read a receipt."""
    fields = _Fields(document)
    receipt = Receipt(
        order=fields.raw("order", 32),
        sequence=fields.whole("sequence"),
        received_at=fields.whole("received_at"),
        blind=fields.raw("blind", 32),
        path=fields.path("path"),
        signature=fields.raw("signature", 64),
    )
    fields.finish()
    return receipt


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
    fields = _Fields(document)
    own_uses = []
    for use in fields.mappings("own_uses"):
        of_use = _Fields(use)
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
        lapsed=tuple(_raw(digest, 32, "lapsed") for digest in fields.items("lapsed")),
        nodes=tuple(_node_result(result) for result in fields.mappings("nodes")),
        held=tuple(_held(held) for held in fields.mappings("held")),
    )
    fields.finish()
    return clearing


def _node_result(document: Mapping[str, Any]) -> NodeResult:
    fields = _Fields(document)
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
    fields = _Fields(document)
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
    fields = _Fields(document)
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
    fields = _Fields(document)
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


def _exclusion(pair: object) -> tuple[bytes, str]:
    match pair:
        case [digest, str(code)]:
            return _raw(digest, 32, "excluded"), code
    raise OrderMalformed("excluded is not a list of pairs of an order and a code")


def _raw(value: object, size: int, name: str) -> bytes:
    if not isinstance(value, str) or len(value) != 2 + 2 * size:
        raise OrderMalformed(f"{name} is not 0x and {2 * size} hex digits")
    try:
        raw = bytes.fromhex(value[2:])
    except ValueError as error:
        raise OrderMalformed(f"{name} is not 0x and {2 * size} hex digits") from error
    if hexed(raw) != value:  # one value has one text: no blanks, no capitals
        raise OrderMalformed(f"{name} is not 0x and {2 * size} lower-case hex digits")
    return raw


class _Fields:
    """The fields of one document, taken out one by one, so that what is left over can be refused."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        if not isinstance(document, Mapping):
            raise OrderMalformed("this is not an object with named fields")
        self._rest = dict(document)

    def _take(self, name: str) -> Any:
        if name not in self._rest:
            raise OrderMalformed(f"{name} is missing")
        return self._rest.pop(name)

    def whole(self, name: str) -> int:
        value = self._take(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise OrderMalformed(f"{name} is not a whole number")
        return value

    def rate_or_none(self, name: str) -> MicroPerKwh | None:
        value = self.whole_or_none(name)
        return None if value is None else MicroPerKwh(value)

    def whole_or_none(self, name: str) -> int | None:
        if self._rest.get(name, ...) is None:
            del self._rest[name]
            return None
        return self.whole(name)

    def text(self, name: str) -> str:
        value = self._take(name)
        if not isinstance(value, str):
            raise OrderMalformed(f"{name} is not text")
        return value

    def raw(self, name: str, size: int) -> bytes:
        return _raw(self._take(name), size, name)

    def terms(self) -> NodeTerms:
        """Take the fields of a change of a node's terms."""
        try:
            return NodeTerms(
                node=self.whole("node"),
                fee=Fee(constant=MicroPerKwh(self.whole("fee_micro_per_kwh")), ppm=self.whole("fee_ppm")),
                import_limit=self.limit("import_limit_wh"),
                export_limit=self.limit("export_limit_wh"),
                serial=self.whole("serial"),
            )
        except ValueError as error:
            raise OrderMalformed(str(error)) from error

    def limit(self, name: str) -> Wh | None:
        """Take a limit of a node; none is no bound."""
        value = self.whole_or_none(name)
        return None if value is None else Wh(value)

    def preferences(self, name: str) -> Preferences | None:
        """Take the alternatives of an order; none is no preferences."""
        value = self._take(name)
        return None if value is None else preferences_from_document({"alternatives": value})

    def holder(self, name: str) -> bytes:
        """Take an address, or nothing where none was written down."""
        value = self.text(name)
        return b"" if value == "0x" else _raw(value, 20, name)

    def energy_type(self, name: str) -> EnergyType:
        """Take the name of an energy type."""
        try:
            return EnergyType[self.text(name).upper()]
        except KeyError as error:
            raise OrderMalformed(f"{name} is no energy type") from error

    def path(self, name: str) -> bytes:
        """Take hashes of 32 bytes, one after another; 64 of them lead through any tree."""
        value = self.text(name)
        hashes = min((len(value) - 2) >> 6, _MOST_SIBLINGS)
        return _raw(value, 32 * hashes, name)

    def session(self, name: str) -> SessionKey:
        try:
            return SessionKey.of(self.whole(name))
        except ValueError as error:
            raise OrderMalformed(f"{name} is no session") from error

    def mapping(self, name: str) -> dict[str, Any]:
        value = self._take(name)
        if not isinstance(value, dict):
            raise OrderMalformed(f"{name} is not an object")
        return value

    def mappings(self, name: str) -> list[dict[str, Any]]:
        value = self._take(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise OrderMalformed(f"{name} is not a list of objects")
        return value

    def items(self, name: str) -> list[Any]:
        value = self._take(name)
        if not isinstance(value, list):
            raise OrderMalformed(f"{name} is not a list")
        return value

    def finish(self) -> None:
        if self._rest:
            raise OrderMalformed(f"there is no field {', '.join(sorted(self._rest))} here")
