"""What an entry in the log of a registry says, as a fact.

An entry nobody knows is an error: it might say who may act. Events that repeat what another event says are passed over
by name.
"""

from collections.abc import Callable, Mapping
from typing import Any

from contracts.abi import abi_of
from contracts.evm import LogEntry
from identity.address import Address
from identity.errors import IdentityRefused
from identity.facts import (
    AssetCreated,
    AssetFact,
    AssetOffered,
    AssetRetired,
    AssetTransferred,
    AttributeChanged,
    ClaimRegistered,
    ClaimRevoked,
    DelegateChanged,
    DidFact,
    IdentityFact,
    NamespaceOwned,
    OfferWithdrawn,
    OwnerChanged,
    RoleDefined,
    RoleFact,
)
from identity.hashing import keccak

PASSED_OVER = frozenset({"IdentityOffered", "RoleRegistered"})
"""What `AssetOffered` and `ClaimRegistered` say more fully; logged for readers that know Energy Web's events."""

Fields = Mapping[str, Any]


class UnknownRegistryEvent(IdentityRefused):
    """A registry logged what its interface does not list: it is not the contract it is taken for."""

    code = "unknown-registry-event"

    def __init__(self, registry: str, tx_hash: bytes, log_index: int) -> None:
        super().__init__(f"log entry {log_index} of transaction 0x{tx_hash.hex()} is no event of {registry}")
        self.registry = registry
        self.tx_hash = tx_hash
        self.log_index = log_index


def decode(registry: str, entry: LogEntry, *, block_time: int) -> IdentityFact | None:
    """Return the fact in a log entry of the contract called `registry`, or None where it is passed over.

    `block_time` is the timestamp of the entry's block. Raises `UnknownRegistryEvent`.
    """
    event = abi_of(registry).event(entry.topics, entry.data)
    if event is None:
        raise UnknownRegistryEvent(registry, entry.tx_hash, entry.index)
    name, fields = event
    return None if name in PASSED_OVER else _READERS[registry](name, fields, block_time)


def _did_fact(name: str, fields: Fields, at: int) -> DidFact:
    identity = Address(fields["identity"])
    match name:
        case "DIDOwnerChanged":
            return OwnerChanged(identity, Address(fields["owner"]), at)
        case "DIDDelegateChanged":
            kind, delegate = fields["delegateType"], Address(fields["delegate"])
            return DelegateChanged(identity, kind, delegate, fields["validTo"], at)
        case _:
            assert name == "DIDAttributeChanged", f"the registry logs {name}, and nobody here reads it"
            return AttributeChanged(identity, fields["name"], fields["value"], fields["validTo"], at)


def _asset_fact(name: str, fields: Fields, at: int) -> AssetFact:
    identity = Address(fields["identity"])
    match name:
        case "IdentityCreated":
            return AssetCreated(identity, Address(fields["owner"]), at)
        case "AssetOffered":
            return AssetOffered(identity, Address(fields["owner"]), Address(fields["to"]), fields["until"], at)
        case "IdentityOfferRejected" | "IdentityOfferCanceled":
            return OfferWithdrawn(identity, name == "IdentityOfferRejected", at)
        case "IdentityTransferred":
            return AssetTransferred(identity, Address(fields["owner"]), at)
        case _:
            assert name == "AssetRetired", f"the registry logs {name}, and nobody here reads it"
            return AssetRetired(identity, at)


def _role_fact(name: str, fields: Fields, at: int) -> RoleFact:
    match name:
        case "NewOwner":  # the event names the parent, and the hash of the label below it
            return NamespaceOwned(keccak(fields["node"] + fields["label"]), Address(fields["owner"]), at)
        case "Transfer":
            return NamespaceOwned(fields["node"], Address(fields["owner"]), at)
        case "RoleDefined":
            return RoleDefined(
                node=fields["node"],
                name=fields["name"],
                version=fields["version"],
                issuers=tuple(map(Address, fields["issuers"])),
                issuer_role=fields["issuer_role"],
                revokers=tuple(map(Address, fields["revokers"])),
                revoker_role=fields["revoker_role"],
                prerequisites=tuple(fields["prerequisites"]),
                all_prerequisites=fields["all_prerequisites"],
                most_seconds=fields["most_seconds"],
                ends_at_sale=fields["ends_at_sale"],
                metadata=fields["metadata"],
                at=at,
            )
        case "ClaimRegistered":
            return ClaimRegistered(
                subject=Address(fields["subject"]),
                role=fields["role"],
                version=fields["version"],
                expiry=fields["expiry"],
                issuer=Address(fields["issuer"]),
                data=fields["data"],
                epoch=fields["epoch"],
                at=at,
            )
        case _:
            assert name == "Revoked", f"the registry logs {name}, and nobody here reads it"
            return ClaimRevoked(Address(fields["subject"]), fields["role"], Address(fields["revoker"]), at)


_READERS: Mapping[str, Callable[[str, Fields, int], IdentityFact | None]] = {
    "DidRegistry": _did_fact,
    "AssetRegistry": _asset_fact,
    "RoleRegistry": _role_fact,
}
