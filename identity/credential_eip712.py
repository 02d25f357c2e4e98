"""Credentials signed as EIP-712 typed data: proof type `EthereumEip712Signature2021`.

In the form that most verifiers take: DIDs with the chain id in hex and the address in lower case, the types under
`eip712Domain` with `messageSchema`, an empty domain. What is signed is the credential with its proof, less `proofValue`
and `eip712Domain`. The types must be the ones that this house gives such a credential, and they must cover exactly the
properties that are there: what is not covered is not signed.
https://w3c-ccg.github.io/ethereum-eip712-signature-2021-spec/
"""

from collections.abc import Mapping
from typing import Any

from identity.credential import Credential, Presented, from_document, types_of
from identity.credential_subject import did, member, text
from identity.errors import BadSignature, MalformedCredential, MalformedInstant
from identity.instants import from_instant, to_instant
from identity.signature import Signer, compact, recover
from identity.structured import EMPTY_DOMAIN, Types, exactly, schema, struct_hash
from identity.typed_data import digest

PROOF_CONTEXT = "https://w3id.org/security/suites/eip712sig-2021/v1"
PROOF_TYPE = "EthereumEip712Signature2021"

_PRIMARY = "VerifiableCredential"
_PROOF = ("@context", "type", "created", "verificationMethod", "proofPurpose")


def issue(credential: Credential, key: bytes, created: int | None = None, method: str = "controller") -> dict[str, Any]:
    """Return the document of `credential` with its proof by the private `key`, which the issuer's document lists.

    `method` is the fragment of that key in the issuer's DID document; `created` is the time of signing, by itself the
    time of issuance.
    """
    document = credential.to_document()
    proof = {
        "@context": PROOF_CONTEXT,
        "type": PROOF_TYPE,
        "created": to_instant(credential.issued_at if created is None else created),
        "verificationMethod": f"{credential.issuer}#{method}",
        "proofPurpose": "assertionMethod",
    }
    types = _types(credential)
    signer = Signer(key)
    signature = signer.sign(_digest(types, document | {"proof": proof}))
    domain = {"domain": {}, "messageSchema": schema(types), "primaryType": _PRIMARY}
    return document | {"proof": proof | {"proofValue": _wallet_form(signature), "eip712Domain": domain}}


def read(document: Mapping[str, Any]) -> Presented:
    """Read a document with its proof; whether the signer is one that counts is for `verification.py`."""
    if "proof" not in document:
        raise MalformedCredential("credential", "lacks proof")
    bare = {name: value for name, value in document.items() if name != "proof"}
    credential = from_document(bare)
    proof = member(document, "proof", "credential")
    exactly(proof, (*_PROOF, "proofValue", "eip712Domain"), "proof")
    types = _types(credential)
    _check_proof(credential, proof, types)
    signed_proof = {name: proof[name] for name in _PROOF}
    signed = _digest(types, bare | {"proof": signed_proof})
    try:
        signer = recover(signed, compact(_bytes(text(proof, "proofValue", "proof"))))
    except BadSignature as error:
        raise MalformedCredential("proof.proofValue", str(error)) from error
    return Presented(credential, (signer,))


def _check_proof(credential: Credential, proof: Mapping[str, Any], types: Types) -> None:
    if (proof["@context"], proof["type"], proof["proofPurpose"]) != (PROOF_CONTEXT, PROOF_TYPE, "assertionMethod"):
        raise MalformedCredential("proof", f"not an {PROOF_TYPE} for assertion")
    method, hash_sign, fragment = text(proof, "verificationMethod", "proof").partition("#")
    if not hash_sign or not fragment or did({"did": method}, "did", "proof") != credential.issuer:
        raise MalformedCredential("proof.verificationMethod", "not a method of the issuer")
    try:
        from_instant(text(proof, "created", "proof"))
    except MalformedInstant as error:
        raise MalformedCredential("proof.created", str(error)) from error
    domain = member(proof, "eip712Domain", "proof")
    exactly(domain, ("domain", "messageSchema", "primaryType"), "proof.eip712Domain")
    if domain["domain"] != {} or domain["primaryType"] != _PRIMARY:
        raise MalformedCredential("proof.eip712Domain", f"not an empty domain and {_PRIMARY}")
    if domain["messageSchema"] != schema(types):
        raise MalformedCredential("proof.eip712Domain.messageSchema", "not the types of a credential of this kind")


def _types(credential: Credential) -> Types:
    types = dict(types_of(credential))
    types[_PRIMARY] += (("proof", "Proof"),)
    types["Proof"] = tuple((name, "string") for name in _PROOF)
    return types


def _digest(types: Types, signed: Mapping[str, Any]) -> bytes:
    return digest(EMPTY_DOMAIN, struct_hash(types, _PRIMARY, dict(signed)))


def _wallet_form(signature: bytes) -> str:
    """Return a compact signature in the 65-byte form that wallets make and verifiers of credentials read."""
    vs = int.from_bytes(signature[32:], "big")
    s = vs & ((1 << 255) - 1)
    return "0x" + (signature[:32] + s.to_bytes(32, "big") + bytes((27 + (vs >> 255),))).hex()


def _bytes(value: str) -> bytes:
    if value[:2] != "0x" or len(value) != 132:
        raise MalformedCredential("proof.proofValue", "not 0x and 65 bytes in hex")
    try:
        return bytes.fromhex(value[2:])
    except ValueError as error:
        raise MalformedCredential("proof.proofValue", "not hex") from error
