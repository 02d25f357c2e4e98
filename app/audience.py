"""Who may hear which events: judged when a stream begins, and again before anything more is sent."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from app.public_events import PublicEvent, Topic
from identity.access import TRAIL, Item, Kind, Role, account_scope
from identity.access_errors import NotGranted, SignInEnded
from identity.address import Address
from identity.effects.reads import JudgedReads, token_of

PUBLIC = frozenset({Topic.SESSIONS, Topic.SETTLEMENTS})

AccountsOf = Callable[[Address], Iterable[int]]


@dataclass(frozen=True, slots=True)
class Audience:
    """What one listener hears: `topics`, and of what is an account's only that of `accounts`; None: everybody's."""

    topics: frozenset[Topic]
    accounts: frozenset[int] | None
    recheck: Callable[[], None]
    """Raises a branch of `AccessRefused` as soon as the listener may no longer hear all of it."""

    def wants(self, event: PublicEvent) -> bool:
        """Say whether an event is for this listener."""
        if event.topic not in self.topics:
            return False
        return event.topic in PUBLIC or self.accounts is None or not self.accounts.isdisjoint(event.accounts)


def audience_of(
    reads: JudgedReads,
    accounts_of: AccountsOf,
    request: HTTPConnection,
    topics: frozenset[Topic] | None,
    account: int | None,
) -> Audience:
    """Judge what the asker may hear, and record it. `topics` is none where all are wanted that may be heard.

    Raises `NotSignedIn`, `SignInEnded`, and `NotGranted` where a topic was asked for of which nothing may be heard.
    """
    token = token_of(request)
    wanted = frozenset(Topic) if topics is None else topics
    if wanted <= PUBLIC or (topics is None and token is None):
        return Audience(wanted & PUBLIC, frozenset(), lambda: None)
    who = reads.reader(request)
    assert token is not None
    items: tuple[Item, ...]
    accounts: frozenset[int] | None
    if account is not None:
        accounts, items = frozenset({account}), (Item((account_scope(account), TRAIL)),)
        reads.judge(request, *items)
    elif reads.may(request, Item((TRAIL,))):
        accounts, items = None, (Item((TRAIL,)),)
    else:
        candidates = {number: Item((account_scope(number),)) for number in _candidates(reads, accounts_of, who)}
        permitted = {number: item for number, item in candidates.items() if reads.may(request, item)}
        accounts, items = frozenset(permitted), tuple(permitted.values())
        if not permitted:
            if topics is not None:
                raise NotGranted("events of orders and trades")
            return Audience(PUBLIC, frozenset(), lambda: None)

    def recheck() -> None:
        if not reads.sign_ins.is_open(token):
            raise SignInEnded
        now = reads.clock()
        for item in items:
            reads.permission(who, item, now)

    return Audience(wanted, accounts, recheck)


def _candidates(reads: JudgedReads, accounts_of: AccountsOf, who: Address) -> list[int]:
    """Return the accounts that somebody holds or was granted, whether or not the grants still count."""
    now = reads.clock()
    grants = list(reads.grants.given_to(who))
    for role in Role:
        if reads.standing.holds(who, role, now):
            grants += reads.grants.given_to_role(role)
    scopes = (kept.given.grant.scope for kept in grants)
    return sorted({*accounts_of(who), *(scope.of for scope in scopes if scope.kind is Kind.ACCOUNT)})
