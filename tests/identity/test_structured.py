"""EIP-712 over documents: equal to eth-account, and closed: what the types do not name is refused."""

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.errors import MalformedCredential
from identity.structured import EMPTY_DOMAIN, describe, schema, struct_hash

TYPES = {
    "Letter": (("to", "Person[]"), ("from", "Person"), ("lines", "string[]"), ("@subject", "string")),
    "Person": (("name", "string"), ("home", "Home")),
    "Home": (("street", "string"),),
}
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
people = st.fixed_dictionaries({"name": words, "home": st.fixed_dictionaries({"street": words})})
letters = st.fixed_dictionaries(
    {"to": st.lists(people, max_size=3), "from": people, "lines": st.lists(words, max_size=3), "@subject": words}
)
SOMEBODY = {"name": "a", "home": {"street": "b"}}
LETTER = {"to": [SOMEBODY], "from": SOMEBODY, "lines": ["c"], "@subject": "d"}


@settings(max_examples=40)
@given(letters)
def test_a_document_is_hashed_as_eth_account_does(letter):
    full = {"types": schema(TYPES), "domain": {}, "primaryType": "Letter", "message": letter}
    signable = encode_typed_data(full_message=full)
    assert (EMPTY_DOMAIN, struct_hash(TYPES, "Letter", letter)) == (signable.header, signable.body)


def test_structs_that_are_referred_to_follow_in_alphabetical_order():
    assert describe(TYPES, "Letter") == (
        "Letter(Person[] to,Person from,string[] lines,string @subject)Home(string street)Person(string name,Home home)"
    )


def test_the_letter_itself_has_a_hash():
    assert len(struct_hash(TYPES, "Letter", LETTER)) == 32


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("Letter", {"postscript": "e"}),
        ("Letter.from", {"from": SOMEBODY | {"age": "7"}}),
        ("Letter.to[0].home", {"to": [{"name": "a", "home": {"street": "b", "number": "1"}}]}),
        ("Letter.to[0]", {"to": [{"name": "a"}]}),
        ("Letter.lines", {"lines": "c"}),
        ("Letter.lines[0]", {"lines": [1]}),
        ("Letter.@subject", {"@subject": None}),
        ("Letter.@subject", {"@subject": "\ud800"}),
        ("Letter.from", {"from": [SOMEBODY]}),
    ],
)
def test_a_property_that_the_types_do_not_cover_exactly_is_refused(where, change):
    with pytest.raises(MalformedCredential) as refused:
        struct_hash(TYPES, "Letter", LETTER | change)
    assert refused.value.where == where


@pytest.mark.parametrize("missing", LETTER)
def test_a_property_that_is_missing_is_refused(missing):
    with pytest.raises(MalformedCredential, match=f"lacks {missing}"):
        struct_hash(TYPES, "Letter", {name: value for name, value in LETTER.items() if name != missing})
