"""`merit export`: the published books as files."""

import json
import shutil
from pathlib import Path

from app.auditing import BOOKS, gather
from app.founding import ExchangeFileUnusable
from app.output import Output
from app.wiring import Places


def run(data: Path, to: Path, *, as_json: bool) -> None:
    """Write every cleared session's book to `to`, with `exchange.json` and the recording of a local chain.

    Members' names stay at home: an export names accounts and addresses only.
    """
    output = Output(as_json=as_json)
    evidence = gather(data)
    if to.exists() and any(to.iterdir()):
        raise ExchangeFileUnusable(f"{to} is not empty")
    books = to / BOOKS
    books.mkdir(parents=True, exist_ok=True)
    for book in evidence.books:
        text = json.dumps(book.to_document(), sort_keys=True, indent=1)
        (books / f"{book.key}.json").write_text(text + "\n")
    anonymous = json.loads(Places(data).exchange.read_text()) | {"members": []}
    Places(to).exchange.write_text(json.dumps(anonymous, indent=2, sort_keys=True) + "\n")
    if Places(data).chain.exists():
        shutil.copyfile(Places(data).chain, Places(to).chain)
    output.result({"books": len(evidence.books), "to": str(to)})
    output.text(f"{len(evidence.books)} books in {books}: try `merit audit {to}`")
