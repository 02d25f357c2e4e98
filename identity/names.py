"""Names of namespaces and roles, and the 32-byte nodes they are known by on the chain (EIP-137).

A role of a community is called `<role>.roles.<community>.merit`. A label is of lower-case letters, digits and hyphens,
begins and ends with a letter or digit, and has at most 63 letters: nothing is folded or normalised, so two names that
look alike are the same or refused. https://eips.ethereum.org/EIPS/eip-137
"""

from identity.errors import MalformedName
from identity.hashing import keccak

ROOT = bytes(32)
"""The node of the empty name, above every namespace."""

TOP = "merit"
"""The last label of every name of this house."""

ROLES = "roles"
"""The label of the namespace that a community keeps its roles in."""

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_MOST_LETTERS = 63
_MOST_LABELS = 12


def check_label(label: str) -> str:
    """Return `label`; refuses what is no label."""
    if not 0 < len(label) <= _MOST_LETTERS:
        raise MalformedName(label, f"a label has 1 to {_MOST_LETTERS} letters")
    if not set(label) <= _LETTERS | {"-"}:
        raise MalformedName(label, "a label is of lower-case letters, digits and hyphens")
    if label[0] == "-" or label[-1] == "-":
        raise MalformedName(label, "a label begins and ends with a letter or digit")
    return label


def labels_of(name: str) -> tuple[str, ...]:
    """Return the labels of `name`, the nearest first; refuses what is no name."""
    labels = tuple(name.split("."))
    if len(labels) > _MOST_LABELS:
        raise MalformedName(name, f"a name has at most {_MOST_LABELS} labels")
    for label in labels:
        check_label(label)
    return labels


def label_hash(label: str) -> bytes:
    """Return the hash that a label enters its node with."""
    return keccak(check_label(label).encode())


def below(node: bytes, label: str) -> bytes:
    """Return the node that `label` has below `node`."""
    return keccak(node + label_hash(label))


def namehash(name: str) -> bytes:
    """Return the node of `name`; the empty name has the root's."""
    node = ROOT
    for label in reversed(labels_of(name)) if name else ():
        node = below(node, label)
    return node


def community_label(name: str) -> str:
    """Return the label of the community called `name`: `Sunny Street 7` is `sunny-street-7`.

    Letters become lower case, and whatever is neither letter nor digit of ASCII becomes one hyphen.
    """
    plain = "".join(letter if letter in _LETTERS else " " for letter in name.lower())
    label = "-".join(plain.split())
    if not 0 < len(label) <= _MOST_LETTERS:
        raise MalformedName(name, f"its letters a-z and digits do not make a label of 1 to {_MOST_LETTERS}")
    return label


def community_name(label: str) -> str:
    """Return the name of the namespace of the community with this label."""
    return f"{check_label(label)}.{TOP}"


def roles_name(label: str) -> str:
    """Return the name of the namespace that this community keeps its roles in."""
    return f"{ROLES}.{community_name(label)}"


def role_name(role: str, label: str) -> str:
    """Return the full name of a role of the community with this label."""
    return f"{check_label(role)}.{roles_name(label)}"


def lineage(name: str) -> tuple[str, ...]:
    """Return `name` and every name above it but the root, the highest first: the order in which they are created."""
    labels = labels_of(name)
    return tuple(".".join(labels[start:]) for start in reversed(range(len(labels))))
