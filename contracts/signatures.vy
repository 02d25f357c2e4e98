# pragma version 0.4.3
"""
@title Who made a signature
@license Apache-2.0
"""

# secp256k1's order, halved: of the two forms of a signature only the one with the lower s counts
MAX_S: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168


@internal
@pure
def _signer(digest: bytes32, signature: Bytes[65]) -> address:
    """
    @return Who signed, in the form r, s, v; nobody when the signature is not of that form with a low s.
    """
    if len(signature) != 65:
        return empty(address)
    s: uint256 = extract32(signature, 32, output_type=uint256)
    if s > MAX_S:
        return empty(address)
    return ecrecover(digest, convert(slice(signature, 64, 1), uint256), extract32(signature, 0, output_type=uint256), s)
