"""What an account bought, sold, used itself, paid in and took out: one line each, with the evidence to look up.

Amounts are signed from the account's side: what it gets is positive, what it pays negative. A line's reference is the
leaf of a trade, the digest of a bid whose own energy was used, or the hash of a transaction. Of a trade's fees each
node has a line in the statement of its fee account; one account may be that of several nodes.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from exchange.book import Book
from exchange.clearing import OwnUse
from exchange.delivery import SessionKey
from exchange.parameters import Parameters
from exchange.trade import Trade
from exchange.tree import FeeShare
from exchange.units import MicroPerKwh, Nano, Wh, amount
from settlement.facts import Deposited, Withdrawn, Witnessed


class LineKind(Enum):
    """What a line is about."""

    BOUGHT = "bought"
    SOLD = "sold"
    OWN_USE = "own-use"
    FEE = "fee"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a statement. `at` is the delivery start, or the block time of a movement of tokens.

    `fee_rate` is what all nodes took of a trade together, and in a line about a fee what this node took. `fees` says it
    by node, in what was bought and in a fee; it is empty elsewhere.
    """

    kind: LineKind
    at: int
    session: int | None
    reference: bytes
    energy: Wh
    rate: MicroPerKwh | None
    fee_rate: MicroPerKwh | None
    amount: Nano
    fees: tuple[FeeShare, ...] = ()

    @property
    def node(self) -> int | None:
        """The number of the node whose fee the line is about, if it is about one."""
        return self.fees[0].node if self.kind is LineKind.FEE else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The sums of a statement: energies in Wh, amounts in nano, each without sign but for `balance`.

    `fees` is what was paid to nodes, as a part of `paid`, and `fees_by_node` what to which, by ascending number;
    `income_by_node` is what of `earned` were fees. Neither names a node that got nothing.
    """

    bought: Wh
    sold: Wh
    own_use: Wh
    paid: Nano
    earned: Nano
    fees: Nano
    fees_by_node: Mapping[int, Nano]
    income_by_node: Mapping[int, Nano]
    deposited: Nano
    withdrawn: Nano
    balance: Nano


Past = Callable[[int, int, int], Iterable[Line]]
"""The lines of an account, from an instant up to another, in sessions that were forgotten here."""


@dataclass(slots=True)
class Statements:
    """The lines of every account; `past` gives those of sessions that were forgotten."""

    past: Past = lambda *_: ()
    _lines: dict[int, list[Line]] = field(default_factory=dict)

    def add_book(self, book: Book) -> None:
        """Add the lines of one cleared session."""
        clearing, start = book.cleared.clearing, book.key.delivery_start
        number = book.key.number  # one value for all lines: there are millions of them
        account_of = {order.digest: order.account for order in book.orders}
        payees = fee_accounts(book.parameters)
        for trade in clearing.trades:
            for account, line in _of_trade(trade, number, account_of[trade.bid], account_of[trade.offer], payees):
                self._add(account, line)
        for use in clearing.own_uses:
            self._add(account_of[use.bid], _of_use(use, number, start))

    def forget(self, sessions: Container[int]) -> None:
        """Let go of the lines of some sessions, which `past` has from now on."""
        for account, lines in list(self._lines.items()):
            kept = [line for line in lines if line.session is None or line.session not in sessions]
            if len(kept) < len(lines):  # a new list: somebody may just be reading the old one
                self._lines[account] = kept

    def add_fact(self, witnessed: Witnessed, at: int) -> None:
        """Add a movement of tokens from the contract's log; other facts have no line."""
        fact = witnessed.fact
        if isinstance(fact, Deposited):
            self._add(fact.account, _of_tokens(LineKind.DEPOSIT, witnessed.tx_hash, at, fact.amount))
        elif isinstance(fact, Withdrawn):
            self._add(fact.account, _of_tokens(LineKind.WITHDRAWAL, witnessed.tx_hash, at, Nano(-fact.amount)))

    def lines(self, account: int, begin: int = 0, end: int = 1 << 40) -> list[Line]:
        """Return an account's lines from `begin` up to but without `end` (unix seconds), by time and then session.

        Lines of one instant without a session come first; so the order does not depend on what was heard of first.
        """
        mine = self._lines.get(account, ())
        held = {line.session for line in mine}
        found = [line for line in mine if begin <= line.at < end]
        # asked second: what is forgotten in between is in both, and nothing in neither
        found += [line for line in self.past(account, begin, end) if line.session not in held]
        return sorted(found, key=lambda line: (line.at, -1 if line.session is None else line.session))

    def _add(self, account: int, line: Line) -> None:
        self._lines.setdefault(account, []).append(line)


def totals(lines: Iterable[Line]) -> Totals:
    """Return the sums of some lines."""
    energy = dict.fromkeys(LineKind, 0)
    money = dict.fromkeys(LineKind, 0)
    fees: dict[int, int] = {}
    income: dict[int, int] = {}
    for line in lines:
        energy[line.kind] += line.energy
        money[line.kind] += line.amount
        if line.kind is LineKind.BOUGHT:
            for share in line.fees:
                fees[share.node] = fees.get(share.node, 0) + amount(line.energy, share.rate)
        elif line.node is not None:
            income[line.node] = income.get(line.node, 0) + line.amount
    return Totals(
        bought=Wh(energy[LineKind.BOUGHT]),
        sold=Wh(energy[LineKind.SOLD]),
        own_use=Wh(energy[LineKind.OWN_USE]),
        paid=Nano(-money[LineKind.BOUGHT]),
        earned=Nano(money[LineKind.SOLD] + money[LineKind.FEE]),
        fees=Nano(sum(fees.values())),
        fees_by_node=_by_node(fees),
        income_by_node=_by_node(income),
        deposited=Nano(money[LineKind.DEPOSIT]),
        withdrawn=Nano(-money[LineKind.WITHDRAWAL]),
        balance=Nano(sum(money.values())),
    )


def _by_node(sums: Mapping[int, int]) -> dict[int, Nano]:
    return {node: Nano(money) for node, money in sorted(sums.items()) if money}


def fee_accounts(parameters: Parameters) -> dict[int, int]:
    """Return the account that gets the fees of each node, by the node's number."""
    return {node.number: node.fee_account for node in parameters.tree.nodes}


def past_lines(
    account: int,
    trades: Iterable[tuple[Trade, int, int]],
    own_uses: Iterable[tuple[SessionKey, OwnUse]],
    payees: Mapping[int, int],
) -> Iterator[Line]:
    """Yield an account's lines of trades, each with its buyer and its seller, and of its own uses.

    `payees` names the fee account of each node that took a fee of the trades.
    """
    for trade, buyer, seller in trades:
        for whose, line in _of_trade(trade, trade.session.number, buyer, seller, payees):
            if whose == account:
                yield line
    for key, use in own_uses:
        yield _of_use(use, key.number, key.delivery_start)


def _of_trade(
    trade: Trade, session: int, buyer: int, seller: int, payees: Mapping[int, int]
) -> Iterator[tuple[int, Line]]:
    yield buyer, _side_of(LineKind.BOUGHT, trade, session, Nano(-trade.cost), trade.fees.shares)
    yield seller, _side_of(LineKind.SOLD, trade, session, trade.value, ())
    for share in trade.fees.shares:
        if share.rate:
            got = amount(trade.energy, share.rate)
            yield payees[share.node], _side_of(LineKind.FEE, trade, session, got, (share,))


def _side_of(kind: LineKind, trade: Trade, session: int, amount: Nano, fees: tuple[FeeShare, ...]) -> Line:
    return Line(
        kind=kind,
        at=trade.session.delivery_start,
        session=session,
        reference=trade.leaf(),
        energy=trade.energy if kind is not LineKind.FEE else Wh(0),
        rate=trade.rate,
        fee_rate=trade.fee_rate if kind is not LineKind.FEE else fees[0].rate,
        amount=amount,
        fees=fees,
    )


def _of_use(use: OwnUse, session: int, start: int) -> Line:
    return Line(
        kind=LineKind.OWN_USE,
        at=start,
        session=session,
        reference=use.bid,
        energy=use.energy,
        rate=None,
        fee_rate=None,
        amount=Nano(0),
    )


def _of_tokens(kind: LineKind, tx_hash: bytes, at: int, amount: Nano) -> Line:
    return Line(
        kind=kind,
        at=at,
        session=None,
        reference=tx_hash,
        energy=Wh(0),
        rate=None,
        fee_rate=None,
        amount=amount,
    )
