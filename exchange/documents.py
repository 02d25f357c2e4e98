"""Events as plain values for JSON, and back: the form of the journal and of every published book.

Bytes are `0x` and lower-case hex, everything counted is a whole number with its unit in the name. What is missing,
surplus or out of range is refused: a document that was read once is valid.
"""

from collections.abc import Mapping
from typing import Any

from exchange.charge_documents import charge_from_document, stated_to_document
from exchange.clearing_documents import (
    clearing_from_document,
    clearing_to_document,
    fee_row,
    share_to_document,
    trade_from_document,
    trade_to_document,
)
from exchange.delivery import Product
from exchange.errors import OrderMalformed
from exchange.events import (
    ChargeStated,
    Event,
    ForecastSet,
    GateClosed,
    NodeTermsSet,
    OrderAccepted,
    OrderCancelled,
    ParametersSet,
    ProposalTaken,
    SessionCleared,
    SessionSettled,
    TickCleared,
)
from exchange.fields import Document, Fields, hexed, raw_bytes
from exchange.forecast import Forecast
from exchange.order import Order, Side, SignedOrder
from exchange.parameters import from_document as parameters_from_document
from exchange.proposal_documents import proposal_to_document, take_proposal
from exchange.receipt import Receipt
from exchange.terms import NodeTerms
from exchange.units import MicroPerKwh, Nano, Wh
from identity.address import Address
from identity.errors import MalformedAddress

__all__ = [
    "clearing_from_document",
    "clearing_to_document",
    "event_from_document",
    "event_to_document",
    "fee_row",
    "hexed",
    "order_from_document",
    "order_to_document",
    "receipt_from_document",
    "receipt_to_document",
    "share_to_document",
    "terms_from_document",
    "terms_to_document",
    "trade_from_document",
    "trade_to_document",
]


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
        case ChargeStated():
            return stated_to_document(event)
        case ForecastSet():
            return {
                "event": "forecast-set",
                "digest": hexed(event.digest),
                **forecast_to_document(event.forecast, event.signature),
                "signer": hexed(event.signer),
                "account": event.account,
                "sequence": event.sequence,
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
        case TickCleared():
            return {
                "event": "tick-cleared",
                "session": event.session.number,
                "clearing": clearing_to_document(event.clearing),
                "excluded": [[hexed(digest), code] for digest, code in event.excluded],
                "upto": event.upto,
                "turn": event.turn,
                "at": event.at,
            }
        case GateClosed():
            return {
                "event": "gate-closed",
                "session": event.session.number,
                "at": event.at,
                "blind": hexed(event.blind),
            }
        case ProposalTaken():
            return {
                "event": "proposal-taken",
                "digest": hexed(event.digest),
                **proposal_to_document(event.proposal, event.signature),
                "matcher": hexed(event.matcher),
                "refused": [[place, code] for place, code in event.refused],
                "welfare_nano": event.welfare,
                "at": event.at,
            }
        case SessionCleared():
            held_to = [event_to_document(forecast) for forecast in event.forecasts]
            return ({"forecasts": held_to} if held_to else {}) | {
                "event": "session-cleared",
                "session": event.session.number,
                "clearing": clearing_to_document(event.clearing),
                "excluded": [[hexed(digest), code] for digest, code in event.excluded],
                "parameters": hexed(event.parameters),
                "at": event.at,
                "turn": event.turn,
                "proposer": hexed(event.proposer) if event.proposer else None,
            }
        case SessionSettled():
            return {"event": "session-settled", "session": event.session.number, "at": event.at}


def event_from_document(document: Mapping[str, Any]) -> Event:
    """Read an event; raises `OrderMalformed` naming what is wrong with it."""
    fields = Fields(document)
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
        case "charge-stated":
            charge, signature = charge_from_document(fields.mapping("charge"))
            event = ChargeStated(
                digest=fields.raw("digest", 32),
                charge=charge,
                signature=signature,
                signer=fields.raw("signer", 20),
                account=fields.whole("account"),
                at=fields.whole("stated_at"),
            )
        case "forecast-set":
            event = ForecastSet(
                digest=fields.raw("digest", 32),
                forecast=fields.forecast(),
                signature=fields.raw("signature", 64),
                signer=fields.raw("signer", 20),
                account=fields.whole("account"),
                sequence=fields.whole("sequence"),
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
        case "tick-cleared":
            session = fields.session("session")
            event = TickCleared(
                session=session,
                clearing=clearing_from_document(fields.mapping("clearing"), session),
                excluded=tuple(_exclusion(pair) for pair in fields.items("excluded")),
                upto=fields.whole("upto"),
                turn=fields.whole("turn"),
                at=fields.whole("at"),
            )
        case "gate-closed":
            event = GateClosed(session=fields.session("session"), at=fields.whole("at"), blind=fields.raw("blind", 32))
        case "proposal-taken":
            digest, (proposal, signature) = fields.raw("digest", 32), take_proposal(fields)
            event = ProposalTaken(
                digest=digest,
                session=proposal.session,
                proposal=proposal,
                signature=signature,
                matcher=fields.raw("matcher", 20),
                refused=tuple(_refused(pair) for pair in fields.items("refused")),
                welfare=Nano(fields.whole("welfare_nano")),
                at=fields.whole("at"),
            )
        case "session-cleared":
            session = fields.session("session")
            event = SessionCleared(
                session=session,
                clearing=clearing_from_document(fields.mapping("clearing"), session),
                excluded=tuple(_exclusion(pair) for pair in fields.items("excluded")),
                parameters=fields.raw("parameters", 32),
                at=fields.whole("at"),
                turn=fields.whole("turn"),
                forecasts=tuple(map(_forecast_set, fields.some("forecasts"))),
                proposer=fields.raw_or_none("proposer", 20),
            )
        case "session-settled":
            event = SessionSettled(session=fields.session("session"), at=fields.whole("at"))
        case _:
            raise OrderMalformed(f"no event is called {kind!r}")
    fields.finish()
    return event


def forecast_to_document(forecast: Forecast, signature: bytes) -> Document:
    """Return a signed forecast as plain values, as it is posted."""
    return {
        "asset": hexed(forecast.asset),
        "start": forecast.start,
        "seconds": forecast.seconds,
        "consumption_wh": forecast.consumption,
        "production_wh": forecast.production,
        "serial": forecast.serial,
        "signature": hexed(signature),
    }


def _forecast_set(document: Mapping[str, Any]) -> ForecastSet:
    event = event_from_document(document)
    if not isinstance(event, ForecastSet):
        raise OrderMalformed("forecasts are a list of forecasts")
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
    fields = Fields(document)
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
    fields = Fields(document)
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
    fields = Fields(document)
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


def _refused(pair: object) -> tuple[int, str]:
    match pair:
        case [int(place), str(code)] if not isinstance(place, bool):
            return place, code
    raise OrderMalformed("refused is not a list of pairs of a record's place and a code")


def _exclusion(pair: object) -> tuple[bytes, str]:
    match pair:
        case [digest, str(code)]:
            return raw_bytes(digest, 32, "excluded"), code
    raise OrderMalformed("excluded is not a list of pairs of an order and a code")
