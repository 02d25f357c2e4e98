"""What a command prints: results on standard output, everything said along the way on standard error.

With `--json` the result is one JSON document; without it, a table for people.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

_WIDE = 200
_PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
"""Names and paths are printed as they are, whatever brackets they hold."""


class Output:
    """The two streams of one command."""

    def __init__(self, *, as_json: bool, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.err = Console(stderr=True, quiet=quiet, **_PLAIN)
        out = Console(**_PLAIN)
        # Where nobody looks at a screen, lines are as long as they need to be.
        self._out = out if out.is_terminal else Console(width=_WIDE, **_PLAIN)

    def say(self, text: str) -> None:
        """Tell people what is going on (standard error)."""
        self.err.print(text, soft_wrap=True)

    def result(self, document: dict[str, Any]) -> None:
        """Print the machine's result, if JSON is asked for."""
        if self.as_json:
            sys.stdout.write(json.dumps(document, indent=2, sort_keys=True) + "\n")

    def text(self, text: str) -> None:
        """Print a line of the people's result."""
        if not self.as_json:
            self._out.print(text, soft_wrap=True)

    def announce(self, url: str, chain_url: str) -> None:
        """Say where a running exchange is to be found."""
        self.say(f"exchange   {url}/v1/meta")
        self.say(f"try it     {url}/docs")
        self.say(f"chain      {chain_url}")
        self.say("Ctrl-C ends it")

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], totals: int = 0) -> None:
        """Print a table of the people's result: the first column is text, the others numbers; last rows are totals."""
        if self.as_json:
            return
        table = Table(title=title, title_justify="left", title_style="bold")
        for index, column in enumerate(columns):
            table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
        for number, row in enumerate(rows):
            if totals and number == len(rows) - totals:
                table.add_section()
            table.add_row(*row)
        self._out.print(table)
