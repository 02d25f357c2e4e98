"""Signing in, granting, and the record of reads, over HTTP."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from identity.access import TRAIL, Item, Role
from identity.access_errors import MalformedSignIn, NotGranted, NotSignedIn, UnknownGrant
from identity.address import Address, parse_address, to_text
from identity.did import to_did
from identity.effects.access_schema import (
    HASH_PATTERN,
    Challenge,
    ChallengeIn,
    Ended,
    GrantIn,
    GrantOut,
    GrantsOut,
    ReadPage,
    RevocationIn,
    SignedGrantIn,
    SignedInAs,
    SignedInOut,
    SignInIn,
)
from identity.effects.access_store import Read, SignedIn
from identity.effects.grant_document import (
    grant_from_document,
    grant_typed_data,
    kept_to_document,
    revocation_typed_data,
)
from identity.effects.reads import JudgedReads, token_of
from identity.grants import Grant, KeptGrant
from identity.signature import compact
from identity.siwe import Here
from identity.typed_data import Domain

Document = dict[str, Any]

Digest = Annotated[str, Path(pattern=HASH_PATTERN, description="the grant's digest, its name")]


def sign_in_router(reads: JudgedReads, here: Callable[[], Here]) -> APIRouter:
    """Return the routes to sign in and out; `here` is what this server is called, by its own word."""
    router = APIRouter(prefix="/v1/sign-in", tags=["sign-in"])

    @router.post("/challenge", response_model=Challenge)
    def challenge(wanted: ChallengeIn, response: Response) -> Document:
        """Give a nonce that counts once, for five minutes, and the text that an address signs to sign in."""
        response.headers["Cache-Control"] = "no-store"
        place, sign_ins = here(), reads.sign_ins
        message = None if wanted.address is None else sign_ins.message(parse_address(wanted.address), place)
        nonce = sign_ins.nonce()[0] if message is None else message.nonce
        return {
            "nonce": nonce,
            "expires_at": int(nonce[:10], 16),
            "uri": place.uri,
            "domain": place.domain,
            "chain_id": place.chain_id,
            "message": None if message is None else message.text(),
        }

    @router.post("", response_model=SignedInOut, name="sign_in")
    def sign_in(given: SignInIn, response: Response) -> Document:
        """Sign in with a signed message (EIP-4361) or a presentation (JWT, ES256K); the answer has the token."""
        response.headers["Cache-Control"] = "no-store"
        if given.presentation is not None and given.message is None and given.signature is None:
            token, session = reads.sign_ins.by_presentation(given.presentation, here())
        elif given.message is not None and given.signature is not None and given.presentation is None:
            signature = compact(bytes.fromhex(given.signature[2:]))
            token, session = reads.sign_ins.by_message(given.message, signature, here())
        else:
            raise MalformedSignIn("it is either a message with its signature, or a presentation")
        return {**_session(session, here().chain_id), "token": token}

    @router.get("", response_model=SignedInAs)
    def standing(request: Request) -> Document:
        """Say whose token this is, and until when it counts."""
        reads.reader(request)
        return _session(reads.sign_ins.session(token_of(request) or ""), here().chain_id)

    @router.delete("", response_model=Ended)
    def sign_out(request: Request) -> Document:
        """End the sign-in of this token at once. Ending it again is harmless."""
        token = token_of(request)
        if token is None:
            raise NotSignedIn
        reads.sign_ins.end(token)
        return {"ended": True}

    return router


def grant_router(reads: JudgedReads, domain: Callable[[], Domain]) -> APIRouter:
    """Return the routes to grant and to take back; `domain` is what is signed under."""
    router = APIRouter(prefix="/v1/grants", tags=["grants"])

    @router.get("", response_model=GrantsOut)
    def grants(request: Request) -> Document:
        """List what the asker granted, what it was granted, and what the roles it holds were granted."""
        who, now = reads.reader(request), reads.clock()
        held = [role for role in Role if reads.standing.holds(who, role, now)]
        return {
            "given": [kept_to_document(kept) for kept in reads.grants.given_by(who)],
            "received": [kept_to_document(kept) for kept in reads.grants.given_to(who)],
            "by_role": [kept_to_document(kept) for role in held for kept in reads.grants.given_to_role(role)],
        }

    @router.post(
        "",
        response_model=GrantOut,
        status_code=201,
        responses={200: {"model": GrantOut, "description": "Known already, as it stands: it may have been revoked"}},
    )
    def give(given: SignedGrantIn, response: Response) -> Document:
        """Let somebody read something. The signature is the authority; sending it again is harmless."""
        signature = compact(bytes.fromhex(given.signature[2:]))
        kept, new = reads.give(_grant(given), signature, domain().separator())
        response.status_code = 201 if new else 200
        return kept_to_document(kept)

    @router.post("/typed-data")
    def typed_data(unsigned: GrantIn) -> Document:
        """Return a grant as a wallet signs it (eth_signTypedData_v4), and its digest. Nothing is granted yet."""
        grant = _grant(unsigned)
        digest = grant.digest(domain().separator())
        return {"digest": "0x" + digest.hex(), "typed_data": grant_typed_data(grant, domain())}

    @router.get("/{digest}", response_model=GrantOut)
    def grant(digest: Digest, request: Request) -> Document:
        """Return a grant as it stands, to whom it concerns: its giver, its reader, and whose the scope is."""
        who, kept = reads.reader(request), reads.grants.find(bytes.fromhex(digest[2:]))
        if not _concerns(kept, who):
            raise UnknownGrant(kept.digest)
        return kept_to_document(kept)

    def _concerns(kept: KeptGrant, who: Address) -> bool:
        given, now = kept.given.grant, reads.clock()
        by_role = given.role is not None and reads.standing.holds(who, given.role, now)
        return by_role or who in (given.grantor, given.grantee, reads.standing.owner(given.scope, now))

    @router.get("/{digest}/revocation/typed-data")
    async def revocation(digest: Digest) -> Document:
        """Return the revocation of a grant as a wallet signs it (eth_signTypedData_v4)."""
        return {"typed_data": revocation_typed_data(bytes.fromhex(digest[2:]), domain())}

    def take_back(digest: Digest, revocation: RevocationIn) -> Document:
        """Take a grant back: it counts no longer once this is answered. Taking it back again is harmless."""
        signature = compact(bytes.fromhex(revocation.signature[2:]))
        return kept_to_document(reads.take_back(bytes.fromhex(digest[2:]), signature, domain().separator()))

    router.delete("/{digest}", response_model=GrantOut)(take_back)
    # For clients and proxies that drop the body of a DELETE.
    router.post("/{digest}/revocation", response_model=GrantOut, name="take_back_by_post")(take_back)
    return router


def record_router(reads: JudgedReads) -> APIRouter:
    """Return the route that tells owners who read what of theirs."""
    router = APIRouter(prefix="/v1/reads", tags=["grants"])

    @router.get("", response_model=ReadPage)
    def record(
        request: Request,
        everything: Annotated[bool, Query(alias="all", description="all reads: for who may read the trail")] = False,
        cursor: Annotated[int | None, Query(ge=1, lt=1 << 62, description="the last read seen")] = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> Document:
        """List the reads of the asker's data, and of what is every member's, newest first."""
        who = reads.reader(request)
        if everything:
            reads.judge(request, Item((TRAIL,)))
        elif not reads.standing.is_member(who):
            raise NotGranted("the record of reads")
        found = reads.record_of(None if everything else who, cursor, limit + 1)
        following = found[limit - 1][0] if len(found) > limit else None
        return {"reads": [_read(number, read) for number, read in found[:limit]], "next": following}

    return router


def _grant(given: GrantIn) -> Grant:
    return grant_from_document(given.model_dump(exclude={"signature"}))


def _session(session: SignedIn, chain_id: int) -> Document:
    return {
        "address": to_text(session.address),
        "did": to_did(chain_id, session.address),
        "expires_at": session.expires_at,
    }


def _read(number: int, read: Read) -> Document:
    permission = read.permission
    return {
        "number": number,
        "at": read.at,
        "reader": to_text(read.reader),
        "read": read.read.text,
        "owner": None if read.owner is None else to_text(read.owner),
        "permitted_by": permission.by.value,
        "under": permission.scope.text,
        "role": permission.role,
        "grant": None if permission.grant is None else "0x" + permission.grant.hex(),
        "purpose": permission.purpose,
        "request": read.request,
    }
