"""What an account traded, and what its nodes took, found in sessions that were let go of."""

from contextlib import closing

import pytest
from sqlalchemy import MetaData, Table, insert

from exchange.clearing import Clearing
from exchange.effects.archive import Archive
from exchange.effects.archive_tables import ARCHIVE
from exchange.events import OrderAccepted, SessionCleared
from exchange.held_session import Session
from exchange.receipt import Receipt
from exchange.session import SessionState
from exchange.trade import Trade
from exchange.units import Nano
from identity.effects.versioned import open_engine, writing
from identity.hashing import keccak
from tests.durability.test_versions import first_version
from tests.exchange import street
from tests.storage_kinds import KINDS
from tests.strategies import fee_row, one_fee

SIGNED = street.bid()
ROWS = [
    one_fee(1, 5_000),
    fee_row(1, (2, 700), (1, 0), (3, 900)),
    fee_row(3, (3, 0), (12, 40)),
    fee_row(2, (2, 700)),
    fee_row(123, (123, 4)),
]


@pytest.fixture(params=KINDS)
def url(request, tmp_path):
    if request.param == "postgres":
        return request.getfixturevalue("postgres").new_schema()
    return f"sqlite:///{tmp_path / 'archive.db'}"


def settled(start=street.START):
    """A settled session with a trade for each of the rows; buyers are accounts 11, 12, ..., sellers 21, 22, ..."""
    key = street.TERMS.session(start)
    session, trades = Session(key, SessionState.SETTLED), []
    for turn, fees in enumerate(ROWS, 1):
        names = [keccak(b"%s %d %d" % (side, start, turn)) for side in (b"bid", b"offer")]
        for name, account in zip(names, (10 + turn, 20 + turn), strict=True):
            session.orders[name] = OrderAccepted(
                digest=name,
                signed=SIGNED,
                receipt=Receipt(name, turn, 0, signature=bytes(64)),
                signer=SIGNED.order.asset,
                account=account,
                asset=1,
                free=Nano(0),
            )
        trades.append(Trade(session=key, bid=names[0], offer=names[1], energy=100 * turn, rate=-turn, fees=fees))
    clearing = Clearing(rate=None, low=-5, high=-1, trades=tuple(sorted(trades, key=Trade.leaf)), own_uses=())
    session.cleared = SessionCleared(session=key, clearing=clearing, excluded=(), parameters=bytes(32), at=start)
    return session


def anything(column):
    """A value that a column can hold."""
    return {bytes: bytes(10), bool: False}.get(column.type.python_type, 0)


def keep(archive, session):
    archive.keep(session, range(1, len(session.orders) + 1), [len(session.orders) + 1])


@pytest.fixture
def archive(url):
    with closing(Archive(url)) as made:
        keep(made, settled())
        yield made


def test_a_trade_is_found_with_its_row_as_it_was_written(archive):
    written = settled().cleared.clearing.trades
    found = [archive.trade(trade.leaf()).trade for trade in written]
    assert found == list(written)
    assert [trade.fees.name for trade in found] == [trade.fees.name for trade in written]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [((), set()), ((1,), {1}), ((2,), {2, 4}), ((3,), {2}), ((12,), {3}), ((23,), set()), ((2, 12), {2, 3, 4})],
)
def test_the_trades_that_a_node_took_a_fee_of_are_found(archive, nodes, expected):
    found = archive.of_account(99, 0, 1 << 40, nodes=nodes).trades
    paying = {
        record.buyer - 10 for record in found if any(s.node in nodes and s.rate for s in record.trade.fees.shares)
    }
    assert paying == expected
    on_the_way = [row for row in ROWS if any(share.node in nodes for share in row.shares)]
    assert len(found) == len(on_the_way), "a top that takes nothing may be among them, and nothing else"


def test_of_more_nodes_than_are_looked_for_every_trade_is_given(archive):
    assert len(archive.of_account(99, 0, 1 << 40, nodes=range(200, 264)).trades) == 0
    assert len(archive.of_account(99, 0, 1 << 40, nodes=range(200, 265)).trades) == len(ROWS)
    assert len(archive.of_account(99, 0, street.START, nodes=range(200, 265)).trades) == 0, "of that time only"


def test_a_trade_counts_once_whatever_the_account_is_in_it(archive):
    keep(archive, settled(street.START + 900))
    found = archive.of_account(11, 0, 1 << 40, nodes=(1, 2))
    leaves = [record.leaf for record in found.trades]
    assert len(leaves) == len(set(leaves)) == 6
    turns = [*settled().cleared.clearing.trades, *settled(street.START + 900).cleared.clearing.trades]
    assert leaves == [trade.leaf() for trade in turns if trade.leaf() in leaves], (
        "by session, then as they were cleared"
    )


def test_an_archive_of_the_first_version_is_emptied_and_written_anew(url):
    engine = open_engine(url)
    first_version(ARCHIVE, engine)
    with writing(engine) as connection:
        for name in ("settled_sessions", "settled_orders", "settled_trades", "settled_own_uses"):
            table = Table(name, MetaData(), autoload_with=connection)
            connection.execute(insert(table).values({column.name: anything(column) for column in table.columns}))
    engine.dispose()
    with closing(Archive(url)) as archive:
        assert archive.order(bytes(10)) is None
        assert archive.trade(bytes(10)) is None
        keep(archive, settled())
        assert len(archive.of_account(99, 0, 1 << 40, nodes=(2,)).trades) == 2
        with archive._engine.connect() as connection:
            assert ARCHIVE.version(connection) == ARCHIVE.head == "0002"
