"""What an owner signs so that somebody else may create an asset for it (EIP-712)."""

from dataclasses import dataclass

from identity.address import Address
from identity.hashing import keccak
from identity.typed_data import Domain, address_word, digest, word

CREATION_TYPE = "Creation(address owner,uint256 number,uint256 deadline)"

_CREATION = keccak(CREATION_TYPE.encode())


@dataclass(frozen=True, slots=True)
class Creation:
    """`owner` wants its next asset; to be sent until `deadline` (unix seconds, inclusive).

    `number` is how many assets were created for the owner before, so the signature serves once.
    """

    owner: Address
    number: int
    deadline: int

    def digest(self, domain: Domain) -> bytes:
        """Return what the owner signs under the asset registry's domain."""
        struct = keccak(_CREATION + address_word(self.owner) + word(self.number) + word(self.deadline))
        return digest(domain.separator(), struct)


def creation_domain(chain_id: int, asset_registry: Address) -> Domain:
    """Return the domain of the asset registry."""
    return Domain(chain_id, asset_registry, "Merit Asset Registry", "1")
