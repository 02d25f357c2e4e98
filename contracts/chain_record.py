"""The file in which a local chain writes down its blocks: one JSON object a line, the genesis first.

Only what cannot be computed again is written, and the hash that must come out. A line is on the disk before its block
is answered for.
"""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from contracts.errors import DamagedRecord, RecordInUse, RecordNotWritten

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GenesisLine:
    """What a chain starts from. Time in Unix seconds, the genesis block's hash in hex."""

    merit_devnet: int = FORMAT
    chain_id: int
    fork: str
    genesis_time: int
    gas_limit: int
    accounts: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLine:
    """One block: when, which signed transactions, and the hash they lead to."""

    number: int
    timestamp: int
    transactions: list[str]
    hash: str


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
            record._write_first(genesis)
        except BaseException:
            record.close()
            raise
        return record

    @classmethod
    def reopen(cls, path: Path) -> tuple[Self, GenesisLine, list[BlockLine]]:
        """Read a recording and go on with it.

        A last line that was cut off while it was being written names a block nobody was told of: it is cut from the
        file, and `dropped_bytes` says how long it was. `DamagedRecord` for any other line that cannot be read.
        """
        file = _open_locked(path, 0)
        try:
            whole, newline, torn = path.read_bytes().rpartition(b"\n")
            lines = whole.split(b"\n")
            genesis = GenesisLine(**_parse(path, 1, lines[0], _GENESIS_FIELDS))
            blocks = [BlockLine(**_parse(path, at, line, _BLOCK_FIELDS)) for at, line in enumerate(lines[1:], start=2)]
            if torn:
                os.ftruncate(file, len(whole) + len(newline))
                os.fsync(file)
        except BaseException:
            os.close(file)
            raise
        record = cls(path, file)
        record.dropped_bytes = len(torn)
        return record, genesis, blocks

    def append(self, block: BlockLine) -> None:
        """Write a block and wait until it is on the disk.

        After a failure nobody knows what the file ends with, so nothing more is written: `RecordNotWritten` ever after.
        """
        self._write(block)

    def close(self) -> None:
        """Let go of the file; harmless the second time."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write_first(self, genesis: GenesisLine) -> None:
        if self.path.stat().st_size > 0:
            raise RecordInUse(str(self.path), "holds a chain already; reopen it instead")
        self._write(genesis)
        _sync_directory(self.path.parent)

    def _write(self, line: GenesisLine | BlockLine) -> None:
        if self._file is None:
            raise RecordNotWritten(str(self.path), "the recording is closed; reopen the chain")
        try:
            _write_all(self._file, json.dumps(asdict(line), separators=(",", ":")).encode() + b"\n")
            os.fsync(self._file)
        except OSError as error:
            self.close()
            raise RecordNotWritten(str(self.path), error.strerror or str(error)) from error


_GENESIS_FIELDS = {
    "merit_devnet": int,
    "chain_id": int,
    "fork": str,
    "genesis_time": int,
    "gas_limit": int,
    "accounts": int,
    "hash": str,
}
_BLOCK_FIELDS = {"number": int, "timestamp": int, "transactions": list, "hash": str}


def _parse(path: Path, at: int, line: bytes, fields: dict[str, type]) -> dict[str, Any]:
    """Read line number `at`: exactly these fields, of exactly these types (a bool is no int here)."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DamagedRecord(str(path), at, f"not JSON: {error}") from error
    if not isinstance(found, dict) or {name: type(value) for name, value in found.items()} != fields:
        raise DamagedRecord(str(path), at, f"the fields are not {', '.join(fields)}")
    if found.get("merit_devnet", FORMAT) != FORMAT:
        raise DamagedRecord(str(path), at, f"written in format {found['merit_devnet']}, this reads format {FORMAT}")
    return found


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
    """Make the file's name as durable as its content."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
