import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.script_json import MOST_DEPTH, read_script_json

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**14), 10**14) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_plain_json_is_read_as_json(value):
    assert read_script_json(json.dumps(value)) == value


@pytest.mark.parametrize("text", ["", "https://example.org", "NaN", "[Infinity]", "-Infinity", "{'a': 1}", "01", "1."])
def test_what_a_script_engine_refuses_is_refused(text):
    with pytest.raises(ValueError):
        read_script_json(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5", 1.5),
        ("9007199254740993", 9007199254740992),
        ("[1e400, -1e400]", [None, None]),
        ("9" * 5_000, None),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('"\\ud800"', "\ud800"),
    ],
)
def test_numbers_and_text_are_a_script_engines(text, value):
    assert read_script_json(text) == value


def test_nesting_is_bounded_wherever_the_reader_stands():
    deep = "[" * MOST_DEPTH + '"\\"[[["' + "]" * MOST_DEPTH
    read_script_json(deep)
    with pytest.raises(ValueError, match="nested deeper"):
        read_script_json(f"[{deep}]")
    with pytest.raises(ValueError, match="nested deeper"):
        read_script_json("[" * 100_000)
