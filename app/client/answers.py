"""What an exchange answers, as values: checked once, where it comes in.

An acknowledgement is believed only with a receipt that the exchange's own key signed: that is the evidence, should the
order be missing later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from app.client.errors import AnswerMalformed, ProofUnsound, ReceiptUnsound, WrongExchange
from app.public_events import receipt_name
from exchange.delivery import SessionKey
from exchange.documents import hexed, receipt_from_document
from exchange.errors import OrderMalformed
from exchange.parameters import Parameters, from_document
from exchange.receipt import Receipt
from identity.access_errors import AccessRefused
from identity.address import Address, to_text
from identity.errors import IdentityRefused
from identity.signature import recover
from identity.siwe import parse
from settlement.errors import ProofMalformed
from settlement.proof import Proof, TradeProof, verify
from settlement.proof_document import proof_from_document


@dataclass(frozen=True, slots=True)
class Expect:
    """Which exchange it has to be: the chain, and the settlement contract on it. None: whichever it says."""

    chain_id: int | None = None
    contract: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What the exchange says of itself. `now` is its clock; `open_deliveries` take orders at that moment.

    They are those of the spot market; `open_by_market` has those of every product, by the market's number.
    """

    name: str
    version: str
    now: int
    parameters: Parameters
    open_deliveries: tuple[int, ...]
    most_orders_at_once: int
    open_by_market: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """The exchange holds the order; `new` says that it did not before. `name` is what public events call it."""

    digest: bytes
    session: SessionKey
    receipt: Receipt
    new: bool

    @property
    def name(self) -> str:
        """What the order is called in public events while its session is not cleared."""
        return receipt_name(self.receipt)


def read_meta(document: Any, expect: Expect) -> Meta:
    """Read what an exchange says of itself. Raises `WrongExchange` where it is another, or contradicts itself."""
    try:
        parameters = from_document(document["parameters"])
        meta = Meta(
            name=str(document["name"]),
            version=str(document["version"]),
            now=_whole(document["now"]),
            parameters=parameters,
            open_deliveries=tuple(map(_whole, document["open_deliveries"])),
            most_orders_at_once=_whole(document["most_orders_at_once"]),
            open_by_market={
                int(number): tuple(map(_whole, starts))
                for number, starts in document["open_deliveries_by_market"].items()
            },
        )
        said = document["chain_id"], document["contract"], document["domain_separator"], document["parameters_hash"]
    except (AttributeError, KeyError, TypeError, ValueError, IdentityRefused) as error:
        raise AnswerMalformed(f"this is no exchange's /v1/meta: {error}") from error
    domain = parameters.domain
    if said != (domain.chain_id, to_text(domain.contract), hexed(domain.separator()), hexed(parameters.hash())):
        raise WrongExchange("the exchange contradicts itself: its rules and what it says of them do not fit together")
    if expect.chain_id not in (None, domain.chain_id):
        raise WrongExchange(f"the exchange is on chain {domain.chain_id}, not on {expect.chain_id}")
    if expect.contract not in (None, domain.contract):
        raise WrongExchange(f"the exchange settles on {to_text(domain.contract)}, not on {hexed(expect.contract)}")
    return meta


def read_acknowledged(document: Any, digest: bytes, parameters: Parameters, status: Any) -> Acknowledged:
    """Read the acknowledgement of the order with this digest; raises `ReceiptUnsound` where its receipt is no good."""
    try:
        receipt = receipt_from_document(document["receipt"])
        session = SessionKey.of(_whole(document["session"]))
        new = _whole(status) == 201
    except (KeyError, TypeError, ValueError, OrderMalformed) as error:
        raise AnswerMalformed(f"this acknowledges no order: {error}") from error
    if receipt.order != digest:
        raise ReceiptUnsound(f"the receipt is for {hexed(receipt.order)}, not for {hexed(digest)}")
    try:
        signer = recover(receipt.digest(parameters.domain.separator()), receipt.signature)
    except IdentityRefused as error:
        raise ReceiptUnsound(f"the receipt of {hexed(digest)} is signed by nobody") from error
    if signer != parameters.receipts:
        raise ReceiptUnsound(f"the receipt of {hexed(digest)} is signed by {to_text(signer)}")
    return Acknowledged(digest=digest, session=session, receipt=receipt, new=new)


def read_proof(document: Any, wanted: bytes, parameters: Parameters) -> Proof:
    """Read the proof of a trade's leaf or an order's digest, and verify it; raises `ProofUnsound`.

    It holds if the contract has the record it leads to: that is for the chain to say.
    """
    try:
        proof = proof_from_document(document)
    except ProofMalformed as malformed:
        raise ProofUnsound([str(malformed)]) from malformed
    findings = [str(finding) for finding in verify(proof)]
    subject = proof.leaf if isinstance(proof, TradeProof) else proof.receipt.order
    if subject != wanted:
        findings.append(f"the proof is of {hexed(subject)}, not of {hexed(wanted)}")
    if proof.place.domain != parameters.domain:
        findings.append("the proof is about another contract than that of this exchange")
    if not isinstance(proof, TradeProof) and proof.receipts != parameters.receipts:
        findings.append("the proof names another key for receipts than this exchange's")
    if findings:
        raise ProofUnsound(findings)
    return proof


def checked_challenge(document: Mapping[str, Any], url: str, who: Address, chain_id: int) -> str:
    """Return the text that the exchange at `url` wants signed to sign in.

    Raises `WrongExchange` where it is for another place, chain or address: whoever signs that signs in elsewhere, for
    whoever asked.
    """
    try:
        text = str(document["message"])
        message = parse(text)
    except (KeyError, AccessRefused) as error:
        raise AnswerMalformed(f"this is nothing to sign in with: {error}") from error
    places = {_place(url), _place(message.uri), _place(f"//{message.domain}")}
    if len(places) > 1:
        raise WrongExchange(f"the exchange at {url} wants a sign-in for {message.domain} ({message.uri}) signed")
    if (message.address, message.chain_id) != (who, chain_id):
        raise WrongExchange("the exchange wants a sign-in of somebody else, or for another chain, signed")
    return text


def _place(url: str) -> str:
    """Return host and port of a URL; this machine is one place, whatever it is called."""
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname in {"localhost", "::1", "127.0.0.1"} else parts.hostname
    return f"{host}:{parts.port or ''}"


def read_object(document: Any) -> dict[str, Any]:
    """Return an answer that is an object; raises `AnswerMalformed`."""
    if not isinstance(document, Mapping):
        raise AnswerMalformed("the answer is not an object with named fields")
    return dict(document)


def read_page(document: Any, name: str) -> tuple[list[Any], Any]:
    """Return the items of a page, and the cursor of the next one; raises `AnswerMalformed`."""
    page = read_object(document)
    if not isinstance(page.get(name), list):
        raise AnswerMalformed(f"the answer lists no {name}")
    return page[name], page.get("next")


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is not a whole number")
    return value
