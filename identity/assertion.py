"""Whose signature counts as an identity's: the keys that its DID document lists at a moment, for its word or itself."""

from collections.abc import Callable, Iterable

from coincurve import PublicKey

from identity.address import Address, parse_address
from identity.did import parse_did, to_did
from identity.document import Change, Json, document_at
from identity.facts import DelegateChanged
from identity.hashing import keccak

Changes = Callable[[Address], Iterable[Change]]
"""Every change of an identity in the DID registry, in the order of the chain."""

VERI_KEY = b"veriKey".ljust(32, b"\0")
"""The delegate type of a key that speaks as the identity."""


def assertion_signers(identity: Address, chain_id: int, changes: Changes, at: int) -> frozenset[Address]:
    """Return the addresses of the keys in the identity's `assertionMethod` at a moment; none once it is deactivated.

    A key that was the owner's before counts no more once the owner has changed.
    """
    return _listed("assertionMethod", identity, chain_id, changes, at)


def authentication_signers(identity: Address, chain_id: int, changes: Changes, at: int) -> frozenset[Address]:
    """Return the addresses of the keys in the identity's `authentication` at a moment: those that sign in as it.

    They are its owner's, and `sigAuth` delegates and keys; an identity that never said anything is its own owner.
    """
    return _listed("authentication", identity, chain_id, changes, at)


def speaks_as(agent: Address, identity: Address, changes: Changes, at: int) -> bool:
    """Return whether `agent` is a `veriKey` delegate of `identity` at a moment."""
    valid_to = 0
    for change in changes(identity):
        match change.fact:
            case DelegateChanged(kind=kind, delegate=delegate, at=since) if kind == VERI_KEY and delegate == agent:
                valid_to = change.fact.valid_to if since <= at else valid_to
    return valid_to > at


def _listed(purpose: str, identity: Address, chain_id: int, changes: Changes, at: int) -> frozenset[Address]:
    known = [change for change in changes(identity) if change.fact.at <= at]
    document = document_at(parse_did(to_did(chain_id, identity)), chain_id, known, now=at).document
    listed = set(document[purpose])
    found = (_address(method) for method in document["verificationMethod"] if method["id"] in listed)
    return frozenset(address for address in found if address is not None)


def _address(method: Json) -> Address | None:
    """Return the address of a secp256k1 method, however the document writes it; none for a key of another kind."""
    if "blockchainAccountId" in method:
        return parse_address(method["blockchainAccountId"].rpartition(":")[2])
    if "secp256k1" not in method["type"].lower() or "publicKeyHex" not in method:
        return None
    try:
        key = PublicKey(bytes.fromhex(method["publicKeyHex"]))
    except ValueError:  # the registry holds whatever an identity says of itself
        return None
    return Address(keccak(key.format(compressed=False)[1:])[12:])
