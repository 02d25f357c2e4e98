"""How long a restart and a full audit take: the journal replayed, and every order of the books checked again.

    python -m bench.replay [--orders N [N ...]] [--per-session N]

The replay is a desk that opens a journal on the disk. The audit is the one of `merit audit`, with the books from the
journal and a contract's log made from them in place of a node. Its base is the one recovery that each order needs for
its own signature; receipts share theirs. Nothing is extrapolated; a million orders take some minutes to make.
"""

import argparse
import tempfile
from itertools import islice
from pathlib import Path

from bench.measure import cpu_seconds, load_line, resident_bytes
from bench.town import CREDIT, FIRST_START, PERIOD, Clock, Town
from exchange.book import Book
from exchange.effects.desk import Desk
from exchange.effects.journal import SqliteJournal
from identity.address import Address
from identity.facts import AccountOpened
from identity.signature import recover
from settlement.audit import audit
from settlement.batch import seal
from settlement.calldata import settle_calldata
from settlement.chain_state import ChainState
from settlement.chain_view import ChainView
from settlement.facts import BatchSettled, Deposited, Fact, MarketOpened, Witnessed
from settlement.findings import Finding


def filled(town: Town, path: Path, orders: int, per_session: int) -> None:
    """Write a journal of so many orders, all of their sessions cleared."""
    journal = SqliteJournal(path)
    desk = town.desk(journal, Clock())
    waiting = town.orders(orders, per_session=per_session)
    while some := list(islice(waiting, 1_000)):
        desk.submit(some)
    desk.close_and_clear(FIRST_START + (orders // per_session + 1) * PERIOD)
    journal.close()


def books_of(desk: Desk) -> list[Book]:
    """Return every published book."""
    return [desk.book(key) for key in desk.look(lambda market, _: sorted(market.sessions))]


def chain_of(town: Town, books: list[Book]) -> ChainView:
    """Return the chain as it would be after every book was settled: the contract's log, made from the books."""
    facts: list[Fact] = [
        MarketOpened(
            market=1,
            tree=town.tree.root.number,
            fee_account=town.tree.root.fee_account,
            fee_cap=town.tree.root.fee_cap,
            period=town.terms.period,
            lead=town.terms.lead,
            window=town.terms.window,
            uniform=True,
        ),
        AccountOpened(1, Address(bytes(20))),
        *town.facts(),
        *(Deposited(number + 1, CREDIT) for number in range(1, len(town.assets) + 1)),
    ]
    calldata = {}
    for book in books:
        for batch in seal(book):
            calldata[batch.session.number, batch.part] = settle_calldata(batch)
            facts.append(
                BatchSettled(
                    session=batch.session.number,
                    part=batch.part,
                    parts=batch.parts,
                    order_root=batch.order_root,
                    trade_root=batch.trade_root,
                    parameters=batch.parameters,
                    orders=len(batch.orders),
                    trades=len(batch.trades),
                    energy=batch.energy,
                    value=batch.value,
                    fee=batch.fee,
                )
            )
    state = ChainState(town.separator, town.roles, scale=1)
    for fact in facts:
        state.apply(fact, calldata.get((fact.session, fact.part)) if isinstance(fact, BatchSettled) else None)
    return ChainView(
        chain_id=town.parameters.domain.chain_id,
        contract=town.parameters.domain.contract,
        roles=town.roles,
        facts=[Witnessed(fact, number, bytes(32), bytes(32), 0) for number, fact in enumerate(facts)],
        calldata=calldata,
        credits=state.ledger.credits(),
    )


def main() -> None:
    """Print both figures for each size."""
    options = argparse.ArgumentParser(description="Replay and full audit.")
    options.add_argument("--orders", type=int, nargs="+", default=[1_000, 10_000])
    options.add_argument("--per-session", type=int, default=100)
    asked = options.parse_args()
    town = Town(100)
    for orders in asked.orders:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "journal.db"
            filled(town, path, orders, asked.per_session)
            size = path.stat().st_size
            before = resident_bytes()
            journal = SqliteJournal(path)
            desks: list[Desk] = []
            replay = cpu_seconds(lambda into=desks, read=journal: into.append(town.desk(read, Clock())))
            held = resident_bytes() - before
            books = books_of(desks[0])
            chain = chain_of(town, books)
            findings: list[Finding] = []
            audited = cpu_seconds(lambda into=findings, given=books, by=chain: into.extend(audit(given, by)))
            sample = [order for book in books[:20] for order in book.orders][:1_000]
            base = cpu_seconds(lambda given=sample: [recover(each.digest, each.signed.signature) for each in given])
            one = base / len(sample)
            journal.close()
            assert not findings, findings[0]
        print(
            f"{orders:,} orders: replay {replay:.2f} s CPU ({orders / replay:,.0f} orders a core-second, "
            f"journal {size / orders:.0f} B and memory {held / orders:.0f} B an order); "
            f"audit {audited:.2f} s ({orders / audited:,.0f} orders a core-second, "
            f"{audited / orders / one:.2f} recoveries an order); {load_line()}"
        )


if __name__ == "__main__":
    main()
