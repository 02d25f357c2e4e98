"""Writes the committed document of the HTTP interface, or compares it with the routes as they are.

python -m app.interface            writes docs/openapi.json
python -m app.interface --check    names every difference; exit 1 where there is one
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from app.demo import prepare
from app.example_communities import street_file
from app.openapi import COMMITTED, Document, breaks, differences, text_of


def current() -> Document:
    """Return the document of a whole exchange, which is founded in a folder of its own for this."""
    with TemporaryDirectory() as folder, prepare(street_file(), Path(folder) / "street")[0] as demo:
        return demo.app.openapi()


def main(arguments: Sequence[str]) -> int:
    """Write the document, or with `--check` compare it: 0 where it is as committed."""
    now = current()
    if "--check" not in arguments:
        COMMITTED.write_text(text_of(now))
        return 0
    before = json.loads(COMMITTED.read_text())
    broken, different = list(breaks(before, now)), list(differences(before, now))
    for line in [*(f"breaks clients: {each}" for each in broken), *different[:50]]:
        print(line, file=sys.stderr)  # noqa: T201  # what a command says
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
