# pragma version 0.4.3
"""
@title The digest of an order, and who signed it
@license Apache-2.0
@notice Orders are EIP-712 typed data; signatures have the 64-byte form of EIP-2098 with a low s.
"""

DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
ORDER_TYPE: constant(bytes32) = keccak256(
    "Order(address asset,uint32 market,uint8 product,uint8 side,uint40 deliveryStart,uint48 energyWh,int48 limitMicroPerKwh,bytes32 preferences,uint40 validUntil,uint64 salt)"
)
# secp256k1's order less one: of the two forms of a signature, s and its negative, only the lower counts
MAX_TWICE_S: constant(uint256) = 115792089237316195423570985008687907852837564279074904382605163141518161494336

DEPLOYED_ON: immutable(uint256)
DOMAIN: immutable(bytes32)


@deploy
def __init__():
    DEPLOYED_ON = chain.id
    DOMAIN = keccak256(abi_encode(DOMAIN_TYPE, keccak256("Merit"), keccak256("1"), chain.id, self))


@external
@view
def domain_separator() -> bytes32:
    return self._domain()


@external
@view
def digest_of(
    identity: address,
    market: uint32,
    product: uint8,
    side: uint8,
    delivery_start: uint40,
    energy_wh: uint48,
    limit: int48,
    preferences: bytes32,
    valid_until: uint40,
    salt: uint64,
) -> bytes32:
    """
    @return What the trader signs. `limit` is in micro per kWh; a bid has side 0, an offer side 1.
    """
    return self._digest(
        self._domain(),
        convert(identity, uint256),
        convert(market, uint256),
        convert(product, uint256),
        convert(side, uint256),
        convert(delivery_start, uint256),
        convert(energy_wh, uint256),
        convert(limit, int256),
        preferences,
        convert(valid_until, uint256),
        convert(salt, uint256),
    )


@internal
@view
def _domain() -> bytes32:
    """
    @dev After a fork of the chain the new chain has its own domain, and orders signed for the old one die there.
    """
    if chain.id == DEPLOYED_ON:
        return DOMAIN
    return keccak256(abi_encode(DOMAIN_TYPE, keccak256("Merit"), keccak256("1"), chain.id, self))


@internal
@pure
def _digest(
    domain: bytes32,
    identity: uint256,
    market: uint256,
    product: uint256,
    side: uint256,
    delivery_start: uint256,
    energy_wh: uint256,
    limit: int256,
    preferences: bytes32,
    valid_until: uint256,
    salt: uint256,
) -> bytes32:
    return keccak256(
        concat(
            b"\x19\x01",
            domain,
            keccak256(
                abi_encode(
                    ORDER_TYPE,
                    identity,
                    market,
                    product,
                    side,
                    delivery_start,
                    energy_wh,
                    limit,
                    preferences,
                    valid_until,
                    salt,
                )
            ),
        )
    )
