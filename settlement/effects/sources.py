"""The contracts whose logs make up the state: the settlement contract, and the registries it asks."""

from dataclasses import dataclass

from contracts.evm import Evm, LogEntry
from identity.address import Address


@dataclass(frozen=True, slots=True)
class Sources:
    """Four contracts on one chain, by their addresses; and the clearer's, where one was named."""

    evm: Evm
    settlement: Address
    did_registry: Address
    asset_registry: Address
    role_registry: Address
    clearer: Address | None = None

    def registry_at(self, address: bytes) -> str | None:
        """Return which registry stands at an address, by its contract's name; none at any other."""
        names = {
            self.did_registry: "DidRegistry",
            self.asset_registry: "AssetRegistry",
            self.role_registry: "RoleRegistry",
        }
        return names.get(Address(address))

    def logs(self, from_block: int, to_block: int) -> list[LogEntry]:
        """Return the entries of all of them in these blocks, both ends included, in the order of the chain.

        Each is asked for its own, so that what they answer may be of different chains where a block is replaced
        meanwhile: whoever reads compares the hashes of the blocks. Raises `EvmError`.
        """
        asked = (self.settlement, self.did_registry, self.asset_registry, self.role_registry, self.clearer)
        addresses = dict.fromkeys(address for address in asked if address is not None)
        entries = [entry for address in addresses for entry in self.evm.logs(address, from_block, to_block)]
        return sorted(entries, key=lambda entry: (entry.block_number, entry.index))
