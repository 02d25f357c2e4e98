"""Names of namespaces and roles, and their nodes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.errors import MalformedName
from identity.hashing import keccak
from identity.names import (
    ROOT,
    below,
    community_label,
    label_hash,
    labels_of,
    lineage,
    namehash,
    role_name,
    roles_name,
)

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("", "00" * 32),
        ("eth", "93cdeb708b7545dc668eb9280176169d1c33cfd8ed6f04690a0bcc88a93fc4ae"),
        ("foo.eth", "de9b09fd7c5f901e23a3f19fecc54828e9c848539801e86591bd9801b019f84f"),
        ("balancingprovider.roles.gsy.iam.ewc", "f767ba2e1ac9f92a612fe87ee6e420d7d5dcf26187ea41cee8a0182fec166a95"),
    ],
)
def test_the_node_of_a_name_is_the_one_that_others_compute(name, node):
    assert namehash(name).hex() == node


@given(st.lists(labels, min_size=1, max_size=4), labels)
def test_a_node_is_made_of_the_node_above_and_a_label(upper, label):
    name = ".".join(upper)
    assert namehash(f"{label}.{name}") == below(namehash(name), label) == keccak(namehash(name) + label_hash(label))


@pytest.mark.parametrize(
    "name", ["a", "0", "a-b", "a" * 63, "x.roles.sunny.merit", ".".join("abcdefghijkl")], ids=lambda name: name[:12]
)
def test_a_name_of_letters_digits_and_hyphens_is_one(name):
    assert ".".join(labels_of(name)) == name


@pytest.mark.parametrize(
    "name",
    ["", "A", "ä", "a b", "a_b", "-a", "a-", "a..b", ".a", "a.", "a" * 64, "a\0", "\u0430", ".".join("abcdefghijklm")],
)
def test_what_looks_like_a_name_and_is_none_is_refused(name):
    with pytest.raises(MalformedName) as refused:
        labels_of(name)
    assert refused.value.code == "malformed-name"


@pytest.mark.parametrize(
    ("name", "label"),
    [("Sunny Street", "sunny-street"), ("  7 Homes -- & a Farm!", "7-homes-a-farm"), ("Köln", "k-ln"), ("x", "x")],
)
def test_a_community_has_a_label_made_of_its_name(name, label):
    assert community_label(name) == label


@given(st.text(max_size=80))
def test_a_communitys_label_is_a_label_or_refused(name):
    try:
        label = community_label(name)
    except MalformedName:
        return
    assert labels_of(label) == (label,)
    assert community_label(label) == label, "making a label of a label changes nothing"


def test_a_community_without_letters_has_no_label():
    with pytest.raises(MalformedName):
        community_label("太陽")


def test_a_role_is_called_by_its_community():
    assert role_name("certifier", "sunny") == "certifier.roles.sunny.merit"
    assert lineage(roles_name("sunny")) == ("merit", "sunny.merit", "roles.sunny.merit")
    assert namehash(lineage("merit")[0]) == below(ROOT, "merit")
