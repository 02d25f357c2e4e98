"""Every document that differs from a given one in one place: a digit, a letter, an item, a field."""

import copy
import re
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]


def mutations(document: Any) -> Iterator[tuple[Path, Any]]:
    """Yield, with the place of the change, copies of `document` that were changed in one place."""
    for path, value in _places(document):
        for other in _others(value):
            yield path, _with(document, path, other)
        if path and value is not None:
            yield path, _with(document, path, None)


def _places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _places(item, (*path, name))
    elif isinstance(value, list):
        if path:
            yield path, value
        for index, item in enumerate(value):
            yield from _places(item, (*path, index))
    else:
        yield path, value


def _others(value: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
        yield value - 1
        yield -value - 1
    elif isinstance(value, str) and re.fullmatch("0x[0-9a-fA-F]*", value):
        if value == "0x":
            yield "0x" + "11" * 32
            return
        for at in {2, len(value) // 2, len(value) - 1}:
            yield value[:at] + ("1" if value[at] == "0" else "0") + value[at + 1 :]
        yield value[:-2]
        yield value + "00"
    elif isinstance(value, str):
        yield value + "x"
        yield ""
    elif isinstance(value, list) and value:
        yield value[1:]
        yield [*value, value[0]]
        yield value[::-1] if value[::-1] != value else []


def _with(document: Any, path: Path, value: Any) -> Any:
    changed = copy.deepcopy(document)
    if not path:
        return value
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed
