"""Facts as JSON text, and back: the form in which the store keeps them.

A fact's fields are whole numbers, truth values, text and bytes, and rows of bytes; bytes are `0x` and hex. The fact's
class is its kind.
"""

import json
from dataclasses import fields
from functools import cache
from typing import Any, get_args, get_type_hints

from settlement.facts import Fact

_CLASSES: dict[str, Any] = {kind.__name__: kind for kind in get_args(Fact)}


def kind_of(fact: Fact) -> str:
    """Return the name of the fact's class."""
    return type(fact).__name__


def to_json(fact: Fact) -> str:
    """Return the fields of a fact as one JSON object."""
    return json.dumps({each.name: _written(getattr(fact, each.name)) for each in fields(fact)}, separators=(",", ":"))


def from_json(kind: str, text: str) -> Fact:
    """Read what `to_json` wrote of a fact of this kind."""
    texts = _texts(kind)
    plain = {name: value if name in texts else _read(value) for name, value in json.loads(text).items()}
    fact: Fact = _CLASSES[kind](**plain)
    return fact


def _written(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_written(each) for each in value]
    return "0x" + value.hex() if isinstance(value, bytes) else value


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_read(each) for each in value)
    return bytes.fromhex(value[2:]) if isinstance(value, str) else value


@cache
def _texts(kind: str) -> frozenset[str]:
    """Return the fields of a kind of fact that are text, not bytes."""
    return frozenset(name for name, hint in get_type_hints(_CLASSES[kind]).items() if hint is str)
