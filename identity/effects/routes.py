"""The registries over HTTP: assets, roles, delegations, and who may act for what; answered from memory.

What is shown here stands on a public chain: nothing of it is personal, and no node is asked. DIDs are resolved in
`did_routes.py`, credentials verified in `credential_routes.py`.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from identity.address import Address, parse_address, to_text
from identity.chronicle import Chronicle
from identity.did import parse_did
from identity.documents import (
    asset_document,
    authority_document,
    claim_document,
    delegation_document,
    delegations,
    role_called,
    role_document,
    roles,
    whole_asset_document,
)
from identity.effects.paging import Limit, link_next
from identity.errors import NoSuchAsset
from identity.purposes import PURPOSES
from identity.registry import Registry

Document = dict[str, Any]

ADDRESS = "^0x[0-9a-fA-F]{40}$"
SubjectText = Annotated[str, Query(max_length=600, description="an address, or its DID")]
Moment = Annotated[int | None, Query(ge=0, lt=1 << 40, description="unix seconds; without it, now")]
AddressCursor = Annotated[str, Query(pattern=ADDRESS, description="the last address seen")]

_FIRST = "0x" + "00" * 20


def identity_router(
    *,
    chain_id: int,
    registry: Callable[[], Registry],
    chronicle: Callable[[], Chronicle],
    clock: Callable[[], int],
) -> APIRouter:
    """Return the routes of assets, roles, delegations and authority.

    `registry` is what the chain adds up to, `chronicle` what it told of each identity, `clock` gives unix seconds.
    """
    router = APIRouter(prefix="/v1", tags=["identity"])

    def subject(text: str) -> Address:
        return subject_of(text, chain_id)

    @router.get("/assets")
    def assets(
        request: Request,
        response: Response,
        owner: Annotated[str | None, Query(max_length=100, description="only what belongs to this address")] = None,
        account: Annotated[int | None, Query(ge=1, lt=1 << 32, description="only what trades for it")] = None,
        cursor: AddressCursor = _FIRST,
        limit: Limit = 100,
    ) -> Document:
        """List assets by address: whose they are, in which ownership epoch, and where they are enrolled.

        Retired assets are listed too, unless `owner` is named. The next page begins after `next`.
        """
        known, after = registry(), parse_address(cursor.lower())
        holder = None if owner is None else parse_address(owner)
        tenures = known.authority.tenures

        def wanted(identity: Address) -> bool:
            if holder is not None:
                tenure = tenures.present.get(identity)
                if tenure is None or tenure.owner != holder:
                    return False
            if account is None:
                return True
            enrolled = known.enrolment(identity, len(tenures.of(identity)))
            return enrolled is not None and enrolled.account == account

        found = [identity for identity in tenures.identities() if identity > after and wanted(identity)]
        following = _next(found, limit)
        link_next(request, response, following)
        return {
            "assets": [asset_document(known, chain_id, identity) for identity in found[:limit]],
            "next": following,
        }

    @router.get("/assets/{asset}")
    def asset(asset: Annotated[str, Path(max_length=600, description="the asset's address, or its DID")]) -> Document:
        """Return an asset: its owners, claims with why they hold or not, delegations, device keys, offer."""
        return whole_asset_document(registry(), chronicle(), chain_id, subject(asset), clock())

    @router.get("/roles")
    def all_roles(
        request: Request,
        response: Response,
        cursor: Annotated[str, Query(max_length=800, description="the name of the last role seen")] = "",
        limit: Limit = 100,
    ) -> Document:
        """List every role by name, as it is defined now; the next page begins after `next`."""
        authority = registry().authority
        found = [role for role in roles(authority) if role.name > cursor]
        following = found[limit - 1].name if len(found) > limit else None
        link_next(request, response, following)
        return {"roles": [role_document(authority, role) for role in found[:limit]], "next": following}

    @router.get("/roles/{name}")
    def role(
        request: Request,
        response: Response,
        name: Annotated[str, Path(max_length=800, description="such as certifier.roles.street.merit")],
        at: Moment = None,
        cursor: AddressCursor = _FIRST,
        limit: Limit = 100,
    ) -> Document:
        """Return how a role is defined, and who has claims to it by address, with why each holds or not."""
        authority = registry().authority
        definition = role_called(authority, name)
        moment, after = clock() if at is None else at, parse_address(cursor.lower())
        found = [claimant for claimant in chronicle().claimants(definition.node) if claimant > after]
        following = _next(found, limit)
        link_next(request, response, following)
        return role_document(authority, definition) | {
            "at": moment,
            "holders": [claim_document(authority, claimant, definition, moment) for claimant in found[:limit]],
            "next": following,
        }

    @router.get("/delegations")
    def all_delegations(
        asset: Annotated[str | None, Query(max_length=600, description="who was named for this asset")] = None,
        agent: Annotated[
            str | None, Query(max_length=600, description="for which assets this address was named")
        ] = None,
        cursor: AddressCursor = _FIRST,
        limit: Limit = 100,
    ) -> Document:
        """List delegations of an asset, of an agent, or of both: current ones, and what ended the others.

        One of `asset` and `agent` must be named. A page has at most `limit` assets; the next begins after `next`.
        """
        if asset is None and agent is None:
            raise RequestValidationError([{"loc": ("query",), "msg": "name an asset, an agent, or both"}])
        known, told, after, now = registry(), chronicle(), parse_address(cursor.lower()), clock()
        named = None if agent is None else subject(agent)
        if asset is not None:
            identity = subject(asset)
            if not known.authority.tenures.of(identity):
                raise NoSuchAsset(to_text(identity))
            found = [identity]
        else:
            assert named is not None, "one of the two was named"
            found = told.named_by(named)
        found = [identity for identity in found if identity > after]
        return {
            "delegations": [
                delegation_document(known.authority, *each, now)
                for identity in found[:limit]
                for each in delegations(known.authority, told, identity)
                if named in (None, each[0].agent)
            ],
            "next": _next(found, limit),
        }

    @router.get("/authority")
    def authority(
        asset: SubjectText,
        signer: SubjectText,
        at: Moment = None,
        purpose: Annotated[str, Query(max_length=100, description=", ".join(PURPOSES))] = "merit.trade.v1",
        balancing: Annotated[bool, Query(description="whether it is for offering balancing")] = False,
    ) -> Document:
        """Say whether a signer may act for an asset at a moment, as what, or why not, in the codes of refused orders.

        It is judged as of that moment with everything known by now.
        """
        moment = clock() if at is None else at
        return authority_document(registry(), subject(asset), subject(signer), moment, purpose, balancing=balancing)

    return router


def subject_of(text: str, chain_id: int) -> Address:
    """Return whom an address or a DID means; refuses a DID of another chain as no asset of this one."""
    if not text.startswith("did:"):
        return parse_address(text)
    who = parse_did(text).canonical()
    if who.chain_id != chain_id:
        raise NoSuchAsset(str(who))
    return who.address


def _next(found: list[Address], limit: int) -> str | None:
    return to_text(found[limit - 1]) if len(found) > limit else None
