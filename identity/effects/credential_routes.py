"""Verifying credentials over HTTP: up the whole chain of issuers, by what the registries say.

Role credentials count only if their status list can be had: of the places that the operator named, and of no other. A
verdict is an answer, not a refusal; refused is what cannot be read.
"""

import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from identity.credential_text import read_credential
from identity.strict_json import NotStrict, parse_object
from identity.verification import Registries, StatusSource, verify_credential

Document = dict[str, Any]

MOST_SHOWN = 16

CredentialText = Annotated[
    str | Document, Field(description="a JWT (ES256K) as text, or a JSON document with an EIP-712 proof")
]


class CredentialIn(BaseModel):
    """A credential to verify, and those of the issuers above it that may be needed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    credential: CredentialText
    shown: list[CredentialText] = Field(
        default_factory=list, max_length=MOST_SHOWN, description="credentials of the issuers above, as far as needed"
    )
    at: int | None = Field(default=None, ge=0, lt=1 << 40, description="unix seconds; without it, now")


async def _body(request: Request) -> CredentialIn:
    """Read the body strictly: an object that names something twice says different things to different readers."""
    try:
        return CredentialIn.model_validate(parse_object((await request.body()).decode()))
    except (NotStrict, UnicodeDecodeError) as error:
        raise RequestValidationError([{"loc": ("body",), "msg": str(error)}]) from error
    except ValidationError as error:
        found = [{"loc": ("body", *each["loc"]), "msg": each["msg"]} for each in error.errors(include_url=False)]
        raise RequestValidationError(found) from error


def credential_router(
    registries: Callable[[], Registries], clock: Callable[[], int], status: StatusSource
) -> APIRouter:
    """Return the route that verifies credentials; `status` fetches the lists that take them back."""
    router = APIRouter(prefix="/v1/credentials", tags=["identity"])
    schema = CredentialIn.model_json_schema()

    @router.post(
        "/verify",
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
    )
    def verify(body: Annotated[CredentialIn, Depends(_body)]) -> Document:
        """Say whether what a credential claims counts at a moment, on whose word, or which step fails first.

        Only this credential is judged, whatever else may say the same; `shown` serve for the issuers above it.
        """
        presented = read_credential(_text(body.credential))
        at = clock() if body.at is None else body.at
        verdict = verify_credential(
            registries(),
            presented,
            at,
            shown=[read_credential(_text(each)) for each in body.shown],
            status=status,
        )
        return {"at": at, "credential": presented.credential.to_document()} | verdict.to_document()

    return router


def _text(credential: str | Document) -> str:
    return credential if isinstance(credential, str) else json.dumps(credential)
