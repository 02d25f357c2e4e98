"""Log lines for people, or for machines: one JSON object a line.

A line says what happened, never what was sent: no bodies, no signatures, no keys, and of a path only its route.
"""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The name of the request that is being answered, if one is."""


class JsonLines(logging.Formatter):
    """One JSON object a line: instant (UTC), level, logger, message, the request's name, and the record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        request = REQUEST_ID.get()
        if request is not None:
            line["request"] = request
        line |= getattr(record, "fields", {})
        if record.exc_info is not None:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """A line for people, with the request's name where there is one. Times are UTC."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line, and its trace below."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        request = REQUEST_ID.get()
        return f"{at} {super().format(record)}" + ("" if request is None else f" [{request}]")


def set_up(*, json_lines: bool, requests: bool) -> None:
    """Write log lines to standard error from now on, as text or as JSON; with `requests` one for every request."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if json_lines else TextLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("merit.http").setLevel(logging.INFO if requests else logging.WARNING)
