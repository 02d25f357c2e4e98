"""JSON as strangers send it, read strictly: no name twice in an object, no fractions, bounded in size and depth.

Other readers take the last of two equal names, some the first: a document that holds two says different things to
different people, so it says nothing here.
"""

import json
from collections.abc import Callable
from typing import Any

_MOST_LETTERS = 1 << 20
_MOST_DEPTH = 32


class NotStrict(ValueError):
    """The text is no JSON of the kind that is read here."""


class NamedTwice(NotStrict):
    """An object of the text holds a name twice."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} stands twice in an object")
        self.name = name


def parse(text: str, read_fraction: Callable[[str], Any] | None = None, most_letters: int = _MOST_LETTERS) -> Any:
    """Return the value that `text` writes; raises `NotStrict`.

    `read_fraction` is given the text of every number with a point or an exponent; without it, such are refused.
    """
    if len(text) > most_letters:
        raise NotStrict(f"longer than {most_letters} letters")
    if _deeper(text, _MOST_DEPTH):  # the reader below would use up the stack, and the process with it
        raise NotStrict(f"nested deeper than {_MOST_DEPTH}")
    try:
        return json.loads(
            text,
            object_pairs_hook=_once,
            parse_float=read_fraction or _no_fraction,
            parse_int=_bounded,
            parse_constant=_no_fraction,
        )
    except NotStrict:
        raise
    except ValueError as error:
        raise NotStrict("not JSON") from error


def parse_object(text: str, most_letters: int = _MOST_LETTERS) -> dict[str, Any]:
    """Return the object that `text` writes; raises `NotStrict`."""
    value = parse(text, most_letters=most_letters)
    if not isinstance(value, dict):
        raise NotStrict("not an object")
    return value


def _deeper(text: str, most: int) -> bool:
    """Return whether brackets outside of strings are nested deeper than `most`."""
    if text.count("[") + text.count("{") <= most:
        return False
    depth = 0
    quoted = escaped = False
    for letter in text:
        if quoted:
            quoted = escaped or letter != '"'
            escaped = not escaped and letter == "\\"
        elif letter == '"':
            quoted = True
        elif letter in "[{":
            depth += 1
            if depth > most:
                return True
        elif letter in "]}":
            depth -= 1
    return False


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise NamedTwice(next(name for name in names if names.count(name) > 1))
    return found


def _no_fraction(text: str) -> Any:
    raise NotStrict(f"{text[:40]} is not a whole number")


def _bounded(text: str) -> int:
    if len(text) > 80:  # a word of the EVM has 78 digits
        raise NotStrict("a number is too long")
    return int(text)
