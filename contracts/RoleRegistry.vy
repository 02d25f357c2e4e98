# pragma version 0.4.3
# pragma evm-version london
"""
@title Merit's role registry
@license Apache-2.0
@notice Names, the roles that are defined in them, and who holds these. One contract stands for Energy Web's name registry, role
    resolver, claim manager and revocation registry, and is read as each of them is.
"""

from . import claims
from . import holders
from . import namespaces
from . import speakers

initializes: namespaces
initializes: speakers
initializes: holders[namespaces := namespaces, speakers := speakers]
initializes: claims[holders := holders, namespaces := namespaces, speakers := speakers]

exports: (
    namespaces.owner,
    namespaces.resolver,
    namespaces.setOwner,
    namespaces.setSubnodeOwner,
    namespaces.define_role,
    namespaces.name,
    namespaces.terms,
    namespaces.versionNumber,
    namespaces.issuers,
    namespaces.issuerType,
    namespaces.revokers,
    namespaces.revokerType,
    namespaces.prerequisiteRoles,
    speakers.did_registry,
    speakers.asset_registry,
    claims.register,
    claims.registerWithData,
    claims.revoke,
    claims.revokeAs,
    claims.revokeSigned,
    holders.hasRole,
    holders.hasRoleAt,
    holders.held_until,
    holders.claim,
    holders.claim_at,
    holders.claim_count,
    holders.isRevoked,
    holders.getRevocationDetail,
    claims.proofHashes,
    claims.agreementHashes,
    claims.PROOF_TYPEHASH,
    claims.domain_separator,
)

# ERC-165 itself, and the readers of a role: each interface is one function, so its id is that function's selector
INTERFACES: constant(bytes4[8]) = [
    0x01ffc9a7,
    0x338bc8fa,
    0xc53a4413,
    0xc585f697,
    0x74d3013a,
    0xec7adf27,
    0xc986c404,
    0x691f3431,
]


@deploy
def __init__(did_registry: address, asset_registry: address, root_owner: address):
    """
    @param did_registry Says who controls an identity.
    @param asset_registry Says who owns an asset.
    @param root_owner Who owns the root of all names.
    """
    namespaces.__init__(root_owner)
    speakers.__init__(did_registry, asset_registry)


@external
@pure
def supportsInterface(interfaceID: bytes4) -> bool:
    """
    @return Whether this contract shows the interface (ERC-165).
    """
    return interfaceID in INTERFACES
