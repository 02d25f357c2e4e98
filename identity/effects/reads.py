"""Every read that is not public: judged when it is asked for, and written down.

Judging asks nobody: sign-ins and grants are in memory, and a thread brings in, every second, what other processes of
the same database wrote, and writes down what was read. Where that fails for long, nothing is shown any more: a read
that cannot be recorded, or whose grant may have been revoked unheard, is no permitted read.
"""

import logging
from collections.abc import Callable
from threading import Condition, Lock, Thread
from time import monotonic
from typing import Protocol

from starlette.requests import HTTPConnection

from identity.access import Item, Kind, Permission, Scope, Standing, judge_read
from identity.access_errors import AccessRefused, AccessStoreBroken, NotSignedIn, SignInEnded
from identity.address import Address
from identity.effects.access_store import AccessStore, Read
from identity.effects.sign_ins import SignIns
from identity.grants import Grant, Grants, KeptGrant, give, take_back

_NEWS_SECONDS = 1.0
_SILENT_SECONDS = 30.0
_MOST_WAITING = 50_000
_MANY = 500

_log = logging.getLogger("merit.reads")


class Reads(Protocol):
    """What a route asks before it shows something that is not public."""

    def reader(self, request: HTTPConnection) -> Address:
        """Return who asks. Raises `NotSignedIn` and `SignInEnded`."""

    def judge(self, request: HTTPConnection, *items: Item) -> tuple[Permission, ...]:
        """Return by what the asker may read each item, and record it. Raises a branch of `AccessRefused`.

        Nothing is recorded where one of them may not be read.
        """

    def may(self, request: HTTPConnection, item: Item) -> bool:
        """Say whether the asker may read an item, and record it if so: for what has a public part, too.

        Raises `SignInEnded` for a token that opens nothing.
        """


class JudgedReads:
    """Grants and sign-ins in memory, the record of reads on its way to the disk. Close it, or reads are lost."""

    def __init__(self, store: AccessStore, sign_ins: SignIns, standing: Standing, clock: Callable[[], int]) -> None:
        self.sign_ins = sign_ins
        self.grants = Grants()
        self.standing = standing
        self.clock = clock
        self._store = store
        self._news = 0
        self._giving = Lock()
        self._waiting: list[Read] = []
        self._awake = Condition()
        self._closing = False
        self._heard_at = monotonic()
        self._take_in_news()
        self._thread = Thread(target=self._run, name="reads", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write down what waits, and end. Closing twice is harmless."""
        with self._awake:
            self._closing = True
            self._awake.notify()
        self._thread.join()

    # judging

    def reader(self, request: HTTPConnection) -> Address:
        """Return who asks; see `Reads`."""
        token = token_of(request)
        if token is None:
            raise NotSignedIn
        return self.sign_ins.session(token).address

    def judge(self, request: HTTPConnection, *items: Item) -> tuple[Permission, ...]:
        """Judge and record; see `Reads`."""
        reader = self.reader(request)
        now = self.clock()
        permissions = tuple(self.permission(reader, item, now) for item in items)
        name = str(request.scope.get("request_id", ""))
        for item, permission in zip(items, permissions, strict=True):
            self._record(reader, item, permission, now, name)
        return permissions

    def may(self, request: HTTPConnection, item: Item) -> bool:
        """Judge softly; see `Reads`."""
        if token_of(request) is None:
            return False
        try:
            self.judge(request, item)
        except (SignInEnded, AccessStoreBroken):
            raise
        except AccessRefused:
            return False
        return True

    def permission(self, reader: Address, item: Item, at: int) -> Permission:
        """Return by what a reader may read an item at a moment, without recording it."""
        if len(self._waiting) >= _MOST_WAITING or monotonic() - self._heard_at > _SILENT_SECONDS:
            raise AccessStoreBroken("reads cannot be written down now")
        return judge_read(reader, item, at, self.standing, self.grants)

    # grants

    def give(self, grant: Grant, signature: bytes, separator: bytes) -> tuple[KeptGrant, bool]:
        """Take a signed grant in; return how it stands, and whether it is new. A grant that is known is only told."""
        name, now = grant.digest(separator), self.clock()
        with self._giving:
            if name in self.grants and self.grants.find(name).given.signature == signature:
                return self.grants.find(name), False
            given = give(grant, signature, now, separator=separator, standing=self.standing)
            new = name not in self.grants
            if new:
                self._store.add_grant_event(given)
                self._take_in_grants()
        return self.grants.find(name), new

    def take_back(self, name: bytes, signature: bytes, separator: bytes) -> KeptGrant:
        """Take a grant back; it counts no longer when this returns. Taking it back again is harmless."""
        now = self.clock()
        with self._giving:
            kept = self.grants.find(name)
            event = take_back(kept, signature, now, separator=separator, standing=self.standing)
            if kept.revoked_at is None:
                self._store.add_grant_event(event)
                self._take_in_grants()
        return self.grants.find(name)

    # the record

    def record_of(self, concerning: Address | None, before: int | None, limit: int) -> list[tuple[int, Read]]:
        """Return what was read of somebody's data, newest first; without anybody, everything."""
        self._write_down()
        return self._store.reads(concerning, before, limit)

    def _record(self, reader: Address, item: Item, permission: Permission, now: int, request: str) -> None:
        owned = [scope for scope in item.scopes if scope.kind in (Kind.ACCOUNT, Kind.METER)]
        rows: dict[Address | None, Scope] = {}
        for scope in owned or item.scopes[:1]:
            rows.setdefault(self.standing.owner(scope, now), scope)
        reads = [Read(reader, scope, owner, permission, now, request) for owner, scope in rows.items()]
        with self._awake:
            self._waiting += reads
            if len(self._waiting) >= _MANY:
                self._awake.notify()

    def _run(self) -> None:
        while True:
            with self._awake:
                if not self._closing:
                    self._awake.wait(_NEWS_SECONDS)
                closing = self._closing
            try:
                self._write_down()
                self._take_in_news()
                self._heard_at = monotonic()
            except AccessStoreBroken as broken:
                _log.warning("%s", broken)
            except Exception:  # noqa: BLE001  # a thread that died silently would let nobody read, and say nothing
                _log.exception("the record of reads failed")
            if closing:
                return

    def _write_down(self) -> None:
        with self._awake:
            reads, self._waiting = self._waiting, []
        if not reads:
            return
        try:
            self._store.add_reads(reads)
        except BaseException:
            with self._awake:
                self._waiting = reads + self._waiting
            raise

    def _take_in_news(self) -> None:
        with self._giving:
            self._take_in_grants()
        self.sign_ins.take_in_news()

    def _take_in_grants(self) -> None:
        events, self._news = self._store.grant_events(self._news)
        for event in events:
            self.grants.apply(event)


def token_of(request: HTTPConnection) -> str | None:
    """Return the bearer token of a request, if it has one (RFC 6750)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
