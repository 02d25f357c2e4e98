"""What goes over the wire: pydantic models, which live here and nowhere deeper.

Every number is whole and carries its unit in its name: `_wh` watt-hours, `_micro_per_kwh` millionths of the currency
per kWh, `_nano` billionths of the currency, instants unix seconds in UTC. Bytes are `0x` and hex digits.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SkipValidation, ValidationError

from exchange.delivery import Product
from exchange.errors import OrderMalformed
from exchange.order import NO_PREFERENCES, Order, Side, SignedOrder
from exchange.preferences import MOST_ALTERNATIVES, MOST_ENTRIES, Preferences
from exchange.preferences import from_document as preferences_from_document
from exchange.proposals import MOST_RECORDS
from exchange.units import MAX_ENERGY, MAX_RATE, MicroPerKwh, Wh
from identity.address import parse_address
from identity.errors import MalformedAddress
from identity.signature import compact

MOST_ORDERS_AT_ONCE = 1_000

_MOST_FIELD_ERRORS = 20

HASH_PATTERN = "^0x[0-9a-fA-F]{64}$"


def _checked_address(text: str) -> str:
    try:
        parse_address(text)
    except MalformedAddress as error:
        raise ValueError(str(error)) from error
    return text


AddressText = Annotated[str, Field(pattern="^0x[0-9a-fA-F]{40}$"), AfterValidator(_checked_address)]
HashText = Annotated[str, Field(pattern=HASH_PATTERN)]
SignatureText = Annotated[
    str,
    Field(
        pattern="^0x([0-9a-fA-F]{128}|[0-9a-fA-F]{130})$",
        description="secp256k1 with low s: 64 bytes (EIP-2098), or 65 as wallets give them",
    ),
]
Instant = Annotated[int, Field(ge=0, lt=1 << 40)]

_EXAMPLE: dict[str, Any] = {
    "asset": "0x9a0f2f9e1d0c2a1b3c4d5e6f708192a3b4c5d6e7",
    "market": 1,
    "product": "spot",
    "side": "bid",
    "delivery_start": 1_782_000_000,
    "energy_wh": 250,
    "limit_micro_per_kwh": 310_000,
    "valid_until": 1_782_000_000,
    "salt": 1,
}


class StrictModel(BaseModel):
    """Takes each field as the type it is declared, and no field besides."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


Model = TypeVar("Model", bound=StrictModel)


class AlternativeIn(StrictModel):
    """One way for a bid to be served: whatever it names holds together; what it leaves empty is open."""

    partners: list[AddressText] = Field(default=[], max_length=MOST_ENTRIES, description="assets or holders: any")
    energy_types: list[str] = Field(default=[], max_length=MOST_ENTRIES, description="as certified: any")
    most_energy_wh: int | None = Field(default=None, gt=0, le=MAX_ENERGY)
    limit_micro_per_kwh: int | None = Field(default=None, ge=-MAX_RATE - 1, le=MAX_RATE)


class UnsignedOrder(StrictModel):
    """An order before it is signed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    asset: AddressText = Field(description="the identity address of the asset")
    market: int = Field(ge=0, lt=1 << 32, description="the number of the market: a product of the calendar")
    product: Literal["spot", "forward", "balancing_up", "balancing_down"] = "spot"
    side: Literal["bid", "offer"] = Field(description="a bid buys, an offer sells")
    delivery_start: Instant = Field(description="the first second of the delivery period, unix time")
    energy_wh: int = Field(gt=0, le=MAX_ENERGY)
    limit_micro_per_kwh: int = Field(
        ge=-MAX_RATE - 1,
        le=MAX_RATE,
        description="millionths of the currency per kWh, may be negative; a bid's limit covers all fees",
    )
    preferences: HashText = Field(
        default="0x" + NO_PREFERENCES.hex(), description="the hash of `alternatives`; zero: no preferences"
    )
    valid_until: Instant = Field(description="not before gate closure, unix time")
    salt: int = Field(
        ge=0, lt=1 << 64, description="tells equal orders apart; the upper 32 bits are the account's epoch"
    )

    alternatives: list[AlternativeIn] | None = Field(
        default=None, min_length=1, max_length=MOST_ALTERNATIVES, description="what `preferences` is the hash of"
    )

    def to_preferences(self) -> Preferences | None:
        """Return the preferences as the exchange knows them; raises `OrderMalformed`."""
        if self.alternatives is None:
            return None
        listed = [alternative.model_dump() for alternative in self.alternatives]
        for alternative in listed:
            alternative["partners"] = [partner.lower() for partner in alternative["partners"]]
        return preferences_from_document({"alternatives": listed})

    def to_order(self) -> Order:
        """Return the order as the exchange knows it."""
        return Order(
            asset=parse_address(self.asset),
            market=self.market,
            product=Product[self.product.upper()],
            side=Side[self.side.upper()],
            delivery_start=self.delivery_start,
            energy=Wh(self.energy_wh),
            limit=MicroPerKwh(self.limit_micro_per_kwh),
            preferences=raw(self.preferences),
            valid_until=self.valid_until,
            salt=self.salt,
        )


class OrderIn(UnsignedOrder):
    """A signed order."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE, "signature": "0x" + "5a" * 64}]})

    signature: SignatureText


class OrdersIn(StrictModel):
    """Orders that are decided on one after the other; each gets its own answer."""

    orders: list[SkipValidation[OrderIn]] = Field(min_length=1, max_length=MOST_ORDERS_AT_ONCE)


class CancellationIn(StrictModel):
    """A signature of the typed data Cancellation(bytes32 order) by the account's holder or its delegate."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"signature": "0x" + "5a" * 64}]})

    signature: SignatureText


class ReceiptOut(BaseModel):
    """The exchange's signed word that it holds the order: the leaf of a small Merkle tree, whose root is signed.

    The leaf is the hash of Receipt(bytes32 order,uint64 sequence,uint40 receivedAt,bytes32 blind), a node that of its
    two children in ascending order; what is signed is Receipts(bytes32 root).
    """

    order: HashText
    sequence: int
    received_at: int
    blind: HashText = Field(description="what only the exchange can make: nobody finds out the order from a sibling")
    path: str = Field(description="the siblings from the leaf to the root, 32 bytes each, one after another")
    signature: str = Field(description="of the root; orders that were taken together share it")


class OrderTaken(BaseModel):
    """The order is held, and this is its receipt."""

    digest: HashText = Field(description="the order's name")
    session: int = Field(description="the session's number")
    session_name: str
    status: str = Field(description="open, cancelled, closed, cleared or settled")
    receipt: ReceiptOut


class BatchResult(BaseModel):
    """The answer to one order of several: 201 taken, 200 held already, otherwise a problem."""

    status: int
    digest: HashText | None = None
    session: int | None = None
    session_name: str | None = None
    receipt: ReceiptOut | None = None
    problem: dict[str, Any] | None = Field(default=None, description="RFC 9457")


class BatchResults(BaseModel):
    """One result for each order, in the order they were handed in."""

    results: list[BatchResult]


class CancellationOut(BaseModel):
    """The order was taken back."""

    digest: HashText
    session: int
    status: Literal["cancelled"] = "cancelled"
    cancelled_at: int


class TrailStep(BaseModel):
    """One thing that happened to an order. What is known of it beyond its time depends on the step."""

    model_config = ConfigDict(extra="allow")

    step: Literal["received", "accepted", "tick", "cancelled", "gate-closed", "matched", "not-matched", "settled"]
    at: int | None = Field(description="unix seconds; none where it was not witnessed here")


class OutcomeOut(BaseModel):
    """What became of an order in the clearing, and why."""

    code: str
    sentence: str
    filled_wh: int
    own_use_wh: int


class OrderOut(OrderTaken):
    """An order with everything that happened to it."""

    order: dict[str, Any]
    account: int
    matched_wh: int = Field(description="what ticks have matched of it while its gate is open, own energy included")
    trail: list[TrailStep]
    outcome: OutcomeOut | None = Field(description="none until the session is cleared")


class FeeShareOut(BaseModel):
    """What one node takes for each kWh: its fee and any congestion rent together."""

    node: int = Field(description="the node's number")
    rate_micro_per_kwh: int


class TradeOut(BaseModel):
    """A trade: the seller gets the value, the nodes on the way the fee, the buyer pays both."""

    leaf: HashText = Field(description="the trade's name: its leaf in the tree whose root is on the chain")
    session: int
    session_name: str
    delivery_start: int
    bid: HashText
    offer: HashText
    buyer: int = Field(description="the number of the buying account")
    seller: int = Field(description="the number of the selling account")
    energy_wh: int
    rate_micro_per_kwh: int
    fee_rate_micro_per_kwh: int = Field(description="what all nodes on the way take together")
    fees: list[FeeShareOut] = Field(
        description="what each node takes, from the seller to the buyer; who takes nothing is left out, but for the top"
    )
    top: int = Field(description="the node where the trade was made: the deepest above both, and among `fees`")
    alternative: int | None = Field(description="the one of the bid's preferences under which it buys, from 0")
    value_nano: int
    fee_nano: int
    cost_nano: int


class TradePage(BaseModel):
    """Trades by session, then leaf; `next` is the cursor of the next page."""

    trades: list[TradeOut]
    next: str | None


class SessionSummary(BaseModel):
    """A session and how far it has come."""

    session: int
    name: str
    market: int
    product: str
    mechanism: Literal["pay-as-offer", "pay-as-bid", "pay-as-clear", "network"]
    delivery_start: int
    delivery_end: int
    gate_opening: int
    gate_closure: int
    state: Literal["open", "closed", "cleared", "settled"]
    orders: int
    cancelled: int
    closed_at: int | None
    cleared_at: int | None
    settled_at: int | None
    rate_micro_per_kwh: int | None = Field(description="the one rate of its trades; none where each has its own")
    average_micro_per_kwh: int | None = Field(description="what sellers get on average, rounded down, for display")
    energy_wh: int | None


class SessionPage(BaseModel):
    """Sessions by market, product and delivery start; `next` is the cursor of the next page."""

    sessions: list[SessionSummary]
    next: str | None


class NamelessOrder(BaseModel):
    """An order of a cleared session without its name: what the auction saw, and what was filled."""

    energy_wh: int
    limit_micro_per_kwh: int
    filled_wh: int
    own_use_wh: int


class NamelessBook(BaseModel):
    """Both sides of a cleared session in order of merit."""

    bids: list[NamelessOrder]
    offers: list[NamelessOrder]


class SessionOut(SessionSummary):
    """A session with its book, where it may be read, and its clearing; both none before it is cleared."""

    book: NamelessBook | None = Field(description="none for who may not read it, and before it is cleared")
    clearing: dict[str, Any] | None
    settlement: dict[str, Any] | None = Field(description="what the chain holds of it, as far as that is known here")


def raw(text: str) -> bytes:
    """Return the bytes of checked `0x` text."""
    return bytes.fromhex(text[2:])


def read_order(document: object) -> SignedOrder:
    """Read a posted order; raises `OrderMalformed` naming every wrong field, `BadSignature` for a high s or odd v."""
    posted = _read(OrderIn, document)
    return SignedOrder(posted.to_order(), compact(raw(posted.signature)), posted.to_preferences())


def read_unsigned_order(document: object) -> Order:
    """Read an order that is yet to be signed; raises `OrderMalformed` naming every wrong field."""
    return _read(UnsignedOrder, document).to_order()


def _read(model: type[Model], document: object) -> Model:
    if isinstance(document, bytes):  # what FastAPI hands on that is not declared as JSON
        raise OrderMalformed("the body is not declared as JSON: send it with Content-Type: application/json")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        fields = field_errors(error.errors(include_url=False, include_context=False, include_input=False))
        why = "; ".join(f"{name}: {problem}" if name else problem for name, problem in fields)
        raise OrderMalformed(why, fields) from error


def field_errors(errors: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Return pydantic's findings as pairs of a field's path and what is wrong with it, cut to a readable length."""
    pairs = [(".".join(map(str, error["loc"]))[:80], str(error["msg"])[:200]) for error in errors]
    return tuple(pairs[:_MOST_FIELD_ERRORS])


class RecordIn(BaseModel):
    """One trade that is proposed, between two rows of the book without names; the rate is what the seller gets."""

    model_config = ConfigDict(extra="forbid", strict=True)

    bid: HashText
    offer: HashText
    energy_wh: int
    rate_micro_per_kwh: int


class ProposalIn(BaseModel):
    """A clearing of one session, signed by a matcher (EIP-712 `Proposal`)."""

    model_config = ConfigDict(extra="forbid", strict=True)

    session: int
    records: list[RecordIn] = Field(min_length=1, max_length=MOST_RECORDS)
    signature: SignatureText


class RecordAnswer(BaseModel):
    """Whether a record is valid, and why not: a stable code and a sentence."""

    valid: bool
    code: str | None
    reason: str | None


class ProposalAnswer(BaseModel):
    """What became of a proposal: each record in the order of the proposal, and the welfare of those that are valid."""

    digest: HashText | None = Field(description="the proposal's name, if any of it was valid")
    taken: bool
    welfare_nano: int
    records: list[RecordAnswer]
