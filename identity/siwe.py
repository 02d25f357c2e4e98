"""Sign-In with Ethereum: the text that a wallet shows and signs, built, read to the letter, and judged.

The grammar is that of EIP-4361; what does not follow it in every character is refused, for a text that two readers
understand differently is a way to make somebody sign what they did not mean.
https://eips.ethereum.org/EIPS/eip-4361
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from identity.access_errors import MalformedSignIn, SignInRefused
from identity.address import Address, parse_address, to_text
from identity.errors import BadSignature, MalformedAddress
from identity.hashing import keccak
from identity.rfc3339 import read_instant
from identity.signature import recover
from identity.uri import RESERVED, UNRESERVED, is_authority, is_scheme, is_segment, is_uri

_GREETING = " wants you to sign in with your Ethereum account:"
_STATEMENT = RESERVED | UNRESERVED | frozenset(" ")
_DIGITS = frozenset("0123456789")
_ALPHANUMERIC = _DIGITS | frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

MOST_CHARACTERS = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is signed. Instants stay the text they are, since that text is what is signed."""

    domain: str
    address: Address
    uri: str
    chain_id: int
    nonce: str
    issued_at: str
    scheme: str | None = None
    statement: str | None = None
    expires_at: str | None = None
    not_before: str | None = None
    request_id: str | None = None
    resources: Sequence[str] | None = field(default=None)

    def text(self) -> str:
        """Return the text that is signed."""
        origin = self.domain if self.scheme is None else f"{self.scheme}://{self.domain}"
        lines = [origin + _GREETING, to_text(self.address), ""]
        if self.statement is not None:
            lines.append(self.statement)
        lines += [
            "",
            f"URI: {self.uri}",
            "Version: 1",
            f"Chain ID: {self.chain_id}",
            f"Nonce: {self.nonce}",
            f"Issued At: {self.issued_at}",
        ]
        for name, value in (
            ("Expiration Time", self.expires_at),
            ("Not Before", self.not_before),
            ("Request ID", self.request_id),
        ):
            if value is not None:
                lines.append(f"{name}: {value}")
        if self.resources is not None:
            lines += ["Resources:", *(f"- {resource}" for resource in self.resources)]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """What a server compares a sign-in with: its own domain, address on the web, and chain, and nobody else's word."""

    domain: str
    uri: str
    chain_id: int


class _Lines:
    """The lines of a text, taken one after the other."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._next = 0

    def take(self, what: str) -> str:
        if self._next == len(self._lines):
            raise MalformedSignIn(f"it ends before {what}")
        self._next += 1
        return self._lines[self._next - 1]

    def take_after(self, label: str) -> str:
        line = self.take(label)
        if not line.startswith(label + ": "):
            raise MalformedSignIn(f"{label} is not where it belongs")
        return line[len(label) + 2 :]

    def take_if(self, label: str) -> str | None:
        """Take the line with this label, if it is next."""
        if self._next == len(self._lines) or not self._lines[self._next].startswith(label + ": "):
            return None
        return self.take_after(label)

    def take_empty(self, what: str) -> None:
        if self.take(what):
            raise MalformedSignIn(f"there is no empty line before {what}")

    def rest(self) -> list[str]:
        rest, self._next = self._lines[self._next :], len(self._lines)
        return rest


def parse(text: str) -> Message:
    """Read a message. Raises `MalformedSignIn` with the first thing that is not as the grammar has it."""
    if len(text) > MOST_CHARACTERS:
        raise MalformedSignIn(f"it is longer than {MOST_CHARACTERS} characters")
    lines = _Lines(text)
    scheme, domain = _origin(lines.take("the domain"))
    address = _address(lines.take("the address"))
    lines.take_empty("the statement")
    statement: str | None = lines.take("the statement")
    if statement:
        _must(_STATEMENT.issuperset(statement), "the statement holds a character that may not stand in it")
        lines.take_empty("the URI")
    else:
        statement = None
    uri = lines.take_after("URI")
    _must(is_uri(uri), "the URI is none")
    _must(lines.take_after("Version") == "1", "the version is not 1")
    chain_id = lines.take_after("Chain ID")
    _must(bool(chain_id) and len(chain_id) <= 78 and _DIGITS.issuperset(chain_id), "the chain id is no number")
    nonce = lines.take_after("Nonce")
    _must(len(nonce) >= 8 and _ALPHANUMERIC.issuperset(nonce), "the nonce is not eight letters and digits or more")
    issued_at = _instant(lines.take_after("Issued At"))
    expires_at, not_before = lines.take_if("Expiration Time"), lines.take_if("Not Before")
    for instant in (expires_at, not_before):
        if instant is not None:
            _instant(instant)
    request_id = lines.take_if("Request ID")
    _must(request_id is None or is_segment(request_id), "the request id holds what may not stand in it")
    message = Message(
        domain=domain,
        address=address,
        uri=uri,
        chain_id=int(chain_id),
        nonce=nonce,
        issued_at=issued_at,
        scheme=scheme,
        statement=statement,
        expires_at=expires_at,
        not_before=not_before,
        request_id=request_id,
        resources=_resources(lines.rest()),
    )
    _must(message.text() == text, "a number begins with a zero")  # nothing else has two forms
    return message


def personal_digest(text: str) -> bytes:
    """Return what a wallet signs for a text (`personal_sign`, EIP-191)."""
    raw = text.encode()
    return keccak(b"\x19Ethereum Signed Message:\n%d" % len(raw) + raw)


def verify(message: Message, signature: bytes, here: Here, now: int, *, most_seconds: int, ahead_seconds: int) -> None:
    """Judge a sign-in: for this server, for now, by whom it says. The nonce is judged by who gave it.

    It counts for `most_seconds` after it was issued at most, whatever its own expiry; clocks of others may be
    `ahead_seconds` ahead. Raises `SignInRefused`.
    """
    _accept(message.domain == here.domain, f"it is for {message.domain}, and this is {here.domain}")
    _accept(message.scheme in (None, here.uri.partition(":")[0]), f"it is for {message.scheme}, and this is {here.uri}")
    _accept(message.uri == here.uri, f"its URI is {message.uri}, and this is {here.uri}")
    _accept(message.chain_id == here.chain_id, f"it is for chain {message.chain_id}, and this is {here.chain_id}")
    issued = read_instant(message.issued_at)
    _accept(issued <= now + ahead_seconds, "it is from the future")
    _accept(now < issued + most_seconds, f"it was issued more than {most_seconds} s ago")
    _accept(message.expires_at is None or now < read_instant(message.expires_at), "its time is over")
    _accept(message.not_before is None or read_instant(message.not_before) <= now, "its time has not come")
    try:
        signer = recover(personal_digest(message.text()), signature)
    except BadSignature as error:
        raise SignInRefused(str(error)) from error
    _accept(signer == message.address, f"{to_text(message.address)} did not sign it")


def _origin(line: str) -> tuple[str | None, str]:
    _must(line.endswith(_GREETING), "it does not begin with who wants you to sign in")
    origin = line.removesuffix(_GREETING)
    before, mark, after = origin.partition("://")
    scheme, domain = (before, after) if mark else (None, origin)
    _must(scheme is None or is_scheme(scheme), "the scheme is none")
    _must(bool(domain) and is_authority(domain), "the domain is none")
    return scheme, domain


def _address(line: str) -> Address:
    try:
        address = parse_address(line)
    except MalformedAddress as error:
        raise MalformedSignIn("the address is none, or its checksum is wrong") from error
    _must(to_text(address) == line, "the address has no checksum (ERC-55)")
    return address


def _instant(text: str) -> str:
    try:
        read_instant(text)
    except ValueError as error:
        raise MalformedSignIn(f"{text!r} is no instant of RFC 3339: {error}") from error
    return text


def _resources(rest: list[str]) -> tuple[str, ...] | None:
    if not rest:
        return None
    head, *lines = rest
    _must(head == "Resources:", "something stands where nothing may stand, or in the wrong order")
    _must(all(line.startswith("- ") and is_uri(line[2:]) for line in lines), "a resource is no URI")
    return tuple(line[2:] for line in lines)


def _must(holds: bool, why: str) -> None:
    if not holds:
        raise MalformedSignIn(why)


def _accept(holds: bool, why: str) -> None:
    if not holds:
        raise SignInRefused(why)
