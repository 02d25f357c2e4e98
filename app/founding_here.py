"""Founding in a folder: what is sent is written down before, so that a founding that was cut short goes on."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from app.clock import Clock, HeldClock
from app.community import Community
from app.founding import ExchangeFileUnusable, Founded, Keys, found
from app.output import Output
from app.wiring import Places
from contracts.local_evm import LocalEvm
from contracts.sent_log import SentLog

FOUNDING_SECONDS = 600
"""How long before now the first block of a new chain in this process is mined."""


@contextmanager
def founding(places: Places, output: Output) -> Iterator[SentLog]:
    """Open the log of a founding in this folder, and make the folder where there is none.

    When the founding is done the log is gone. Where nothing was sent, nothing is left behind.
    """
    fresh = not places.folder.exists()
    places.folder.mkdir(parents=True, exist_ok=True)
    with closing(SentLog(places.founding)) as sent:
        if sent:
            output.say(f"going on with a founding that was cut short here: {len(sent)} transactions were signed before")
        try:
            yield sent
        except BaseException:
            if not sent:
                places.founding.unlink()
            if fresh:
                with suppress(OSError):  # there is something in it
                    places.folder.rmdir()
            raise
        places.founding.unlink()


def found_here(places: Places, community: Community, clock: Clock, output: Output) -> tuple[Founded, LocalEvm]:
    """Found an exchange on a chain in this process, or go on where that was cut short.

    Raises `ExchangeFileUnusable` where something else is in the folder, and what `found` raises.
    """
    folder = places.folder
    if not places.founding.exists():
        if folder.exists() and any(folder.iterdir()):
            raise ExchangeFileUnusable(f"{folder} holds no exchange.json, but something else")
        output.say(f"nothing in {folder} yet: founding an exchange on a chain in this process …")
    with founding(places, output) as sent:
        if not sent:
            places.chain.unlink(missing_ok=True)  # nothing stands on it, and it may be cut off in its first line
        elif not places.chain.exists():
            raise ExchangeFileUnusable(f"{places.chain} is missing, and nobody else has it: begin in an empty folder")
        held = HeldClock(clock, FOUNDING_SECONDS)
        evm = LocalEvm.reopen(places.chain, held) if sent else LocalEvm(held, genesis_time=held(), record=places.chain)
        try:
            founded = found(evm, community, Keys.devnet(), sent=sent)
            founded.write(places.exchange)
            held.let_go()
        except BaseException:
            evm.close()
            if not sent:
                places.chain.unlink()
            raise
    return founded, evm
