"""JSON read strictly: one meaning or none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.strict_json import NamedTwice, NotStrict, parse, parse_object

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 255), 1 << 255) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_what_is_written_is_read(value):
    assert parse(json.dumps(value)) == value


@pytest.mark.parametrize("text", ["1.0", "1e2", "NaN", "-Infinity", "{", "", "1" * 81, " " * 20 + "x"])
def test_what_is_no_strict_json_is_refused(text):
    with pytest.raises(NotStrict):
        parse(text)


@pytest.mark.parametrize("deep", ["[" * 32 + "]" * 32, '{"a":' * 31 + "{}" + "}" * 31, '["' + "[" * 500 + '"]'])
def test_nesting_up_to_a_bound_is_read(deep):
    assert parse(deep) is not None


@pytest.mark.parametrize(
    "deep", ["[" * 33 + "]" * 33, '{"a":' * 33 + "1" + "}" * 33, "[" * 500_000, '["\\"[",' + "[" * 40]
)
def test_nesting_beyond_it_is_refused_and_does_not_take_the_process_along(deep):
    with pytest.raises(NotStrict, match="nested deeper"):
        parse(deep)


def test_a_name_that_stands_twice_is_named():
    assert parse('{"a": {"b": 1}, "b": 2}') == {"a": {"b": 1}, "b": 2}
    with pytest.raises(NamedTwice) as refused:
        parse('{"a": {"b": 1, "b": 1}}')
    assert refused.value.name == "b"


def test_fractions_are_read_by_whoever_wants_them_exactly():
    assert parse("[1.10, 2]", read_fraction=str) == ["1.10", 2]


def test_a_list_is_no_object():
    assert parse_object("{}") == {}
    with pytest.raises(NotStrict, match="not an object"):
        parse_object("[]")


def test_a_text_that_is_too_long_is_not_looked_at():
    assert parse("[1, 2]", most_letters=6) == [1, 2]
    with pytest.raises(NotStrict, match="longer than 5"):
        parse("[1, 2]", most_letters=5)
