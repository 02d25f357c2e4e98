"""What somebody with write access to an exchange's files can do to them.

A forger who changes a body makes the hashes good as well, or does not: `rewrite` does either.
"""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from exchange.effects.entries import GENESIS, link
from exchange.effects.journal import mark_path

Document = dict[str, Any]
Change = Callable[[list[Document]], None]


def rewrite(folder: Path, change: Change, *, forge: bool) -> None:
    """Change the documents of the journal's entries.

    With `forge` the numbers, the hashes, the head and the mark are made good; without, whatever has another body keeps
    its hash, and whatever is new has none.
    """
    with closing(sqlite3.connect(folder / "journal.db")) as connection, connection:
        rows = connection.execute("SELECT sequence, previous, hash, body FROM entries ORDER BY sequence").fetchall()
        documents = [json.loads(body) for *_, body in rows]
        number_of = {id(document): row for document, row in zip(documents, rows, strict=True)}
        change(documents)
        bodies = [json.dumps(document, sort_keys=True, separators=(",", ":")) for document in documents]
        connection.execute("DELETE FROM entries")
        if forge:
            linked = link(bodies, after=0, previous=GENESIS)
            kept = [(entry.sequence, entry.previous, entry.hash, entry.body) for entry in linked]
            connection.execute("UPDATE head SET sequence = ?, hash = ?", (kept[-1][0], kept[-1][2]))
            mark_path(folder / "journal.db").unlink(missing_ok=True)
        else:
            kept = []
            for document, body in zip(documents, bodies, strict=True):
                last = kept[-1][0] if kept else 0
                sequence, previous, hash_, _ = number_of.get(id(document), (last + 1, GENESIS, GENESIS, ""))
                kept.append((max(sequence, last + 1), previous, hash_, body))
        connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", kept)


def column(folder: Path, name: str, change: Callable[[Any], Any], sequence: int = 10) -> None:
    """Change one column of one entry."""
    with closing(sqlite3.connect(folder / "journal.db")) as connection, connection:
        (value,) = connection.execute(f"SELECT {name} FROM entries WHERE sequence = ?", (sequence,)).fetchone()
        connection.execute(f"UPDATE entries SET {name} = ? WHERE sequence = ?", (change(value), sequence))


def stored(folder: Path, table: str, name: str, change: Callable[[Any], Any], where: str = "1") -> None:
    """Change one column of the first row of a table of the settlement's store."""
    with closing(sqlite3.connect(folder / "settlement.db")) as connection, connection:
        row, value = connection.execute(f"SELECT rowid, {name} FROM {table} WHERE {where} LIMIT 1").fetchone()
        connection.execute(f"UPDATE {table} SET {name} = ? WHERE rowid = ?", (change(value), row))


def execute(path: Path, statement: str) -> None:
    """Do one statement in a database."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def later_version(path: Path) -> None:
    """Have a database say that a later version of this product wrote it."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 9999")
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '%_version'").fetchall()
        for (table,) in tables:
            connection.execute(f"UPDATE {table} SET version_num = '9999'")


def overwrite(path: Path, at: int, change: Callable[[int], int]) -> None:
    """Change the byte at one place of a file; a place below zero counts from the end."""
    raw = bytearray(path.read_bytes())
    raw[at] = change(raw[at])
    path.write_bytes(raw)


def flip(raw: bytes) -> bytes:
    """The bytes with one bit of the last one changed."""
    return raw[:-1] + bytes([raw[-1] ^ 1])


def flip_hex(text: str) -> str:
    """The hex text with one bit of the last byte changed."""
    return text[:2] + flip(bytes.fromhex(text[2:])).hex()


def first(documents: list[Document], event: str, **fields: object) -> Document:
    """The first entry of this kind whose fields have these values; fields of an order are looked for inside it."""
    for document in documents:
        if document["event"] == event:
            inside = document | document.get("order", {}) | document.get("clearing", {})
            if all(inside[name] == value for name, value in fields.items()):
                return document
    raise AssertionError(f"no {event} with {fields}")
