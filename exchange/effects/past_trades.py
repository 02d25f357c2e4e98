"""Trades wherever they are: those of the sessions that a desk holds, and of those that it has let go of."""

from collections.abc import Collection
from itertools import islice

from exchange.delivery import SessionKey
from exchange.effects.archive import Settled
from exchange.effects.desk import Desk
from exchange.effects.trade_index import Place, TradeRecord
from exchange.errors import UnknownTrade


def find_trade(desk: Desk, leaf: bytes) -> TradeRecord:
    """Return the trade with this leaf, or refuse it as unknown."""
    try:
        return desk.look(lambda _, trades: trades.find(leaf))
    except UnknownTrade:
        found = None if desk.archive is None else desk.archive.trade(leaf)
        if found is None:
            raise
        return found


def list_trades(
    desk: Desk, *, account: int | None, session: SessionKey | None, after: Place | None, limit: int
) -> list[TradeRecord]:
    """Return up to `limit` trades by session, then leaf; see `TradeIndex.listed`."""
    found = desk.look(
        lambda _, trades: list(islice(trades.listed(account=account, session=session, after=after), limit))
    )
    if desk.archive is None:
        return found
    # asked second: what was let go of in between is in both, and nothing in neither
    settled = desk.archive.listed(account=account, session=session, after=after, limit=limit)
    places = {record.place: record for record in (*settled, *found)}
    return [places[place] for place in sorted(places)[:limit]]


def settled_with(desk: Desk, account: int, begin: int, end: int, *, nodes: Collection[int]) -> Settled:
    """Return what an account traded and used in sessions that were let go of, by delivery start in unix seconds.

    And every trade that one of `nodes` took a fee of; there may be others among them.
    """
    if desk.archive is None:
        return Settled((), ())
    return desk.archive.of_account(account, begin, end, nodes=nodes)
