"""What an auditor asks of two million trades: one by its name, an account's statement, a session's totals, a page.

    python -m bench.queries [--trades N]

Everything is asked as the routes ask it, to the plain document: of what is in memory, and of what was let go of and
is in the archive; a session's totals are then read from the journal, which holds the first hundred sessions. The base
is the same trades in a SQLite file with an index for each question. Default sizes are small; the figure in the docs
is for --trades 2000000.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from app.collector import spare_the_book
from bench.measure import load_line, percentile, resident_bytes
from bench.town import FIRST_START, PERIOD, Town
from exchange.book import Book
from exchange.clearing import Clearing
from exchange.delivery import SessionKey
from exchange.effects.archive import Archive
from exchange.effects.journal import SqliteJournal
from exchange.effects.trade_index import TradeIndex, trades_of
from exchange.effects.views import session_document, trade_document
from exchange.events import OrderAccepted, SessionCleared
from exchange.fee_row import FeeRow
from exchange.held_session import Session
from exchange.receipt import Receipt
from exchange.session import SessionState
from exchange.trade import Trade
from exchange.tree import FeeShare
from exchange.units import MicroPerKwh, Nano, Wh
from identity.hashing import keccak
from settlement.effects.routes import line_document
from settlement.statement import Statements, fee_accounts, past_lines, totals

PER_SESSION = 100
PER_ACCOUNT = 96
TIMES = 1_000
READ_AGAIN = 100


def cleared_sessions(town: Town, trades: int) -> Iterator[Session]:
    """Yield cleared sessions of a hundred trades each; each account is in about a hundred of all trades."""
    accounts = max(trades * 2 // PER_ACCOUNT, 2)
    shared = town.signed(0, FIRST_START)
    fees = FeeRow((FeeShare(town.terms.number, MicroPerKwh(5_000)),), town.terms.number)
    for number in range(trades // PER_SESSION):
        key = town.terms.session(FIRST_START + number * PERIOD)
        session, made = Session(key, SessionState.SETTLED), []
        for place in range(PER_SESSION):
            turn = number * PER_SESSION + place
            names = keccak(b"bid %d" % turn), keccak(b"offer %d" % turn)
            for name, party in zip(names, (turn * 2 % accounts, (turn * 2 + 1) % accounts), strict=True):
                session.orders[name] = OrderAccepted(
                    digest=name,
                    signed=shared,
                    receipt=Receipt(name, turn, 0, signature=bytes(64)),
                    signer=shared.order.asset,
                    account=party + 2,
                    asset=1,
                    free=Nano(0),
                )
            made.append(
                Trade(
                    session=key,
                    bid=names[0],
                    offer=names[1],
                    energy=Wh(1 + turn % 5_000),
                    rate=MicroPerKwh(150_000),
                    fees=fees,
                )
            )
        made.sort(key=Trade.leaf)
        rate = MicroPerKwh(150_000)
        clearing = Clearing(rate=rate, low=rate, high=rate, trades=tuple(made), own_uses=(), lapsed=())
        session.cleared = SessionCleared(
            session=key, clearing=clearing, excluded=(), parameters=bytes(32), at=key.delivery_start
        )
        yield session


def milliseconds(question: Callable[[int], object]) -> str:
    """Ask a thousand times, each time of something else; return the median and the 99th percentile.

    By the wall, and by the CPU: where cores are shared, the wall's percentile is a slice that somebody else had.
    """
    wall, used = [], []
    for turn in range(TIMES):
        started, before = time.perf_counter(), time.thread_time()
        question(turn * 7_919)
        used.append((time.thread_time() - before) * 1e3)
        wall.append((time.perf_counter() - started) * 1e3)
    return f"p50 {percentile(wall, 0.5):.3f} ms, p99 {percentile(wall, 0.99):.3f} ms ({percentile(used, 0.99):.3f} CPU)"


def _of_archive(
    folder: Path, sessions: dict[SessionKey, Session], leaves: list[bytes], accounts: int, town: Town
) -> dict[str, Callable[[int], object]]:
    """Put all sessions into an archive, and the first of them into a journal; return the same questions to these."""
    archive, journal, after = Archive(f"sqlite:///{folder / 'archive.db'}"), SqliteJournal(folder / "journal.db"), 0
    first = list(sessions)[:READ_AGAIN]
    for key, session in sessions.items():
        orders = range(after + 1, after + 1 + len(session.orders))
        after = orders.stop
        if key in first:
            journal.append([*session.orders.values(), session.cleared]).result()
        archive.keep(session, orders, [after])

    def statement(turn: int) -> object:
        account = turn % accounts + 2
        found = archive.of_account(account, 0, 1 << 40, nodes=())
        payees = fee_accounts(town.parameters)
        statements = Statements(
            lambda *_: past_lines(account, [(r.trade, r.buyer, r.seller) for r in found.trades], found.own_uses, payees)
        )
        lines = statements.lines(account)
        return totals(lines), [line_document(line) for line in lines]

    def read_again(turn: int) -> object:
        key = first[turn % len(first)]
        session = Session(key, SessionState.SETTLED)
        for event in journal.pick(archive.entries(key)):
            if isinstance(event, SessionCleared):
                session.cleared = event
            else:
                session.orders[event.digest] = event
        return session_document(session, town.parameters, None, curves=True)

    def page(turn: int) -> object:
        account = turn % accounts + 2
        return [*map(trade_document, archive.listed(account=account, session=None, after=None, limit=101))]

    return {
        "one by its name": lambda turn: trade_document(archive.trade(leaves[turn % len(leaves)])),
        "a statement": statement,
        "a session's totals": read_again,
        "a page of an account": page,
    }


def main() -> None:
    """Print one line a question."""
    options = argparse.ArgumentParser(description="Audit queries.")
    options.add_argument("--trades", type=int, default=100_000)
    asked = options.parse_args()
    town, index, statements = Town(2), TradeIndex(), Statements()
    sessions: dict[SessionKey, Session] = {}
    leaves: list[bytes] = []
    of_index = of_statements = 0
    with tempfile.TemporaryDirectory() as folder:
        table = sqlite3.connect(Path(folder) / "trades.db")
        table.execute(
            "CREATE TABLE trades(leaf BLOB PRIMARY KEY, session INT, buyer INT, seller INT, energy INT, rate INT)"
        )
        for column in ("session", "buyer", "seller"):
            table.execute(f"CREATE INDEX by_{column} ON trades({column})")
        for session in cleared_sessions(town, asked.trades):
            sessions[session.key] = session
            before = resident_bytes()
            found = trades_of(session, session.cleared)
            index.add(found)
            between = resident_bytes()
            statements.add_book(
                Book(
                    key=session.key,
                    parameters=town.parameters,
                    orders=tuple(session.orders.values()),
                    cancellations=(),
                    cleared=session.cleared,
                )
            )
            of_index += between - before
            of_statements += resident_bytes() - between
            leaves.extend(found.leaves)
            records = [found.record(place) for place in range(PER_SESSION)]
            table.executemany(
                "INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (r.leaf, session.key.delivery_start, r.buyer, r.seller, r.trade.energy, r.trade.rate)
                    for r in records
                ],
            )
        table.commit()
        spare_the_book()
        keys = list(sessions)
        accounts = max(asked.trades * 2 // PER_ACCOUNT, 2)

        def statement(turn: int) -> object:
            lines = statements.lines(turn % accounts + 2)
            return totals(lines), [line_document(line) for line in lines]

        questions: dict[str, tuple[Callable[[int], object], str, Callable[[int], tuple[object, ...]]]] = {
            "one by its name": (
                lambda turn: trade_document(index.find(leaves[turn % len(leaves)])),
                "SELECT * FROM trades WHERE leaf = ?",
                lambda turn: (leaves[turn % len(leaves)],),
            ),
            "a statement": (
                statement,
                "SELECT * FROM trades WHERE buyer = ?1 OR seller = ?1",
                lambda turn: (turn % accounts + 2,),
            ),
            "a session's totals": (
                lambda turn: session_document(sessions[keys[turn % len(keys)]], town.parameters, None, curves=True),
                "SELECT sum(energy), sum(energy * rate), count(*) FROM trades WHERE session = ?",
                lambda turn: (keys[turn % len(keys)].delivery_start,),
            ),
            "a page of an account": (
                lambda turn: [*map(trade_document, islice(index.listed(account=turn % accounts + 2), 101))],
                "SELECT * FROM trades WHERE buyer = ?1 OR seller = ?1 ORDER BY session, leaf LIMIT 101",
                lambda turn: (turn % accounts + 2,),
            ),
        }
        of_archive = _of_archive(Path(folder), sessions, leaves, accounts, town)
        for label, (question, sql, values) in questions.items():
            base = milliseconds(lambda turn, ask=sql, given=values: table.execute(ask, given(turn)).fetchall())
            print(f"{asked.trades:,} trades, {label}: {milliseconds(question)}; SQLite {base}; {load_line()}")
            print(f"    the same, from the archive: {milliseconds(of_archive[label])}", flush=True)
        table.close()
    print(f"memory a trade: index {of_index / asked.trades:,.0f} B, statements {of_statements / asked.trades:,.0f} B")


if __name__ == "__main__":
    main()
