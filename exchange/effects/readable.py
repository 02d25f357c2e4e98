"""What of this room belongs to whom: orders, trades and books as things that a read is judged for."""

from collections.abc import Set as AbstractSet

from starlette.requests import HTTPConnection

from exchange.delivery import SessionKey
from exchange.effects.desk import Desk
from exchange.effects.past_trades import find_trade
from exchange.effects.trade_index import TradeRecord
from exchange.errors import UnknownOrder
from exchange.events import OrderAccepted
from identity.access import Item, account_scope, node_scope, session_scope
from identity.access_errors import GrantExpired, GrantRevoked, NotGranted
from identity.address import Address, to_text
from identity.effects.reads import Reads
from identity.errors import NoSuchAsset


def order_item(accepted: OrderAccepted, *, cleared: bool) -> Item:
    """Return an order: its account's and its signer's, and part of the book once its session is cleared."""
    book = (session_scope(accepted.signed.order.session.number),) if cleared else ()
    return Item((account_scope(accepted.account), *book), (Address(accepted.signer),))


def trade_item(record: TradeRecord) -> Item:
    """Return a trade: both parties', and part of the book."""
    session = record.trade.session.number
    return Item((account_scope(record.buyer), account_scope(record.seller), session_scope(session)))


def book_item(key: SessionKey) -> Item:
    """Return the book of a session."""
    return Item((session_scope(key.number),))


def rows_item(key: SessionKey, matchers: tuple[Address, ...]) -> Item:
    """Return the book without names of a closed session: the matchers', and part of the aggregate and of the book."""
    return Item((node_scope(key.market), session_scope(key.number)), matchers)


def curves_item(key: SessionKey) -> Item:
    """Return both sides of a session without names: the aggregate of its node, and part of the book."""
    return Item((node_scope(key.market), session_scope(key.number)))


def judge_asset(
    desk: Desk, reads: Reads, request: HTTPConnection, asset: Address, accounts: AbstractSet[int]
) -> AbstractSet[int]:
    """Judge what may be read of an asset that traded for these accounts, and return the accounts whose part may be.

    The account it is enrolled under now counts, too, whether or not it has traded. Raises `NoSuchAsset` for one that
    was never enrolled, and the refusals of `Reads.judge` where nothing may be read.
    """
    reads.reader(request)
    known = desk.registry().assets.get(asset)
    if known is None:
        raise NoSuchAsset(to_text(asset))
    enrolled = known.account
    items = {account: Item((account_scope(account),)) for account in sorted({enrolled, *accounts})}
    shown = {account for account, item in items.items() if reads.may(request, item)}
    if not shown:
        reads.judge(request, items[enrolled])
    return shown


def judge_order(desk: Desk, reads: Reads, request: HTTPConnection, digest: bytes) -> None:
    """Judge whether the asker may read an order, and record it.

    While its session is not cleared, somebody else's order is an unknown one, so that nobody learns by asking which
    orders there are. Raises `UnknownOrder` and the refusals of `Reads.judge`.
    """
    reads.reader(request)

    session = desk.look(lambda market, _: market.session_of(digest))
    accepted, cleared = session.orders[digest], session.cleared is not None
    try:
        reads.judge(request, order_item(accepted, cleared=cleared))
    except (NotGranted, GrantExpired, GrantRevoked) as refused:
        if cleared:
            raise
        raise UnknownOrder(digest) from refused


def judge_trade(desk: Desk, reads: Reads, request: HTTPConnection, leaf: bytes) -> None:
    """Judge whether the asker may read a trade, and record it. Raises `UnknownTrade` and as `Reads.judge`."""
    reads.reader(request)
    reads.judge(request, trade_item(find_trade(desk, leaf)))
