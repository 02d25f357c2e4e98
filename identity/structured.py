"""EIP-712 for documents: structs of texts, lists of texts and further structs, with their types beside them.

`typed_data.py` hashes the house's own messages, which are words only; credentials are text. A property that the types
do not name would stand outside the signature, so a message must have exactly the properties its types name, of exactly
those types. Tests hold the hash against eth-account. https://eips.ethereum.org/EIPS/eip-712
"""

from collections.abc import Iterable, Mapping
from typing import Any

from identity.errors import MalformedCredential
from identity.hashing import keccak

Types = Mapping[str, tuple[tuple[str, str], ...]]
"""Struct name → its members in order, each a name and a type: `string`, a struct's name, or either with `[]`."""

EMPTY_DOMAIN = keccak(keccak(b"EIP712Domain()"))
"""The separator of the domain that binds to nothing: what credentials are signed under."""


def struct_hash(types: Types, primary: str, message: object) -> bytes:
    """Return the EIP-712 hash of `message` as a `primary`; refuses a message that its types do not cover exactly."""
    return _struct_hash(types, primary, message, primary)


def describe(types: Types, primary: str) -> str:
    """Return the text that names `primary` and, sorted, every struct it refers to."""
    needed = sorted(_needed(types, primary) - {primary})
    return "".join(
        f"{name}({','.join(f'{kind} {member}' for member, kind in types[name])})" for name in (primary, *needed)
    )


def schema(types: Types) -> dict[str, list[dict[str, str]]]:
    """Return the types as documents carry them: with the empty domain's, each member an object."""
    listed = {name: [{"name": member, "type": kind} for member, kind in members] for name, members in types.items()}
    return {"EIP712Domain": [], **listed}


def _struct_hash(types: Types, struct: str, value: object, where: str) -> bytes:
    members = types[struct]
    if not isinstance(value, dict):
        raise MalformedCredential(where, "not an object")
    exactly(value, (name for name, _ in members), where)
    parts = [_member_hash(types, kind, value[name], f"{where}.{name}") for name, kind in members]
    return keccak(keccak(describe(types, struct).encode()) + b"".join(parts))


def exactly(value: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    """Refuse an object that lacks one of `names`, or has a property besides."""
    wanted = set(names)
    if lacking := sorted(wanted - value.keys()):
        raise MalformedCredential(where, f"lacks {', '.join(lacking)}")
    if surplus := sorted(value.keys() - wanted):
        raise MalformedCredential(where, f"has a property that it must not have: {', '.join(surplus)}")


def _member_hash(types: Types, kind: str, value: object, where: str) -> bytes:
    if kind.endswith("[]"):
        if not isinstance(value, list):
            raise MalformedCredential(where, "not a list")
        hashes = (_member_hash(types, kind[:-2], item, f"{where}[{place}]") for place, item in enumerate(value))
        return keccak(b"".join(hashes))
    if kind == "string":
        return keccak(utf8(value, where))
    return _struct_hash(types, kind, value, where)


def utf8(value: object, where: str) -> bytes:
    """Return the bytes of a text; refuses what is no text, and half of a surrogate pair, which has no bytes."""
    if not isinstance(value, str):
        raise MalformedCredential(where, "not a text")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise MalformedCredential(where, "no Unicode text") from error


def _needed(types: Types, struct: str) -> set[str]:
    needed, open_ = {struct}, [struct]
    while open_:
        for _, kind in types[open_.pop()]:
            name = kind.removesuffix("[]")
            if name in types and name not in needed:
                needed.add(name)
                open_.append(name)
    return needed
