"""The books against the chain: roots, calldata, terms and times; and the chain against itself: money."""

from collections.abc import Iterator, Mapping
from dataclasses import fields

from exchange.book import Book
from exchange.documents import hexed
from exchange.trade import Trade
from exchange.units import Nano
from identity.address import to_text
from settlement.batch import Batch, seal
from settlement.calldata import SettleCall, decode, settle_calldata
from settlement.chain_state import ChainState
from settlement.chain_view import ChainView
from settlement.errors import BookUnsound, CalldataMalformed, LedgerRefused
from settlement.facts import BatchSettled, Deposited, MarketOpened, Moved, Witnessed
from settlement.findings import Finding
from settlement.merkle import root_in_order
from settlement.order_leaf import order_tree


def check_settled(
    book: Book, chain: ChainView, witnesses: list[Witnessed], markets: Mapping[int, MarketOpened], now: int | None
) -> Iterator[Finding]:
    """Yield where the chain does not hold the book's session as the book gives it.

    A session that may still be settled at `now` is not missed.
    """
    if book.parameters.domain != chain.domain:
        domain = book.parameters.domain
        sentence = f"the book is for contract {to_text(domain.contract)} on chain {domain.chain_id}"
        yield Finding("wrong-domain", book.key, to_text(chain.contract), sentence)
    yield from _check_terms(book, markets)
    last = book.key.delivery_start + book.market.window
    facts = [witnessed.fact for witnessed in witnesses if isinstance(witnessed.fact, BatchSettled)]
    if (now is None or now > last) and not facts:
        yield Finding("not-on-chain", book.key, "", "the chain does not hold this session")
    batches = _sealed(book)
    order_root = order_tree(book).root
    seen: set[int] = set()
    for fact, witnessed in zip(facts, witnesses, strict=True):
        if fact.part in seen:
            yield Finding("twice-on-chain", book.key, hexed(witnessed.tx_hash), f"part {fact.part} was settled before")
        seen.add(fact.part)
        at = chain.block_times.get(witnessed.block_number)
        closure = book.gate_closure
        if at is not None and at < closure:
            yield Finding("settled-early", book.key, hexed(witnessed.tx_hash), f"at {at}, the gate closed at {closure}")
        if at is not None and at > last:
            yield Finding("settled-late", book.key, hexed(witnessed.tx_hash), f"at {at}, the window ended at {last}")
        if fact.parameters != book.rules.hash():
            sentence = f"the chain holds {hexed(fact.parameters)} as the hash of the parameters"
            yield Finding("parameters-hash", book.key, hexed(book.rules.hash()), sentence)
        if fact.order_root != order_root:
            sentence = f"the chain holds the order root {hexed(fact.order_root)}"
            yield Finding("order-root", book.key, hexed(order_root), sentence)
        yield from _check_batch(book, chain, fact, batches)
    for part in sorted(set(range(facts[0].parts if facts else 0)) - seen):
        if now is None or now > last:
            yield Finding("not-on-chain", book.key, "", f"the chain does not hold part {part} of this session")


def _sealed(book: Book) -> tuple[Batch, ...] | BookUnsound:
    try:
        return seal(book)
    except BookUnsound as error:
        return error


def _check_batch(
    book: Book, chain: ChainView, fact: BatchSettled, batches: tuple[Batch, ...] | BookUnsound
) -> Iterator[Finding]:
    if isinstance(batches, BookUnsound):
        root = root_in_order(sorted(map(Trade.leaf, book.cleared.clearing.trades)))
        if root != fact.trade_root and fact.parts == 1:
            yield Finding("trade-root", book.key, hexed(root), f"the chain holds {hexed(fact.trade_root)}")
        yield Finding("calldata", book.key, "", f"the book makes no batch: {batches}")
        return
    if fact.parts != len(batches):
        sentence = f"the chain holds {fact.parts} parts, the book makes {len(batches)}"
        yield Finding("parts", book.key, "", sentence)
    if fact.part >= len(batches):
        return
    batch = batches[fact.part]
    if batch.trade_root != fact.trade_root:
        sentence = f"the chain holds {hexed(fact.trade_root)} for part {fact.part}"
        yield Finding("trade-root", book.key, hexed(batch.trade_root), sentence)
    counted = (fact.orders, fact.trades, fact.energy, fact.value, fact.fee)
    expected = (len(batch.orders), len(batch.trades), batch.energy, batch.value, batch.fee)
    if counted != expected:
        sentence = f"the chain counts {counted} orders, trades, Wh, nano and nano of fees; the book {expected}"
        yield Finding("totals", book.key, "", sentence)
    difference = _difference(chain.calldata.get((fact.session, fact.part)), batch)
    if difference is not None:
        yield Finding("calldata", book.key, hexed(batch.trade_root), f"part {fact.part}: {difference}")


def _difference(calldata: bytes | None, batch: Batch) -> str | None:
    """Return how the calldata differs from the batch's; none where it does not."""
    if calldata is None:
        return "the calldata of the transaction is missing"
    try:
        expected = settle_calldata(batch)
    except BookUnsound as error:
        return f"the book makes no batch: {error}"
    if calldata == expected:
        return None
    try:
        sent, own = decode(calldata), decode(expected)
    except CalldataMalformed as error:
        return f"the calldata cannot be read: {error}"
    names = (field.name for field in fields(SettleCall))
    return f"the transaction has other {', '.join(name for name in names if getattr(sent, name) != getattr(own, name))}"


def _check_terms(book: Book, markets: Mapping[int, MarketOpened]) -> Iterator[Finding]:
    """Yield where the chain has other terms of the market, or of a node of its tree, than the rules."""
    market, rules = book.market, book.rules
    root = rules.tree.root.number
    terms = markets.get(market.number)
    if terms is None:
        yield Finding("terms", book.key, "", f"the chain has no market {market.number}")
    else:
        yield from _differing(
            book,
            f"market {market.number}",
            ("period", terms.period, market.period),
            ("lead", terms.lead, market.lead),
            ("window", terms.window, market.window),
            ("tree", terms.tree, root),
        )
    for node in rules.tree.nodes:
        opened = markets.get(node.number)
        if opened is None:
            yield Finding("terms", book.key, "", f"the chain has no node {node.number}")
            continue
        yield from _differing(
            book,
            f"node {node.number}",
            ("tree", opened.tree, root),
            ("fee account", opened.fee_account, node.fee_account),
            ("fee cap", opened.fee_cap, node.fee_cap),
            ("promise of one rate", opened.uniform, rules.is_uniform(node.number)),
        )


def _differing(book: Book, what: str, *terms: tuple[str, object, object]) -> Iterator[Finding]:
    for name, there, here in terms:
        if there != here:
            sentence = f"the {name} of {what} is {there} on the chain, and {here} in the rules"
            yield Finding("terms", book.key, "", sentence)


class Replay:
    """The contract's log, folded again.

    `peaks` is the most that each account ever held; `findings` say where the log does not add up.
    """

    def __init__(self, chain: ChainView) -> None:
        self.peaks: dict[int, int] = {}
        self.findings: list[Finding] = []
        self._chain = chain
        state = ChainState(chain.domain.separator(), chain.roles, scale=1)
        for witnessed in chain.facts:
            try:
                batch = state.apply(witnessed.fact, self._calldata(witnessed))
            except CalldataMalformed as error:
                self._find("calldata", witnessed, f"what it settled cannot be told: {error}")
            except LedgerRefused as error:
                self._find("chain-log", witnessed, f"this cannot have happened: {error}")
            except KeyError:
                continue  # a fact about an account or asset that was never there: named where the registry is read
            else:
                for account in _credited(witnessed, batch, state):
                    self.peaks[account] = max(state.ledger.credit(account), self.peaks.get(account, 0))
        self._compare(state.ledger.credits())

    def _calldata(self, witnessed: Witnessed) -> bytes | None:
        fact = witnessed.fact
        return self._chain.calldata.get((fact.session, fact.part)) if isinstance(fact, BatchSettled) else None

    def _find(self, code: str, witnessed: Witnessed, sentence: str) -> None:
        self.findings.append(Finding(code, None, hexed(witnessed.tx_hash), sentence))

    def _compare(self, ledger: Mapping[int, Nano]) -> None:
        chain = self._chain
        for account in sorted({*ledger, *chain.credits}):
            says, adds_up = chain.credits.get(account, 0), ledger.get(account, 0)
            if says != adds_up:
                sentence = f"the contract says account {account} holds {says} nano, its log adds up to {adds_up}"
                self.findings.append(Finding("money", None, str(account), sentence))
        together = sum(chain.credits.values())
        if chain.tokens_held is not None and chain.tokens_held != together:
            sentence = f"the contract holds {chain.tokens_held} nano, its accounts together {together}"
            self.findings.append(Finding("conservation", None, to_text(chain.contract), sentence))


def _credited(witnessed: Witnessed, batch: Batch | None, state: ChainState) -> set[int]:
    """Return the accounts that the fact may have given credit to."""
    if isinstance(witnessed.fact, Deposited):
        return {witnessed.fact.account}
    if isinstance(witnessed.fact, Moved):
        return {account for account, change in witnessed.fact.entries if change > 0}
    if batch is None:
        return set()
    assets = [state.registry.asset_by_number(sealed.asset) for sealed in batch.orders]
    nodes = {share.node for trade in batch.trades for share in trade.fees.shares}
    fee_accounts = {state.markets[node].fee_account for node in nodes}
    return {*fee_accounts, *(asset.account for asset in assets if asset is not None)}
