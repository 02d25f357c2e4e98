"""What is refused to whoever wants to sign in, to read, or to let others read: a branch of `identity.errors`.

AccessRefused              access-refused
├── NotSignedIn            not-signed-in
├── SignInEnded           sign-in-ended
├── MalformedSignIn        malformed-sign-in
├── SignInRefused          sign-in-refused
├── NotGranted             not-granted
├── GrantExpired           grant-expired
├── GrantRevoked           grant-revoked
├── MalformedGrant         malformed-grant
├── NotYoursToGrant        not-yours-to-grant
├── UnknownGrant           unknown-grant
└── AccessStoreBroken      access-store-broken
"""

from identity.errors import IdentityRefused


class AccessRefused(IdentityRefused):
    """An expected refusal of reading, or of what leads to it."""

    code = "access-refused"


class NotSignedIn(AccessRefused):
    """What was asked for is not public: sign in first."""

    code = "not-signed-in"

    def __init__(self) -> None:
        super().__init__("this is not public: sign in, and send the token as `Authorization: Bearer …`")


class SignInEnded(AccessRefused):
    """The token opens nothing: its time is over, it was given back, or nobody was ever given it."""

    code = "sign-in-ended"

    def __init__(self) -> None:
        super().__init__("the token opens nothing (any more): sign in again")


class MalformedSignIn(AccessRefused):
    """The text is no Sign-In with Ethereum message (EIP-4361), or the token no presentation as a JWT."""

    code = "malformed-sign-in"

    def __init__(self, why: str) -> None:
        super().__init__(f"this is no sign-in: {why}")
        self.why = why


class SignInRefused(AccessRefused):
    """The sign-in is well-formed, but not for this server, not for now, not from whom it says, or was used before."""

    code = "sign-in-refused"

    def __init__(self, why: str) -> None:
        super().__init__(f"the sign-in does not count here: {why}")
        self.why = why


class NotGranted(AccessRefused):
    """The reader neither owns this, nor has a role that may read it, nor was it granted."""

    code = "not-granted"

    def __init__(self, scope: str) -> None:
        super().__init__(f"{scope} is neither yours nor granted to you")
        self.scope = scope


class GrantExpired(AccessRefused):
    """The reader was granted this once, and the time of that grant is over."""

    code = "grant-expired"

    def __init__(self, grant: bytes, until: int) -> None:
        super().__init__(f"your grant to read this ended at {until}")
        self.grant = grant
        self.until = until


class GrantRevoked(AccessRefused):
    """The reader was granted this once, and the grant was taken back."""

    code = "grant-revoked"

    def __init__(self, grant: bytes, revoked_at: int) -> None:
        super().__init__(f"your grant to read this was revoked at {revoked_at}")
        self.grant = grant
        self.revoked_at = revoked_at


class MalformedGrant(AccessRefused):
    """The grant names no scope, purpose, role or reader that there is, or does not end in time."""

    code = "malformed-grant"

    def __init__(self, why: str) -> None:
        super().__init__(f"this is no grant: {why}")
        self.why = why


class NotYoursToGrant(AccessRefused):
    """The signer neither owns what the grant is about, nor has a role that may grant it; or did not make the grant."""

    code = "not-yours-to-grant"

    def __init__(self, signer: str, scope: str) -> None:
        super().__init__(f"{scope} is not {signer}'s to grant or to take back")
        self.signer = signer
        self.scope = scope


class UnknownGrant(AccessRefused):
    """No grant has this digest, or none that concerns whoever asks."""

    code = "unknown-grant"

    def __init__(self, grant: bytes) -> None:
        super().__init__(f"no grant 0x{grant.hex()} is known")
        self.grant = grant


class AccessStoreBroken(AccessRefused):
    """Grants, sign-ins and the record of reads cannot be written or read; so nothing is shown that must be recorded."""

    code = "access-store-broken"

    def __init__(self, why: str) -> None:
        super().__init__(f"the store of grants and reads cannot be used: {why}")
        self.why = why
