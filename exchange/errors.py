"""What this room refuses.

    ExchangeRefused
    ├── OrderRejected
    │   ├── OrderMalformed        malformed-order
    │   ├── WrongMarket           wrong-market
    │   ├── NotADeliveryStart     not-a-delivery-start
    │   ├── GateNotOpen           gate-not-open
    │   ├── GateClosed            gate-closed
    │   ├── OrderExpired          order-expired
    │   ├── SizeOutOfBounds       size-out-of-bounds
    │   ├── NoForecast            no-forecast
    │   ├── BeyondForecast        beyond-forecast
    │   ├── PreferencesUnknown    preferences-unknown
    │   ├── PreferencesDiffer     preferences-differ
    │   ├── OwnCrossing           own-crossing
    │   ├── ShortOfCollateral     short-of-collateral
    │   └── OrderCancelledBefore  order-cancelled
    ├── OrderFilled               order-filled
    ├── UnknownOrder              unknown-order
    ├── UnknownSession            unknown-session
    ├── UnknownTrade              unknown-trade
    ├── SessionNotCleared         session-not-cleared
    ├── CursorMalformed           malformed-cursor
    ├── ParametersDiffer          parameters-differ
    ├── JournalInUse              journal-in-use
    ├── JournalBroken             journal-broken
    ├── ArchiveBroken             archive-broken
    ├── NotTheSequencer           not-the-sequencer
    ├── Overloaded                overloaded
    └── TooManyRequests           too-many-requests

What is signed besides orders is refused as `notice_errors.py` says.
A bad signature, an unknown asset and a missing authority are refused by the identity room.
"""


class ExchangeRefused(Exception):
    """An expected refusal of the exchange room."""

    code = "exchange-refused"


class OrderRejected(ExchangeRefused):
    """The order was not taken; nothing has changed."""

    code = "order-rejected"


class OrderMalformed(OrderRejected):
    """A field of the order is missing, of the wrong type or out of its range.

    `fields` names each field that is wrong with what is wrong with it, where that is known.
    """

    code = "malformed-order"

    def __init__(self, why: str, fields: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(why)
        self.why = why
        self.fields = fields


class WrongMarket(OrderRejected):
    """The order names a market node or product that this exchange does not run."""

    code = "wrong-market"

    def __init__(self, market: int, product: int) -> None:
        super().__init__(f"there is no market {market} for product {product} here")
        self.market = market
        self.product = product


class NotADeliveryStart(OrderRejected):
    """No delivery period begins at the instant named."""

    code = "not-a-delivery-start"

    def __init__(self, delivery_start: int, period: int) -> None:
        super().__init__(f"no delivery period of {period} s begins at {delivery_start}")
        self.delivery_start = delivery_start
        self.period = period


class GateNotOpen(OrderRejected):
    """The delivery period does not take orders yet."""

    code = "gate-not-open"

    def __init__(self, opens_at: int) -> None:
        super().__init__(f"the gate opens at {opens_at}")
        self.opens_at = opens_at


class GateClosed(OrderRejected):
    """The delivery period no longer takes orders or cancellations."""

    code = "gate-closed"

    def __init__(self, closed_at: int) -> None:
        super().__init__(f"the gate closed at {closed_at}")
        self.closed_at = closed_at


class OrderExpired(OrderRejected):
    """The order ends before the gate closes, so it could never be matched."""

    code = "order-expired"

    def __init__(self, valid_until: int, gate_closure: int) -> None:
        super().__init__(f"the order is valid until {valid_until}, the gate closes at {gate_closure}")
        self.valid_until = valid_until
        self.gate_closure = gate_closure


class SizeOutOfBounds(OrderRejected):
    """The order is for less or more energy, or at a rate further out, than the community takes."""

    code = "size-out-of-bounds"

    def __init__(self, what: str, value: int, low: int, high: int) -> None:
        super().__init__(f"the {what} is {value}, outside {low} to {high}")
        self.what = what
        self.value = value
        self.low = low
        self.high = high


class NoForecast(OrderRejected):
    """The asset may order what was forecast of it, and for a slot of the delivery nothing was."""

    code = "no-forecast"

    def __init__(self, asset: str, slot: int) -> None:
        super().__init__(f"there is no forecast of {asset} for the slot that begins at {slot}")
        self.asset = asset
        self.slot = slot


class BeyondForecast(OrderRejected):
    """With this order the asset would have more on order and matched in a slot than was forecast of it."""

    code = "beyond-forecast"

    def __init__(self, *, slot: int, forecast: int, used: int, energy: int) -> None:
        super().__init__(
            f"in the slot that begins at {slot} the order would have {energy} Wh beside {used} Wh that are on order or "
            f"matched, and {forecast} Wh are forecast"
        )
        self.slot = slot
        self.forecast = forecast
        self.used = used
        self.energy = energy


class PreferencesUnknown(OrderRejected):
    """The order is bound to preferences that were not handed in, or that this market does not take."""

    code = "preferences-unknown"

    def __init__(self) -> None:
        super().__init__("this market takes no preferences: sign the order with 32 zero bytes there")


class PreferencesDiffer(OrderRejected):
    """The preferences handed in are not those that the order was signed with."""

    code = "preferences-differ"

    def __init__(self) -> None:
        super().__init__("the preferences do not have the hash that the order was signed with")


class OwnCrossing(OrderRejected):
    """The order could be matched with another order of the same account."""

    code = "own-crossing"

    def __init__(self, other: bytes) -> None:
        super().__init__(f"the account's own order 0x{other.hex()} crosses it: an account never trades with itself")
        self.other = other


class ShortOfCollateral(OrderRejected):
    """The account's free credit does not cover what the order can cost."""

    code = "short-of-collateral"

    def __init__(self, needed: int, free: int) -> None:
        super().__init__(f"the order can cost {needed} nano, and {free} nano are free")
        self.needed = needed
        self.free = free


class OrderCancelledBefore(OrderRejected):
    """The order with this digest was cancelled by its signer; sign a new one with another salt."""

    code = "order-cancelled"

    def __init__(self, order: bytes) -> None:
        super().__init__(f"the order 0x{order.hex()} was cancelled")
        self.order = order


class OrderFilled(ExchangeRefused):
    """All of the order was matched at a tick: nothing is left of it that could be taken back."""

    code = "order-filled"

    def __init__(self, order: bytes) -> None:
        super().__init__(f"all of the order 0x{order.hex()} is matched, and what is matched is not taken back")
        self.order = order


class UnknownOrder(ExchangeRefused):
    """No order has this digest."""

    code = "unknown-order"

    def __init__(self, order: bytes) -> None:
        super().__init__(f"there is no order 0x{order.hex()}")
        self.order = order


class UnknownSession(ExchangeRefused):
    """Nothing was ever ordered in this session, or there is no such session."""

    code = "unknown-session"

    def __init__(self, session: str) -> None:
        super().__init__(f"there is no session {session}")
        self.session = session


class UnknownTrade(ExchangeRefused):
    """No trade has this leaf."""

    code = "unknown-trade"

    def __init__(self, leaf: bytes) -> None:
        super().__init__(f"there is no trade 0x{leaf.hex()}")
        self.leaf = leaf


class SessionNotCleared(ExchangeRefused):
    """The book of a session is published once it is cleared, and not before."""

    code = "session-not-cleared"

    def __init__(self, session: str, gate_closure: int) -> None:
        super().__init__(f"session {session} is not cleared yet; its gate closes at {gate_closure}")
        self.session = session
        self.gate_closure = gate_closure


class CursorMalformed(ExchangeRefused):
    """The cursor is none that a page of this list ended with."""

    code = "malformed-cursor"

    def __init__(self, cursor: str) -> None:
        super().__init__("the cursor is none that a page of this list ended with")
        self.cursor = cursor


class ParametersDiffer(ExchangeRefused):
    """The exchange was started with other rules, or another receipts key, than its journal or its rules name."""

    code = "parameters-differ"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class JournalInUse(ExchangeRefused):
    """Another exchange writes to this journal; two writers would contradict each other."""

    code = "journal-in-use"

    def __init__(self, path: str) -> None:
        super().__init__(f"another process writes to the journal {path}")
        self.path = path


class JournalBroken(ExchangeRefused):
    """The journal cannot be written, or what it holds does not hang together."""

    code = "journal-broken"

    def __init__(self, why: str, sequence: int | None = None) -> None:
        super().__init__(why if sequence is None else f"entry {sequence}: {why}")
        self.sequence = sequence


class ArchiveBroken(ExchangeRefused):
    """The archive of settled sessions cannot be written or read; what it holds can be made again from the journal."""

    code = "archive-broken"


class NotTheSequencer(ExchangeRefused):
    """Another process of this exchange takes orders and decides; this one answers questions, and waits to take over."""

    code = "not-the-sequencer"

    def __init__(self) -> None:
        super().__init__("another process of this exchange decides at present; ask again, or ask that one")


class Overloaded(ExchangeRefused):
    """More waits to be answered than this exchange holds at once; nothing was begun, and asking again is harmless."""

    code = "overloaded"

    def __init__(self, what: str, most: int, retry_after_seconds: int = 1) -> None:
        super().__init__(f"{most} {what} at once are as many as this exchange holds; ask again shortly")
        self.most = most
        self.retry_after_seconds = retry_after_seconds


class TooManyRequests(ExchangeRefused):
    """The account or the address asks more often than the exchange answers it; nothing was begun."""

    code = "too-many-requests"

    def __init__(self, who: str, retry_after_seconds: int) -> None:
        super().__init__(f"this {who} asks too often; ask again in {retry_after_seconds} s")
        self.who = who
        self.retry_after_seconds = retry_after_seconds
