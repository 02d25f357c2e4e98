# pragma version 0.4.3
"""
@title Claims to roles: registered by subject and issuer together, revocable, with 32 bytes of data
@license Apache-2.0
@notice A claim is made of two signatures, of the subject that agrees and of the issuer that proves, and each serves once. A revoker
    takes it back, and speaks for itself when it does.
@dev `register`, `RoleRegistered`, the typed messages and their double wrap are those of Energy Web's ClaimManager.
"""

from . import holders
from . import namespaces
from . import signatures
from . import speakers

uses: holders
uses: namespaces
uses: speakers

DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
AGREEMENT_TYPE: constant(bytes32) = keccak256("Agreement(address subject,bytes32 role,uint256 version)")
PROOF_TYPE: constant(bytes32) = keccak256(
    "Proof(address subject,bytes32 role,uint256 version,uint256 expiry,address issuer)"
)
AGREEMENT_WITH_DATA_TYPE: constant(bytes32) = keccak256(
    "AgreementWithData(address subject,bytes32 role,uint256 version,bytes32 data,uint256 deadline)"
)
PROOF_WITH_DATA_TYPE: constant(bytes32) = keccak256(
    "ProofWithData(address subject,bytes32 role,uint256 version,uint256 expiry,address issuer,bytes32 data,uint256 epoch)"
)
REVOCATION_TYPE: constant(bytes32) = keccak256(
    "Revocation(bytes32 role,address subject,address revoker,uint256 registeredAt,uint256 deadline)"
)

# what was signed -> whether it was used; by issuers, and by subjects
proofHashes: public(HashMap[bytes32, bool])
agreementHashes: public(HashMap[bytes32, bool])


event RoleRegistered:
    subject: address
    role: bytes32
    version: uint256
    expiry: uint256
    issuer: address


event ClaimRegistered:
    subject: indexed(address)
    role: indexed(bytes32)
    number: uint256
    version: uint256
    expiry: uint256
    issuer: indexed(address)
    data: bytes32
    epoch: uint256


event Revoked:
    role: indexed(bytes32)
    subject: indexed(address)
    revoker: indexed(address)


@external
def register(
    subject: address,
    role: bytes32,
    version: uint256,
    expiry: uint256,
    issuer: address,
    subject_agreement: Bytes[65],
    role_proof: Bytes[65],
):
    """
    @notice Register a claim without data, as Energy Web does; anybody may bring it. The agreement serves once, so the same version
        is renewed by `registerWithData`. And the proof names no ownership, so an asset's claim that ends at its sale is not
        registered this way.
    @param version At most the role's, and not below the subject's present claim's.
    @param expiry The second from which the claim holds no more.
    @param subject_agreement What the subject signed: an `Agreement`.
    @param role_proof What the issuer signed: a `Proof`.
    """
    epoch: uint256 = speakers._control(subject)[1]
    assert epoch == 0 or not namespaces._ends_at_sale(role), "claims: proof names no epoch"
    self._register(
        holders.Claim(
            version=version,
            registered_at=block.timestamp,
            expiry=expiry,
            issuer=issuer,
            data=empty(bytes32),
            epoch=epoch,
            revoked_at=0,
        ),
        subject,
        role,
        self._to_sign(keccak256(abi_encode(AGREEMENT_TYPE, subject, role, version))),
        subject_agreement,
        self._to_sign(keccak256(abi_encode(PROOF_TYPE, subject, role, version, expiry, issuer))),
        role_proof,
    )


@external
def registerWithData(
    subject: address,
    role: bytes32,
    version: uint256,
    expiry: uint256,
    issuer: address,
    data: bytes32,
    deadline: uint256,
    subject_agreement: Bytes[65],
    role_proof: Bytes[65],
):
    """
    @notice Register a claim with 32 bytes of data; anybody may bring it.
    @param deadline The last second at which the subject's agreement serves.
    @param subject_agreement What the subject signed: an `AgreementWithData`.
    @param role_proof What the issuer signed: a `ProofWithData`, which names the subject's ownership epoch (0 when it is no asset).
    """
    assert block.timestamp <= deadline, "claims: deadline is past"
    epoch: uint256 = speakers._control(subject)[1]
    self._register(
        holders.Claim(
            version=version,
            registered_at=block.timestamp,
            expiry=expiry,
            issuer=issuer,
            data=data,
            epoch=epoch,
            revoked_at=0,
        ),
        subject,
        role,
        self._to_sign(keccak256(abi_encode(AGREEMENT_WITH_DATA_TYPE, subject, role, version, data, deadline))),
        subject_agreement,
        self._to_sign(
            keccak256(abi_encode(PROOF_WITH_DATA_TYPE, subject, role, version, expiry, issuer, data, epoch))
        ),
        role_proof,
    )


@external
def revoke(role: bytes32, subject: address):
    """
    @notice Take back the subject's present claim, as the identity that calls.
    """
    self._revoke(role, subject, msg.sender, msg.sender)


@external
def revokeAs(role: bytes32, subject: address, revoker: address):
    """
    @notice Take back the subject's present claim as the identity `revoker`, which the caller speaks for.
    """
    self._revoke(role, subject, revoker, msg.sender)


@external
def revokeSigned(role: bytes32, subject: address, revoker: address, deadline: uint256, signature: Bytes[65]):
    """
    @notice The same by a signed `Revocation`, which names when the claim was registered and so serves against no later one.
    @param deadline The last second at which it serves.
    """
    assert block.timestamp <= deadline, "claims: deadline is past"
    registered_at: uint256 = holders.records[role][subject][holders.claim_count[role][subject]].when & holders.U64
    digest: bytes32 = self._to_sign(
        keccak256(abi_encode(REVOCATION_TYPE, role, subject, revoker, registered_at, deadline))
    )
    self._revoke(role, subject, revoker, signatures._signer(digest, signature))


@external
@view
def domain_separator() -> bytes32:
    return self._domain()


@external
@view
def PROOF_TYPEHASH() -> bytes32:
    return PROOF_TYPE


@internal
def _register(
    wanted: holders.Claim,
    subject: address,
    role: bytes32,
    agreement: bytes32,
    agreed: Bytes[65],
    proof: bytes32,
    proved: Bytes[65],
):
    """
    @param agreement What the subject must have signed, and `agreed` its signature; `proof` and `proved` likewise of the issuer.
    """
    number: uint256 = holders.claim_count[role][subject] + 1
    before: uint256 = holders.records[role][subject][number - 1].who >> 160 & holders.U32
    assert namespaces._version(role) != 0, "claims: no such role"
    assert wanted.version <= namespaces._version(role), "claims: version is too high"
    assert wanted.version >= before, "claims: version is lowered"
    assert wanted.expiry > block.timestamp, "claims: expiry is past"
    most: uint256 = namespaces._most_seconds(role)
    latest: uint256 = holders.U64 if most == 0 else min(block.timestamp + most, holders.U64)
    assert wanted.expiry <= latest, "claims: expiry is too late"
    # who owns the role's name may list whomever it likes, so keeping it from issuing to itself would protect nobody
    if wanted.issuer != namespaces.owner[role]:
        owner: address = speakers._control(subject)[0]
        # this holds for the issuer as subject, too
        assert owner != wanted.issuer and owner != speakers._control(wanted.issuer)[0], "claims: issued to oneself"

    assert not self.agreementHashes[agreement], "claims: agreement was used"
    assert speakers._speaks_for(signatures._signer(agreement, agreed), subject), "claims: subject did not agree"
    assert not self.proofHashes[proof], "claims: proof was used"
    assert speakers._speaks_for(signatures._signer(proof, proved), wanted.issuer), "claims: issuer did not sign"
    assert holders._may_issue(role, wanted.issuer), "claims: issuer may not issue"
    assert holders._is_prepared(role, subject), "claims: prerequisites missing"

    self.agreementHashes[agreement] = True
    self.proofHashes[proof] = True
    holders.claim_count[role][subject] = number
    holders.records[role][subject][number] = holders.Record(
        who=convert(wanted.issuer, uint256) | wanted.version << 160 | wanted.epoch << 192,
        when=block.timestamp | wanted.expiry << 64,
        data=wanted.data,
        revoker=empty(address),
    )
    log RoleRegistered(
        subject=subject, role=role, version=wanted.version, expiry=wanted.expiry, issuer=wanted.issuer
    )
    log ClaimRegistered(
        subject=subject,
        role=role,
        number=number,
        version=wanted.version,
        expiry=wanted.expiry,
        issuer=wanted.issuer,
        data=wanted.data,
        epoch=wanted.epoch,
    )


@internal
def _revoke(role: bytes32, subject: address, revoker: address, speaker: address):
    number: uint256 = holders.claim_count[role][subject]
    assert number != 0, "claims: nothing to revoke"
    record: holders.Record = holders.records[role][subject][number]
    assert record.revoker == empty(address), "claims: revoked already"
    assert speakers._speaks_for(speaker, revoker), "claims: not the revoker"
    if convert(revoker, uint256) != record.who & holders.U160:
        listed: bool = False
        revoker_role: bytes32 = empty(bytes32)
        listed, revoker_role = namespaces._revoking(role, revoker)
        assert listed or (
            revoker_role != empty(bytes32) and holders._held(revoker, revoker_role, 0, block.timestamp)
        ), "claims: revoker may not revoke"
    holders.records[role][subject][number].when = record.when | block.timestamp << 128 | block.number << 192
    holders.records[role][subject][number].revoker = revoker
    log Revoked(role=role, subject=subject, revoker=revoker)


@internal
@view
def _domain() -> bytes32:
    return keccak256(abi_encode(DOMAIN_TYPE, keccak256("Claim Manager"), keccak256("1.0"), chain.id, self))


@internal
@view
def _to_sign(message: bytes32) -> bytes32:
    """
    @return What is signed: the EIP-191 personal message of the EIP-712 digest, as Energy Web wraps it.
    """
    digest: bytes32 = keccak256(concat(b"\x19\x01", self._domain(), message))
    return keccak256(concat(b"\x19Ethereum Signed Message:\n32", digest))
