# pragma version 0.4.3
# pragma evm-version london
"""
@title The DID registry: who controls an identity, and who may act for it (ERC-1056)
@license Apache-2.0
@notice Every address is an identity, and its own owner until it names another. An owner names delegates and says attributes of
    its identity, itself or by a signed message that anybody may bring. Functions, events and what is signed are those of
    ERC-1056 to the byte, so every resolver and controller of did:ethr reads and writes this registry.
@dev Three things differ from the published contract, and none from the standard: a signature that is nobody's is refused, so
    nobody writes for identity zero; an attribute's value has a bound, which keeps every write below 123,456 gas; and the
    reasons are this house's.
    As published, an owner of zero makes the identity its own owner again. Resolvers call it deactivated from then on.
"""

MAX_VALUE: constant(uint256) = 1024  # bytes of an attribute

owners: public(HashMap[address, address])
# identity -> keccak256 of the delegate type -> delegate -> the second from which it is none any more
delegates: public(HashMap[address, HashMap[bytes32, HashMap[address, uint256]]])
# identity -> block of its last change
changed: public(HashMap[address, uint256])
# signer -> how many of its signatures were used, for whichever of its identities
nonce: public(HashMap[address, uint256])


event DIDOwnerChanged:
    identity: indexed(address)
    owner: address
    previousChange: uint256


event DIDDelegateChanged:
    identity: indexed(address)
    delegateType: bytes32
    delegate: address
    validTo: uint256
    previousChange: uint256


event DIDAttributeChanged:
    identity: indexed(address)
    name: bytes32
    value: Bytes[MAX_VALUE]
    validTo: uint256
    previousChange: uint256


@external
@view
def identityOwner(identity: address) -> address:
    """
    @return Who controls the identity: itself, where it never named another.
    """
    return self._owner(identity)


@external
@view
def validDelegate(identity: address, delegateType: bytes32, delegate: address) -> bool:
    """
    @return Whether `delegate` may act for the identity now, in the way the type names.
    """
    return self.delegates[identity][keccak256(delegateType)][delegate] > block.timestamp


@external
def changeOwner(identity: address, newOwner: address):
    """
    @notice Hand the identity to `newOwner`. Delegates stay.
    """
    self._only_owner(identity)
    self._change_owner(identity, newOwner)


@external
def changeOwnerSigned(identity: address, sigV: uint8, sigR: bytes32, sigS: bytes32, newOwner: address):
    """
    @notice The same by the owner's signature.
    """
    self._only_signed(
        identity,
        sigV,
        sigR,
        sigS,
        keccak256(
            concat(self._head(identity), convert(identity, bytes20), b"changeOwner", convert(newOwner, bytes20))
        ),
    )
    self._change_owner(identity, newOwner)


@external
def addDelegate(identity: address, delegateType: bytes32, delegate: address, validity: uint256):
    """
    @notice Let `delegate` act for the identity for `validity` seconds from now. This replaces what was said before.
    """
    self._only_owner(identity)
    self._set_delegate(identity, delegateType, delegate, block.timestamp + validity)


@external
def addDelegateSigned(
    identity: address,
    sigV: uint8,
    sigR: bytes32,
    sigS: bytes32,
    delegateType: bytes32,
    delegate: address,
    validity: uint256,
):
    """
    @notice The same by the owner's signature; the seconds count from when it is brought.
    """
    self._only_signed(
        identity,
        sigV,
        sigR,
        sigS,
        keccak256(
            concat(
                self._head(identity),
                convert(identity, bytes20),
                b"addDelegate",
                delegateType,
                convert(delegate, bytes20),
                convert(validity, bytes32),
            )
        ),
    )
    self._set_delegate(identity, delegateType, delegate, block.timestamp + validity)


@external
def revokeDelegate(identity: address, delegateType: bytes32, delegate: address):
    """
    @notice From now on `delegate` may not act for the identity in this way.
    """
    self._only_owner(identity)
    self._set_delegate(identity, delegateType, delegate, block.timestamp)


@external
def revokeDelegateSigned(
    identity: address, sigV: uint8, sigR: bytes32, sigS: bytes32, delegateType: bytes32, delegate: address
):
    """
    @notice The same by the owner's signature.
    """
    self._only_signed(
        identity,
        sigV,
        sigR,
        sigS,
        keccak256(
            concat(
                self._head(identity),
                convert(identity, bytes20),
                b"revokeDelegate",
                delegateType,
                convert(delegate, bytes20),
            )
        ),
    )
    self._set_delegate(identity, delegateType, delegate, block.timestamp)


@external
def setAttribute(identity: address, name: bytes32, content: Bytes[MAX_VALUE], validity: uint256):
    """
    @notice Say `content` under `name` of the identity, for `validity` seconds. It is logged and not stored.
    """
    self._only_owner(identity)
    self._say(identity, name, content, block.timestamp + validity)


@external
def setAttributeSigned(
    identity: address,
    sigV: uint8,
    sigR: bytes32,
    sigS: bytes32,
    name: bytes32,
    content: Bytes[MAX_VALUE],
    validity: uint256,
):
    """
    @notice The same by the owner's signature; the seconds count from when it is brought.
    """
    self._only_signed(
        identity,
        sigV,
        sigR,
        sigS,
        keccak256(
            concat(
                self._head(identity),
                convert(identity, bytes20),
                b"setAttribute",
                name,
                content,
                convert(validity, bytes32),
            )
        ),
    )
    self._say(identity, name, content, block.timestamp + validity)


@external
def revokeAttribute(identity: address, name: bytes32, content: Bytes[MAX_VALUE]):
    """
    @notice Take back what was said: the same name and the same value.
    """
    self._only_owner(identity)
    self._say(identity, name, content, 0)


@external
def revokeAttributeSigned(
    identity: address, sigV: uint8, sigR: bytes32, sigS: bytes32, name: bytes32, content: Bytes[MAX_VALUE]
):
    """
    @notice The same by the owner's signature.
    """
    self._only_signed(
        identity,
        sigV,
        sigR,
        sigS,
        keccak256(concat(self._head(identity), convert(identity, bytes20), b"revokeAttribute", name, content)),
    )
    self._say(identity, name, content, 0)


@internal
def _change_owner(identity: address, owner: address):
    self.owners[identity] = owner
    log DIDOwnerChanged(identity=identity, owner=owner, previousChange=self._change(identity))


@internal
def _set_delegate(identity: address, kind: bytes32, delegate: address, valid_to: uint256):
    self.delegates[identity][keccak256(kind)][delegate] = valid_to
    log DIDDelegateChanged(
        identity=identity,
        delegateType=kind,
        delegate=delegate,
        validTo=valid_to,
        previousChange=self._change(identity),
    )


@internal
def _say(identity: address, name: bytes32, content: Bytes[MAX_VALUE], valid_to: uint256):
    log DIDAttributeChanged(
        identity=identity, name=name, value=content, validTo=valid_to, previousChange=self._change(identity)
    )


@internal
def _change(identity: address) -> uint256:
    """
    @return Block of the change before this one: so the logs of an identity are a list, read from its end.
    """
    previous: uint256 = self.changed[identity]
    self.changed[identity] = block.number
    return previous


@internal
@view
def _owner(identity: address) -> address:
    owner: address = self.owners[identity]
    return owner if owner != empty(address) else identity


@internal
@view
def _only_owner(identity: address):
    assert msg.sender == self._owner(identity), "did: not the owner"


@internal
@view
def _head(identity: address) -> Bytes[54]:
    """
    @return What every signed message begins with (EIP-191, version 0): this registry, and the next nonce of the identity's owner.
    """
    return concat(b"\x19\x00", convert(self, bytes20), convert(self.nonce[self._owner(identity)], bytes32))


@internal
def _only_signed(identity: address, v: uint8, r: bytes32, s: bytes32, digest: bytes32):
    """
    @dev Uses the nonce up. Of the two forms of a signature both count, as published: each is of one nonce.
    """
    signer: address = ecrecover(digest, v, r, s)
    assert signer != empty(address) and signer == self._owner(identity), "did: not signed by the owner"
    self.nonce[signer] += 1
