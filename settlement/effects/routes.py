"""The settlement over HTTP: batches, proofs, accounts and their statements."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from exchange.book import Book
from exchange.delivery import SessionKey
from exchange.documents import hexed, share_to_document
from exchange.units import Nano
from identity.access import Item, account_scope, session_scope
from identity.access_errors import NotGranted
from identity.address import parse_address, to_text
from identity.effects.paging import Limit, link_next
from identity.effects.reads import Reads
from settlement.batch import Batch, seal
from settlement.chain_state import ChainState
from settlement.effects.statement_page import page_of
from settlement.effects.store import Store, StoredBatch
from settlement.errors import NotSettledYet, UnknownAccount, UnknownBatch
from settlement.proof import prove_order, prove_trade
from settlement.proof_document import proof_to_document
from settlement.statement import Line, LineKind, Statements, totals

Document = dict[str, Any]
Link = Callable[[bytes], str | None]
"""Says where people can look at a transaction; None where nobody shows the chain."""

HASH = Annotated[str, Path(pattern="^0x[0-9a-f]{64}$", description="32 bytes: 0x and lower-case hex")]
ACCOUNT = Annotated[int, Path(ge=1, lt=1 << 32, description="the account's number")]


def settlement_router(
    *,
    store: Store,
    state: Callable[[], ChainState],
    statements: Callable[[], Statements],
    reserved: Callable[[int], Nano],
    book_of_trade: Callable[[bytes], Book],
    book_of_order: Callable[[bytes], Book],
    reads: Reads,
    judge_trade: Callable[[Request, bytes], None],
    judge_order: Callable[[Request, bytes], None],
    link: Link | None = None,
) -> APIRouter:
    """Return every route of this room.

    `state` is what the chain adds up to, `reserved` what an account's open orders and unsettled trades can cost it;
    `book_of_trade` and `book_of_order` find the published book of a cleared session by a leaf or a digest. `reads`
    judges what is not public, `judge_trade` and `judge_order` do so for a trade by its leaf and an order by its digest.
    `link` says where people can look at a transaction.
    """
    router = APIRouter(prefix="/v1")

    @router.get("/batches", tags=["settlement"])
    def batches(
        request: Request,
        response: Response,
        cursor: Annotated[int, Query(ge=0, lt=1 << 80, description="the session of the last batch seen")] = 0,
        limit: Limit = 100,
    ) -> Document:
        """List sealed batches by session and part; the next page begins after `next`."""
        page = store.page(cursor, limit)
        following = page[-1].session if page and store.page(page[-1].session, 1) else None
        link_next(request, response, following)
        return {"batches": [batch_document(batch, link) for batch in page], "next": following}

    @router.get("/batches/{session}/{part}", tags=["settlement"])
    def batch(
        request: Request,
        session: Annotated[int, Path(ge=0, lt=1 << 80)],
        part: Annotated[int, Path(ge=0, lt=1 << 16)],
    ) -> Document:
        """Return one batch with its transaction; for who may read the session's book, the calldata that settled it."""
        found = store.batch(session, part)
        if found is None:
            raise UnknownBatch(session, part)
        shown = reads.may(request, Item((session_scope(session),)))
        return {**batch_document(found, link), "calldata": hexed(found.calldata) if shown else None}

    @router.get("/proofs/trades/{leaf}", tags=["proofs"])
    def proof_of_trade(request: Request, leaf: HASH) -> Document:
        """Return the proof that money moved for a trade: anybody can check it against any node, without this server.

        It holds the trade, so it is for its parties and who may read the book; whom they show it to is theirs to say.
        """
        wanted = bytes.fromhex(leaf[2:])
        judge_trade(request, wanted)
        book = book_of_trade(wanted)
        batch = next(batch for batch in seal(book) if any(trade.leaf() == wanted for trade in batch.trades))
        transaction, block = _place(store, batch)
        domain = book.parameters.domain
        return proof_to_document(prove_trade(batch, wanted, domain=domain, transaction=transaction, block_number=block))

    @router.get("/proofs/orders/{digest}", tags=["proofs"])
    def proof_of_order(request: Request, digest: HASH) -> Document:
        """Return the proof that an order stands in the committed set of its session, matched or not.

        For whose order it is and who may read the book.
        """
        wanted = bytes.fromhex(digest[2:])
        judge_order(request, wanted)
        book = book_of_order(wanted)
        batch = seal(book)[0]
        transaction, block = _place(store, batch)
        return proof_to_document(prove_order(book, batch, wanted, transaction=transaction, block_number=block))

    @router.get("/accounts", tags=["accounts"])
    def accounts(
        request: Request,
        response: Response,
        holder: Annotated[str, Query(max_length=100, description="the holder's address")],
        cursor: Annotated[int, Query(ge=0, lt=1 << 32, description="the last account seen")] = 0,
        limit: Limit = 100,
    ) -> Document:
        """List the accounts of a holder, by number; the next page begins after `next`.

        To others than the holder, those they may read.
        """
        whose, who = parse_address(holder), reads.reader(request)
        held = [account.number for account in state().registry.accounts_of(whose)]
        if whose != who:
            held = [number for number in held if reads.may(request, Item((account_scope(number),)))]
            if not held:
                raise NotGranted(f"what {holder} holds")
        found = [number for number in held if number > cursor]
        following = found[limit - 1] if len(found) > limit else None
        link_next(request, response, following)
        if whose == who:
            reads.judge(request, *(Item((account_scope(number),)) for number in found[:limit]))
        documents = [account_document(state(), number, reserved) for number in found[:limit]]
        return {"accounts": documents, "next": following}

    @router.get("/accounts/{number}", tags=["accounts"])
    def account(request: Request, number: ACCOUNT) -> Document:
        """Return what an account has, what of it is reserved, and the assets enrolled under it."""
        reads.judge(request, Item((account_scope(number),)))
        return account_document(state(), number, reserved)

    @router.get("/accounts/{number}/statement", tags=["accounts"])
    def statement(
        request: Request,
        response: Response,
        number: ACCOUNT,
        begin: Annotated[int, Query(alias="from", ge=0, lt=1 << 40, description="unix seconds")] = 0,
        end: Annotated[int, Query(alias="to", ge=0, lt=1 << 40, description="unix seconds, not included")] = (1 << 40)
        - 1,
        cursor: Annotated[str | None, Query(max_length=100)] = None,
        limit: Annotated[int, Query(ge=1, le=10_000, description="how many lines a page holds at most")] = 1_000,
    ) -> Document:
        """Return the lines of an account from `from` up to `to`, each with the evidence to look up, a page at a time.

        The sums are those of all lines, on every page; `next` is the cursor of the next page.
        """
        reads.judge(request, Item((account_scope(number),)))
        if number not in state().registry.accounts:
            raise UnknownAccount(number)
        lines = statements().lines(number, begin, end)
        sums = totals(lines)
        page, following = page_of(lines, cursor, limit)
        link_next(request, response, following)
        return {
            "account": number,
            "from": begin,
            "to": end,
            "lines": [line_document(line, link) for line in page],
            "next": following,
            "totals": {
                "bought_wh": sums.bought,
                "sold_wh": sums.sold,
                "own_use_wh": sums.own_use,
                "paid_nano": sums.paid,
                "earned_nano": sums.earned,
                "fees_nano": sums.fees,
                "fees_by_node": _by_node(sums.fees_by_node),
                "income_by_node": _by_node(sums.income_by_node),
                "deposited_nano": sums.deposited,
                "withdrawn_nano": sums.withdrawn,
                "balance_nano": sums.balance,
            },
        }

    return router


def settlement_document(store: Store, key: SessionKey, link: Link | None = None) -> Document | None:
    """Return what is known of a session on the chain; none before it was sealed."""
    batches = store.batches(key.number)
    return {"batches": [batch_document(batch, link) for batch in batches]} if batches else None


def batch_document(batch: StoredBatch, link: Link | None = None) -> Document:
    """Return a batch as plain values, without its calldata; `tx_link` is where people can look at its transaction."""
    return {
        "session": batch.session,
        "session_name": str(SessionKey.of(batch.session)),
        "part": batch.part,
        "parts": batch.parts,
        "state": batch.state.value,
        "order_root": hexed(batch.order_root),
        "trade_root": hexed(batch.trade_root),
        "parameters": hexed(batch.parameters),
        "sealed_at": batch.sealed_at,
        "tx_hash": None if batch.tx_hash is None else hexed(batch.tx_hash),
        "tx_link": None if link is None or batch.tx_hash is None else link(batch.tx_hash),
        "block_number": batch.block_number,
        "block_hash": None if batch.block_hash is None else hexed(batch.block_hash),
        "gas_used": batch.gas_used,
        "mined_at": batch.mined_at,
        "ended_at": batch.ended_at,
        "refused": batch.refused,
    }


def account_document(state: ChainState, number: int, reserved: Callable[[int], Nano]) -> Document:
    """Return an account as plain values; refuses one that was never opened."""
    account = state.registry.accounts.get(number)
    if account is None:
        raise UnknownAccount(number)
    assets = sorted((a for a in list(state.registry.assets.values()) if a.account == number), key=lambda a: a.number)
    return {
        "account": number,
        "holder": to_text(account.holder),
        "epoch": account.epoch,
        "credit_nano": state.ledger.credit(number),
        "withdrawable_nano": state.ledger.free(number),
        "reserved_nano": reserved(number),
        "free_nano": max(state.ledger.free(number) - reserved(number), 0),
        "assets": [{"asset": to_text(a.identity), "number": a.number, "until": a.until} for a in assets],
    }


def line_document(line: Line, link: Link | None = None) -> Document:
    """Return a line of a statement as plain values; `tx_link` where its reference is a transaction of a shown chain."""
    moved = line.kind in (LineKind.DEPOSIT, LineKind.WITHDRAWAL)
    return {
        "kind": line.kind.value,
        "at": line.at,
        "session": line.session,
        "reference": hexed(line.reference),
        "tx_link": link(line.reference) if moved and link is not None else None,
        "energy_wh": line.energy,
        "rate_micro_per_kwh": line.rate,
        "fee_rate_micro_per_kwh": line.fee_rate,
        "fees": [share_to_document(share) for share in line.fees],
        "node": line.node,
        "amount_nano": line.amount,
    }


def _by_node(sums: Mapping[int, Nano]) -> list[Document]:
    return [{"node": node, "fee_nano": fee} for node, fee in sums.items()]


def _place(store: Store, batch: Batch) -> tuple[bytes, int]:
    """Return the transaction and the block that settled a batch; refuses one that is not on the chain yet."""
    stored = store.batch(batch.session.number, batch.part)
    if stored is None or stored.tx_hash is None or stored.block_number is None:
        raise NotSettledYet(str(batch.session))
    return stored.tx_hash, stored.block_number
