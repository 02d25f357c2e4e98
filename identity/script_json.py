"""JSON as a JavaScript engine reads it, for what other people's resolvers read with `JSON.parse`.

Python's reader takes `NaN`, keeps whole numbers of any length and goes astray in deep nesting. A JavaScript engine
refuses the first, and knows numbers as doubles only; these numbers are a stranger's text, and no quantity of ours.
"""

import json
from typing import Any

MOST_DEPTH = 64
"""Text nested deeper is not read as JSON. Engines read deeper, and what carries their answers often does not."""

_EXACT_DIGITS = 15  # up to here every whole number is a double


def read_script_json(text: str) -> Any:
    """Return the value that `text` stands for; ValueError where it is no JSON, or too deep."""
    if _depth(text) > MOST_DEPTH:
        raise ValueError(f"nested deeper than {MOST_DEPTH}")
    return json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_refuse)


def _depth(text: str) -> int:
    """Return how deep the brackets outside of strings are nested."""
    depth = most = 0
    quoted = escaped = False
    for letter in text:
        if quoted:
            quoted = escaped or letter != '"'
            escaped = not escaped and letter == "\\"
        elif letter == '"':
            quoted = True
        elif letter in "[{":
            depth += 1
            most = max(most, depth)
        elif letter in "]}":
            depth -= 1
    return most


def _whole(digits: str) -> Any:
    return int(digits) if len(digits) <= _EXACT_DIGITS else _finite(digits + "e0")


def _finite(digits: str) -> Any:
    """Return the double; none where there is none so large, since an engine then writes null."""
    number = json.loads(digits)
    return number if number - number == 0 else None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
