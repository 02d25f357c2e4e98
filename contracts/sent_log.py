"""What a tool has sent so far of an undertaking of several transactions: each is written down before it is sent.

Cut short at any instant, the undertaking is begun again from its first step, and each step that was written down is
looked for, and sent again where the chain does not have it, as the same bytes: nothing happens twice. One JSON object
a line; a last line that was cut off was not sent.
"""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sha3 import keccak_256

from contracts.errors import DamagedRecord, RecordInUse, UndertakingDiffers
from contracts.json_rpc import MalformedValue, read_data, to_data
from contracts.transaction import SignedTransaction

_FIELDS = {"chain_id", "sender", "to", "data_keccak", "raw"}


@dataclass(frozen=True, slots=True)
class Step:
    """Who tells whom what: what makes a transaction the same one, whatever it offers. `to` None creates a contract."""

    chain_id: int
    sender: bytes
    to: bytes | None
    data_digest: bytes

    @classmethod
    def of(cls, chain_id: int, sender: bytes, to: bytes | None, data: bytes) -> Self:
        """Return the step that sends `data`."""
        return cls(chain_id, sender, to, bytes(keccak_256(data).digest()))


class SentLog:
    """The log at `path`, made where there is none. Raises `DamagedRecord`, and `RecordInUse` where another process has
    it open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next = 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            _lock(self._file, path)
            whole, newline, torn = path.read_bytes().rpartition(b"\n")
            lines = whole.split(b"\n") if newline else []
            self._sent = [_read(path, number, line) for number, line in enumerate(lines, start=1)]
            if torn:
                os.ftruncate(self._file, len(whole) + len(newline))
            self._sync(path.parent)
        except BaseException:
            os.close(self._file)
            raise

    def __len__(self) -> int:
        """Return how many transactions were written down."""
        return len(self._sent)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def recall(self, step: Step) -> SignedTransaction | None:
        """Return what was signed for the next step before, or None where it comes for the first time.

        Raises `UndertakingDiffers` where another step was taken then.
        """
        if self._next == len(self._sent):
            return None
        before, signed = self._sent[self._next]
        if before != step:
            raise UndertakingDiffers(str(self.path), self._next + 1)
        self._next += 1
        return signed

    def forget(self) -> None:
        """Take out the step that was recalled last, which can never be mined: it must be the last of all."""
        assert 0 < self._next == len(self._sent), "only the last step is taken out"
        text = b"".join(_line(*each) for each in self._sent[:-1])
        os.ftruncate(self._file, len(text))
        os.fsync(self._file)
        self._sent.pop()
        self._next -= 1

    def note(self, step: Step, signed: SignedTransaction) -> None:
        """Write down what is about to be sent; it is on the disk when this returns."""
        assert self._next == len(self._sent), "what was sent before comes first"
        os.write(self._file, _line(step, signed))
        os.fsync(self._file)
        self._sent.append((step, signed))
        self._next += 1

    def _sync(self, folder: Path) -> None:
        """Have the file, and its name, on the disk."""
        os.fsync(self._file)
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _lock(file: int, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RecordInUse(str(path), "another process goes on with it") from error


def _line(step: Step, signed: SignedTransaction) -> bytes:
    document = {
        "chain_id": step.chain_id,
        "sender": to_data(step.sender),
        "to": None if step.to is None else to_data(step.to),
        "data_keccak": to_data(step.data_digest),
        "raw": to_data(signed.raw),
    }
    return json.dumps(document).encode() + b"\n"


def _read(path: Path, number: int, line: bytes) -> tuple[Step, SignedTransaction]:
    try:
        found: Any = json.loads(line)
        if not isinstance(found, dict) or found.keys() != _FIELDS:
            raise DamagedRecord(str(path), number, "it is no transaction")
        to = None if found["to"] is None else read_data(found["to"], 20)
        raw = read_data(found["raw"])
        if type(found["chain_id"]) is not int:
            raise DamagedRecord(str(path), number, "its chain id is no whole number")
        step = Step(found["chain_id"], read_data(found["sender"], 20), to, read_data(found["data_keccak"], 32))
    except (ValueError, RecursionError, MalformedValue) as error:
        raise DamagedRecord(str(path), number, str(error)) from error
    return step, SignedTransaction(raw, bytes(keccak_256(raw).digest()))
