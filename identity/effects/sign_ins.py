"""Signing in: nonces that count once, and short sign-ins of which only a hash is kept.

A nonce is its own end, random bits, and a keyed hash of both, so that giving one away costs this server nothing to
remember; only nonces that were used are kept, until they are over.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest, digest

from identity.access_errors import SignInEnded, SignInRefused
from identity.address import Address
from identity.effects.access_store import AccessStore, SignedIn
from identity.presentation import KeysOf, read
from identity.siwe import Here, Message, parse, verify

NONCE_SECONDS = 300
SIGNED_IN_SECONDS = 1_800
AHEAD_SECONDS = 60
"""How far a signer's clock may be ahead of ours."""

STATEMENT = "Read what is yours, and what was granted to you. This moves no money and signs no order."

_MOST_REMEMBERED = 10_000


class SignIns:
    """Who is signed in. `clock` tells unix seconds. Safe to use from several threads."""

    def __init__(self, store: AccessStore, chain_id: int, clock: Callable[[], int], keys_of: KeysOf) -> None:
        self._store = store
        self._chain_id = chain_id
        self._clock = clock
        self._keys_of = keys_of
        self._secret = store.secret()
        self._known: dict[bytes, SignedIn] = {}

    def nonce(self) -> tuple[str, int]:
        """Return a new nonce, and until when it counts."""
        until = self._clock() + NONCE_SECONDS
        body = f"{until:010x}{secrets.token_hex(12)}"
        return body + self._seal(body), until

    def message(self, address: Address, here: Here) -> Message:
        """Return what `address` is to sign to sign in here, with a new nonce."""
        now = self._clock()
        nonce, until = self.nonce()
        return Message(
            domain=here.domain,
            address=address,
            uri=here.uri,
            chain_id=here.chain_id,
            nonce=nonce,
            issued_at=_text(now),
            statement=STATEMENT,
            expires_at=_text(until),
        )

    def by_message(self, text: str, signature: bytes, here: Here) -> tuple[str, SignedIn]:
        """Sign in with a signed message; return the token and the sign-in.

        Raises `MalformedSignIn` and `SignInRefused`.
        """
        now, message = self._clock(), parse(text)
        verify(message, signature, here, now, most_seconds=NONCE_SECONDS, ahead_seconds=AHEAD_SECONDS)
        self._spend(message.nonce, now)
        return self._open(message.address, now)

    def by_presentation(self, token: str, here: Here) -> tuple[str, SignedIn]:
        """Sign in with a presentation as a JWT; return the token and the sign-in.

        Raises `MalformedSignIn` and `SignInRefused`.
        """
        now = self._clock()
        presented = read(
            token,
            chain_id=here.chain_id,
            audience=here.uri,
            now=now,
            ahead_seconds=AHEAD_SECONDS,
            keys_of=self._keys_of,
        )
        self._spend(presented.nonce, now)
        return self._open(presented.address, now)

    def session(self, token: str) -> SignedIn:
        """Return whose token this is. Raises `SignInEnded` where it opens nothing (any more)."""
        name = _hash(token)
        session = self._known.get(name)
        if session is None:
            session = self._store.sign_in(name)
            if session is None:
                raise SignInEnded
            self._remember(name, session)
        if self._clock() >= session.expires_at:
            self._known.pop(name, None)
            raise SignInEnded
        return session

    def is_open(self, token: str) -> bool:
        """Say whether a token that was good still is, without asking the database."""
        session = self._known.get(_hash(token))
        return session is not None and self._clock() < session.expires_at

    def end(self, token: str) -> None:
        """End a sign-in. Ending it twice is harmless."""
        name = _hash(token)
        self._store.end_sign_in(name, self._clock())
        self._known.pop(name, None)

    def take_in_news(self) -> None:
        """Forget the sign-ins that were ended elsewhere, and those that are over."""
        now, ended = self._clock(), self._store.ended_sign_ins() if self._known else set()
        for name, session in list(self._known.items()):
            if name in ended or session.expires_at <= now:
                self._known.pop(name, None)

    def _open(self, address: Address, now: int) -> tuple[str, SignedIn]:
        token, session = secrets.token_urlsafe(32), SignedIn(address, now + SIGNED_IN_SECONDS)
        self._store.open_sign_in(_hash(token), session, now)
        self._remember(_hash(token), session)
        return token, session

    def _remember(self, name: bytes, session: SignedIn) -> None:
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.pop(next(iter(self._known)), None)
        self._known[name] = session

    def _spend(self, nonce: str, now: int) -> None:
        body, seal = nonce[:34], nonce[34:]
        if not compare_digest(seal.encode(), self._seal(body).encode()):
            raise SignInRefused("its nonce was not given by this server")
        until = int(body[:10], 16)
        if now >= until:
            raise SignInRefused(f"its nonce ended at {until}")
        if not self._store.spend_nonce(nonce, until, now):
            raise SignInRefused("its nonce was used before")

    def _seal(self, body: str) -> str:
        return digest(self._secret, body.encode(), "sha256").hex()[:32]


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def _text(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
