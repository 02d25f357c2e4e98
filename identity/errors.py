"""What this room refuses.

IdentityRefused
├── MalformedAddress      malformed-address
├── BadSignature          bad-signature
└── AuthorityRefused
    ├── UnknownAsset      unknown-asset
    ├── AssetNotCurrent   asset-not-current
    ├── OrdersVoided      orders-voided
    └── NotAuthorised     not-authorised
"""


class IdentityRefused(Exception):
    """An expected refusal of the identity room."""

    code = "identity-refused"


class MalformedAddress(IdentityRefused):
    """The text or bytes are not an address, or their checksum is wrong."""

    code = "malformed-address"

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not an address, or its checksum is wrong")
        self.text = text


class BadSignature(IdentityRefused):
    """The bytes are not a canonical secp256k1 signature of the digest."""

    code = "bad-signature"

    def __init__(self, why: str) -> None:
        super().__init__(f"the signature is not acceptable: {why}")
        self.why = why


class AuthorityRefused(IdentityRefused):
    """The signer may not act for the asset."""

    code = "authority-refused"


class UnknownAsset(AuthorityRefused):
    """No asset with this identity is enrolled."""

    code = "unknown-asset"

    def __init__(self, asset: str) -> None:
        super().__init__(f"no asset {asset} is enrolled")
        self.asset = asset


class AssetNotCurrent(AuthorityRefused):
    """The asset's enrolment ends before the moment asked about."""

    code = "asset-not-current"

    def __init__(self, asset: str, until: int) -> None:
        super().__init__(f"the enrolment of asset {asset} ended at {until}")
        self.asset = asset
        self.until = until


class OrdersVoided(AuthorityRefused):
    """The holder has voided everything that was signed in an earlier epoch."""

    code = "orders-voided"

    def __init__(self, signed: int, current: int) -> None:
        super().__init__(f"signed in epoch {signed} of the account, which is now in epoch {current}")
        self.signed = signed
        self.current = current


class NotAuthorised(AuthorityRefused):
    """The signer is neither the account's holder nor a current delegate."""

    code = "not-authorised"

    def __init__(self, signer: str, account: int) -> None:
        super().__init__(f"{signer} is neither the holder of account {account} nor its current delegate")
        self.signer = signer
        self.account = account
