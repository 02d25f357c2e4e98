"""The asset registry at one address of one chain: what it and the assets can be told, and what it can be asked.

The first part builds calldata for the registry, the second for an asset's own contract; both touch nothing, and whoever
holds the right key sends them. The third part asks the chain; `block` asks for the state after that block, the newest
if None.
"""

from dataclasses import dataclass

from contracts.abi import abi_of
from contracts.evm import Evm
from identity.address import Address


def create(owner: Address) -> bytes:
    """Create an asset for oneself."""
    return _tell("createIdentity", owner)


def create_signed(owner: Address, deadline: int, signature: bytes) -> bytes:
    """Create an asset for an owner who signed a `Creation`, with a 65-byte signature; anybody may."""
    return _tell("createIdentitySigned", owner, deadline, signature)


def offer(asset: Address, to: Address, until: int = 0) -> bytes:
    """Offer an asset up to the second `until` (0: no end), as its owner."""
    return _tell("offer", asset, to, until)


def accept(asset: Address) -> bytes:
    """Take over an asset that is offered to the sender."""
    return _tell("accept", asset)


def reject(asset: Address) -> bytes:
    """Decline an asset that is offered to the sender."""
    return _tell("reject", asset)


def cancel(asset: Address) -> bytes:
    """Take an offer back, as the owner."""
    return _tell("cancel", asset)


def retire(asset: Address) -> bytes:
    """End an asset for ever, as its owner."""
    return _tell("retire", asset)


def delegate(purpose: bytes, agent: Address, validity_seconds: int) -> bytes:
    """Tell an asset: let `agent` act for it, for this purpose and ownership, as the owner."""
    return _tell_asset("delegate", purpose, agent, validity_seconds)


def dismiss(purpose: bytes, agent: Address) -> bytes:
    """Tell an asset: end a delegation of this ownership now, as the owner."""
    return _tell_asset("dismiss", purpose, agent)


def add_device_key(key: Address, validity_seconds: int) -> bytes:
    """Tell an asset: `key` vouches for what it measures, as the owner."""
    return _tell_asset("addDeviceKey", key, validity_seconds)


def revoke_device_key(key: Address) -> bytes:
    """Tell an asset: from now on `key` vouches for nothing, as the owner."""
    return _tell_asset("revokeDeviceKey", key)


def describe(name: bytes, content: bytes, validity_seconds: int) -> bytes:
    """Tell an asset: say `content` under a 32-byte name in its DID record, as the owner."""
    return _tell_asset("describe", name, content, validity_seconds)


def retract(name: bytes, content: bytes) -> bytes:
    """Tell an asset: take back what was said, as the owner."""
    return _tell_asset("retract", name, content)


@dataclass(frozen=True, slots=True)
class Tenure:
    """Who owns an asset, in which ownership epoch, since when. The owner is the zero address once it is retired."""

    owner: Address
    epoch: int
    since: int


class AssetRegistry:
    """The asset registry at `address`. Every question may raise an `EvmError` or `NoSuchContract`."""

    def __init__(self, evm: Evm, address: Address) -> None:
        self.evm = evm
        self.address = address

    def tenure(self, asset: Address, block: int | None = None) -> Tenure | None:
        """Return who owns an asset; None where there is no such asset."""
        owner, epoch, since = abi_of("AssetRegistry").ask(self.evm, self.address, "tenure", asset, block=block)
        return Tenure(Address(owner), epoch, since) if epoch else None

    def offer_of(self, asset: Address, block: int | None = None) -> tuple[Address, int] | None:
        """Return whom an asset is offered to, and until when (0: no end); None where it is not, or no longer."""
        to, until = abi_of("AssetRegistry").ask(self.evm, self.address, "offer_of", asset, block=block)
        return (Address(to), until) if any(to) else None

    def created(self, owner: Address, block: int | None = None) -> int:
        """Return how many assets were created for an owner."""
        count: int = abi_of("AssetRegistry").ask(self.evm, self.address, "created", owner, block=block)[0]
        return count


def _tell(name: str, *arguments: object) -> bytes:
    return abi_of("AssetRegistry").calldata(name, *arguments)


def _tell_asset(name: str, *arguments: object) -> bytes:
    return abi_of("AssetIdentity").calldata(name, *arguments)
