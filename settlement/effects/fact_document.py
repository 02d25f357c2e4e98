"""Facts as JSON text, and back: the form in which the store keeps them.

A fact's fields are whole numbers, truth values and bytes; bytes are `0x` and hex. The fact's class is its kind.
"""

import json
from dataclasses import asdict
from typing import Any, get_args

from settlement.facts import Fact

_CLASSES: dict[str, Any] = {kind.__name__: kind for kind in get_args(Fact)}


def kind_of(fact: Fact) -> str:
    """Return the name of the fact's class."""
    return type(fact).__name__


def to_json(fact: Fact) -> str:
    """Return the fields of a fact as one JSON object."""
    fields = {name: "0x" + value.hex() if isinstance(value, bytes) else value for name, value in asdict(fact).items()}
    return json.dumps(fields, separators=(",", ":"))


def from_json(kind: str, text: str) -> Fact:
    """Read what `to_json` wrote of a fact of this kind."""
    fields = json.loads(text)
    plain = {name: bytes.fromhex(value[2:]) if isinstance(value, str) else value for name, value in fields.items()}
    fact: Fact = _CLASSES[kind](**plain)
    return fact
