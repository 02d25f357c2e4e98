"""A claim on its way to the registry: one document that first the subject signs, and then the issuer.

The two need not trust each other's machines: the subject's agreement names role, version and data, and is of use to
nobody else; the issuer's proof adds until when it lasts. With both, anybody may register it. What is signed stands in
`claims.py`; whether a signature is one that counts is for the registry to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from identity.address import Address, parse_address, to_text
from identity.claims import AgreementWithData, ProofWithData, claim_domain, to_sign
from identity.errors import IdentityRefused, MalformedAgreement
from identity.names import namehash
from identity.signature import extended, sign

FORM = "merit-claim-1"

_WORD = 1 << 256
_AGREED = ("form", "chain_id", "role_registry", "subject", "role", "version", "data", "deadline", "agreement")
_PROVED = ("expiry", "issuer", "epoch", "proof")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """The issuer's half: until before when, by whom, in which ownership of the subject (0: it is no asset)."""

    expiry: int
    issuer: Address
    epoch: int
    proof: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimForm:
    """`subject` agrees to the role of this name with 32 bytes of data; to be registered until `deadline`.

    Signatures have 65 bytes. `proved` is none until the issuer has signed.
    """

    chain_id: int
    registry: Address
    subject: Address
    role: str
    version: int
    data: bytes
    deadline: int
    agreement: bytes = b""
    proved: Proved | None = None

    @property
    def node(self) -> bytes:
        """The node of the role's name."""
        return namehash(self.role)

    def agreed(self, key: bytes) -> Self:
        """Return the form signed for the subject, with its key, or that of the owner of the asset it is."""
        message = AgreementWithData(self.subject, self.node, self.version, self.data, self.deadline)
        return replace(self, agreement=self._signed(message, key))

    def proved_by(self, issuer: Address, key: bytes, *, expiry: int, epoch: int) -> Self:
        """Return the form signed for the issuer, with a private key that speaks for it."""
        message = ProofWithData(self.subject, self.node, self.version, expiry, issuer, self.data, epoch)
        proof = self._signed(message, key)
        return replace(self, proved=Proved(expiry=expiry, issuer=issuer, epoch=epoch, proof=proof))

    def to_document(self) -> dict[str, Any]:
        """Return the form as plain values for JSON."""
        document: dict[str, Any] = {
            "form": FORM,
            "chain_id": self.chain_id,
            "role_registry": to_text(self.registry),
            "subject": to_text(self.subject),
            "role": self.role,
            "version": self.version,
            "data": "0x" + self.data.hex(),
            "deadline": self.deadline,
            "agreement": "0x" + self.agreement.hex(),
        }
        if self.proved is not None:
            document |= {
                "expiry": self.proved.expiry,
                "issuer": to_text(self.proved.issuer),
                "epoch": self.proved.epoch,
                "proof": "0x" + self.proved.proof.hex(),
            }
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_document` wrote, signed once or twice; refuses anything else."""
        proved = "proof" in document
        wanted = {*_AGREED, *(_PROVED if proved else ())}
        if document.keys() != wanted:
            raise MalformedAgreement(f"the fields are not {', '.join(sorted(wanted))}")
        if document["form"] != FORM:
            raise MalformedAgreement(f"not of the form {FORM}")
        try:
            form = cls(
                chain_id=_whole(document, "chain_id"),
                registry=_address(document, "role_registry"),
                subject=_address(document, "subject"),
                role=_text(document, "role"),
                version=_whole(document, "version"),
                data=_bytes(document, "data", 32),
                deadline=_whole(document, "deadline"),
                agreement=_bytes(document, "agreement", 65),
            )
            namehash(form.role)
            if not proved:
                return form
            return replace(
                form,
                proved=Proved(
                    expiry=_whole(document, "expiry"),
                    issuer=_address(document, "issuer"),
                    epoch=_whole(document, "epoch"),
                    proof=_bytes(document, "proof", 65),
                ),
            )
        except MalformedAgreement:
            raise
        except IdentityRefused as error:
            raise MalformedAgreement(str(error)) from error

    def _signed(self, message: AgreementWithData | ProofWithData, key: bytes) -> bytes:
        return extended(sign(to_sign(message, claim_domain(self.chain_id, self.registry)), key))


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document[name]
    if not isinstance(value, str):
        raise MalformedAgreement(f"{name} is no text")
    return value


def _address(document: Mapping[str, Any], name: str) -> Address:
    return parse_address(_text(document, name))


def _whole(document: Mapping[str, Any], name: str) -> int:
    value = document[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _WORD:
        raise MalformedAgreement(f"{name} is no whole number")
    return value


def _bytes(document: Mapping[str, Any], name: str, size: int) -> bytes:
    text = _text(document, name)
    try:
        raw = bytes.fromhex(text[2:])
    except ValueError as error:
        raise MalformedAgreement(f"{name} is no hex") from error
    if text[:2] != "0x" or len(raw) != size or len(text) != 2 + 2 * size:
        raise MalformedAgreement(f"{name} is not 0x and {size} bytes in hex")
    return raw
