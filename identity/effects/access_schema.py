"""What goes over the wire when somebody signs in or grants: pydantic models, strict, with nothing besides."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from identity.access import Purpose, Role
from identity.presentation import MOST_CHARACTERS as MOST_PRESENTATION
from identity.siwe import MOST_CHARACTERS as MOST_MESSAGE

HASH_PATTERN = "^0x[0-9a-f]{64}$"
AddressText = Annotated[str, Field(pattern="^0x[0-9a-fA-F]{40}$")]
HashText = Annotated[str, Field(pattern=HASH_PATTERN)]
SignatureText = Annotated[
    str,
    Field(
        pattern="^0x([0-9a-fA-F]{128}|[0-9a-fA-F]{130})$",
        description="secp256k1 with low s: 64 bytes (EIP-2098), or 65 as wallets give them",
    ),
]

_ADDRESS = "0x9a0f2f9e1d0c2a1b3c4d5e6f708192a3b4c5d6e7"


class Strict(BaseModel):
    """Takes each field as the type it is declared, and no field besides."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ChallengeIn(Strict):
    """Who wants to sign in; a machine that makes its own presentation needs only the nonce."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"address": _ADDRESS}]})

    address: AddressText | None = None


class Challenge(BaseModel):
    """What to sign, and for how long it counts."""

    nonce: str
    expires_at: int = Field(description="the nonce counts before this instant, unix seconds")
    uri: str = Field(description="this server: the URI of the message, the audience of a presentation")
    domain: str
    chain_id: int
    message: str | None = Field(description="the text to sign with personal_sign (EIP-4361), if an address was given")


class SignInIn(Strict):
    """Either the message with its signature, or a verifiable presentation as a JWT."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"message": "…", "signature": "0x" + "5a" * 65}]})

    message: Annotated[str, Field(max_length=MOST_MESSAGE)] | None = None
    signature: SignatureText | None = None
    presentation: Annotated[str, Field(max_length=MOST_PRESENTATION)] | None = None


class SignedInAs(BaseModel):
    """Who is signed in, and until when."""

    address: str
    did: str
    expires_at: int


class SignedInOut(SignedInAs):
    """A sign-in with its token: it is told once, and only a hash of it is kept."""

    token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # the kind of token, RFC 6750


class Ended(BaseModel):
    """The sign-in is over."""

    ended: bool


class GrantIn(Strict):
    """A grant before it is signed: to one reader (`grantee`), or to whoever holds a role (`role`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "grantor": _ADDRESS,
                    "grantee": "0x" + "11" * 20,
                    "purpose": "audit",
                    "scope": "account:7",
                    "until": 1_790_000_000,
                }
            ]
        }
    )

    grantor: AddressText = Field(description="who gives it, and signs it")
    grantee: AddressText | None = None
    role: Literal[tuple(Role)] | None = None  # type: ignore[valid-type]  # the roles stand in one place
    purpose: Literal[tuple(Purpose)]  # type: ignore[valid-type]  # as above
    scope: str = Field(
        max_length=64, description="account:7, node:1, session:42, meter:0x… (an asset in lower case), or trail"
    )
    until: int = Field(ge=0, lt=1 << 40, description="it counts before this instant, unix seconds")
    salt: int = Field(default=0, ge=0, lt=1 << 64, description="tells equal grants apart")


class SignedGrantIn(GrantIn):
    """A grant with its giver's signature of the typed data Grant(…)."""

    signature: SignatureText


class RevocationIn(Strict):
    """A signature of the typed data Revocation(bytes32 grant) by the giver, or by who owns the scope now."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"signature": "0x" + "5a" * 64}]})

    signature: SignatureText


class GrantOut(BaseModel):
    """A grant as it stands."""

    digest: HashText
    grant: dict[str, Any]
    signature: str
    given_at: int
    revoked_at: int | None


class GrantsOut(BaseModel):
    """What the asker gave, what was given to it, and what was given to the roles it holds."""

    given: list[GrantOut]
    received: list[GrantOut]
    by_role: list[GrantOut]


class ReadOut(BaseModel):
    """One read: who, what, whose it was, by what, when, and in which request."""

    number: int
    at: int
    reader: str
    read: str = Field(description="what was read, as a scope")
    owner: str | None = Field(description="whose it was; none for what is everybody's")
    permitted_by: Literal["own", "role", "grant"]
    under: str = Field(description="the scope that was permitted")
    role: str | None
    grant: HashText | None
    purpose: str | None
    request: str = Field(description="the name of the request: X-Request-ID")


class ReadPage(BaseModel):
    """Reads, newest first; `next` is the cursor of the next page."""

    reads: list[ReadOut]
    next: int | None
