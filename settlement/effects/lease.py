"""The lease: of all submitters that share a store, one works. Two that were started by mistake do no harm.

The lease is a row in the store, with a term that grows whenever the holder changes. What a submitter writes is written
only under its own term, so one that lost the lease without noticing, because it was stalled, changes nothing; and
since nothing is sent that was not written, it sends nothing new. The lease is looked at again before every send.

A holder that is a process of this machine and no longer runs is not waited for. Were that a mistake, the term would
make it harmless.
"""

import os
import secrets
import socket
from pathlib import Path

from settlement.effects.errors import LeaseLost
from settlement.effects.store import Lease, Store


def own_name() -> str:
    """Return a name no other submitter has: machine, process, and a random part, since process numbers come again."""
    return f"{_machine()}/{os.getpid()}/{secrets.token_hex(4)}"


def is_gone(holder: str) -> bool:
    """Whether `holder` was named by `own_name` in a process of this machine that no longer runs."""
    machine, _, process = holder.rpartition("/")[0].rpartition("/")
    if machine != _machine() or not process.isdecimal():
        return False
    try:
        os.kill(int(process), 0)  # asks, and does nothing
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _machine() -> str:
    """Return what process numbers are unique in: the host, and where there are containers, the container."""
    try:
        return f"{socket.gethostname()}:{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


class Leadership:
    """The lease of one store, as the submitter called `holder` sees it."""

    def __init__(self, store: Store, holder: str, seconds: int) -> None:
        self.holder = holder
        self.term: int | None = None
        self._store = store
        self._seconds = seconds

    def take(self, now: int) -> Lease | None:
        """Take or renew the lease until `seconds` after `now`; where another has it, return that one's."""
        lease = self._store.take_lease(self.holder, now, now + self._seconds)
        if lease.holder != self.holder and is_gone(lease.holder):
            self._store.release_lease(lease.holder)
            lease = self._store.take_lease(self.holder, now, now + self._seconds)
        if lease.holder != self.holder:
            self.term = None
            return lease
        self.term = lease.term
        return None

    def check(self) -> None:
        """Raise `LeaseLost` where another has taken the lease since."""
        lease = self._store.lease()
        if lease is None or lease.term != self.term:
            raise LeaseLost(None if lease is None else lease.holder)

    def release(self) -> None:
        """Let the next submitter begin at once."""
        self._store.release_lease(self.holder)
        self.term = None
