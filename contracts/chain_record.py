"""The file in which a local chain writes down its blocks: one JSON object a line, the genesis first.

Only what cannot be computed again is written, and the hash that must come out. A line is on the disk before its block is
answered for.
"""

import fcntl
import os
from pathlib import Path
from typing import Literal, Self, TypeVar

import msgspec

from contracts.errors import DamagedRecord, RecordInUse, RecordNotWritten


class GenesisLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a chain starts from. Times in Unix seconds, hashes in hex."""

    merit_devnet: Literal[1] = 1
    chain_id: int
    fork: Literal["london", "prague"]
    genesis_time: int
    gas_limit: int
    accounts: int
    hash: str


class BlockLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One block: when, which signed transactions, and the hash they lead to."""

    number: int
    timestamp: int
    transactions: list[str]
    hash: str

    def raw(self) -> list[bytes]:
        """Return the signed transactions; raises ValueError where one is not hex."""
        return [bytes.fromhex(text) for text in self.transactions]


Line = TypeVar("Line", GenesisLine, BlockLine)


class ChainRecord:
    """An open recording, locked against a second chain that would write to it."""

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self.dropped_bytes = 0
        self._file: int | None = file

    @classmethod
    def create(cls, path: Path, genesis: GenesisLine) -> Self:
        """Start a recording; refuses to overwrite one."""
        record = cls(path, _open_locked(path, os.O_CREAT))
        try:
            if os.path.getsize(path) > 0:
                raise RecordInUse(str(path), "holds a chain already; reopen it instead")
            record._write(genesis)
            _sync_directory(path.parent)
        except BaseException:
            record.close()
            raise
        return record

    @classmethod
    def reopen(cls, path: Path) -> tuple[Self, GenesisLine, list[BlockLine]]:
        """Read a recording and go on with it.

        A last line that was cut off while it was being written names a block nobody was told of: it is cut from the file,
        and `dropped_bytes` says how long it was. `DamagedRecord` for any other line that cannot be read.
        """
        record = cls(path, _open_locked(path, 0))
        try:
            whole, newline, torn = path.read_bytes().rpartition(b"\n")
            lines = whole.split(b"\n")
            genesis = record._read(1, lines[0], GenesisLine)
            blocks = [record._read(number, line, BlockLine) for number, line in enumerate(lines[1:], start=2)]
            if torn:
                record.dropped_bytes = len(torn)
                assert record._file is not None
                os.ftruncate(record._file, len(whole) + len(newline))
                os.fsync(record._file)
        except BaseException:
            record.close()
            raise
        return record, genesis, blocks

    def append(self, block: BlockLine) -> None:
        """Write a block and wait until it is on the disk.

        After a failure nobody knows what the file ends with, so nothing more is written: `RecordNotWritten` from then on.
        """
        self._write(block)

    def close(self) -> None:
        """Let go of the file; harmless the second time."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, line: GenesisLine | BlockLine) -> None:
        if self._file is None:
            raise RecordNotWritten(str(self.path), "the recording is closed; reopen the chain")
        try:
            _write_all(self._file, msgspec.json.encode(line) + b"\n")
            os.fsync(self._file)
        except OSError as error:
            self.close()
            raise RecordNotWritten(str(self.path), error.strerror or str(error)) from error

    def _read(self, number: int, text: bytes, kind: type[Line]) -> Line:
        try:
            return msgspec.json.decode(text, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DamagedRecord(str(self.path), number, str(error)) from error


def _write_all(file: int, data: bytes) -> None:
    """Write all of `data`; the operating system may take it in pieces."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _open_locked(path: Path, flags: int) -> int:
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND | flags, 0o600)
    except OSError as error:
        raise RecordNotWritten(str(path), error.strerror or str(error)) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        raise RecordInUse(str(path), "another chain writes to it") from error
    return file


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
