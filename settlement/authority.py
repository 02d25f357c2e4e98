"""Who could act for an order, as the chain stood at the moments that count.

The exchange judges by what it has read of the chain, which may be some blocks old; the contract judges when it settles.
So an order is judged as of its gate closure by the registry as it stood at two moments: at gate closure (where block
times are known) and when the session was settled (at the head, where it was not). Only what no reading allows is
certain to be wrong.
"""

from collections.abc import Iterator, Sequence
from typing import get_args

from exchange.admission import judge
from exchange.book import Book
from exchange.events import OrderAccepted
from identity.address import Address
from identity.errors import AuthorityRefused
from identity.facts import IdentityFact
from identity.purposes import TRADE
from identity.registry import Registry, Standing
from settlement.chain_view import ChainView
from settlement.facts import BatchSettled, Witnessed

Verdict = Standing | AuthorityRefused
_IDENTITY_FACTS = get_args(IdentityFact)


class Authority:
    """The verdicts on every order of some books, and the registry at the head of the chain.

    `signers` names, book by book and order by order, who signed; nobody where the signature is none. `unsound` are the
    facts that cannot stand where they stand in the log; they were passed over.
    """

    def __init__(self, books: Sequence[Book], signers: Sequence[Sequence[Address | None]], chain: ChainView) -> None:
        self.registry = Registry(chain.roles)
        self.unsound: list[Witnessed] = []
        self._verdicts: dict[tuple[int, int], list[Verdict]] = {}
        self._books, self._signers = books, signers
        self._watched: dict[tuple[int, int], set[str] | None] = dict.fromkeys(_left_out_of_ticks(books))
        done = 0
        for position, index in sorted(_moments(books, chain)):
            self._advance(chain.facts[done:position])
            done = max(done, position)
            book = books[index]
            for place, (accepted, signer) in enumerate(zip(book.orders, signers[index], strict=True)):
                known = book.rules.market_or_none(accepted.signed.order.market)
                if signer is not None and known is not None:  # without a market there is no gate closure to judge as of
                    verdict = _verdict(self.registry, book, accepted, signer)
                    self._verdicts.setdefault((index, place), []).append(verdict)
        self._advance(chain.facts[done:])

    def verdicts(self, book: int, place: int) -> list[Verdict]:
        """Return what the readings say of the order at `place` of the book.

        Nothing where nobody signed it, or where it is for a market that the rules do not know.
        """
        return self._verdicts.get((book, place), [])

    def ever(self, asset: Address, signer: Address) -> bool:
        """Whether `signer` ever owned the asset, or was ever named to trade for it."""
        return self.registry.authority.ever(signer, asset, TRADE)

    def ended(self, book: int, place: int) -> set[str]:
        """Return as what the order at `place`, left out of a tick, was ever to be refused once it had been allowed."""
        return self._watched.get((book, place)) or set()

    def _watch(self) -> None:
        for (index, place), codes in self._watched.items():
            signer = self._signers[index][place]
            if signer is not None:
                book = self._books[index]
                verdict = _verdict(self.registry, book, book.orders[place], signer)
                if codes is not None and isinstance(verdict, AuthorityRefused):
                    codes.add(verdict.code)
                elif codes is None and isinstance(verdict, Standing):
                    self._watched[index, place] = set()

    def _advance(self, facts: Sequence[Witnessed]) -> None:
        for witnessed in facts:
            fact = witnessed.fact
            if isinstance(fact, _IDENTITY_FACTS):
                try:
                    self.registry.apply(fact)
                except KeyError:
                    self.unsound.append(witnessed)
                self._watch()


def _left_out_of_ticks(books: Sequence[Book]) -> Iterator[tuple[int, int]]:
    for index, book in enumerate(books):
        names = {digest for tick in book.ticks for digest, _ in tick.excluded}
        yield from ((index, place) for place, accepted in enumerate(book.orders) if accepted.digest in names)


def _moments(books: Sequence[Book], chain: ChainView) -> Iterator[tuple[int, int]]:
    """Yield how many facts had happened at each moment that counts, and for which book."""
    first: dict[int, int] = {}
    for position, witnessed in enumerate(chain.facts):
        if isinstance(witnessed.fact, BatchSettled):
            first.setdefault(witnessed.fact.session, position)
    closures = [book.gate_closure for book in books]
    times, position = chain.times(), 0
    for index in sorted(range(len(books)), key=closures.__getitem__):
        if times is not None:
            while position < len(times) and times[position] <= closures[index]:
                position += 1
            yield position, index
        yield first.get(books[index].key.number, len(chain.facts)), index


def _verdict(registry: Registry, book: Book, accepted: OrderAccepted, signer: Address) -> Verdict:
    try:
        return judge(accepted.signed.order, signer, book.rules, registry, number=accepted.asset)
    except AuthorityRefused as refusal:
        return refusal
