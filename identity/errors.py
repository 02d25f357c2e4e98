"""What this room refuses.

IdentityRefused
├── MalformedAddress      malformed-address
├── BadSignature          bad-signature
├── MalformedDid          malformed-did
├── UnknownNetwork        unknown-network
├── NoSuchAsset           no-such-asset
├── UnknownRole           unknown-role
├── UnknownPurpose        unknown-purpose
├── MalformedName         malformed-name
├── MalformedInstant      malformed-instant
├── MalformedClaimData    malformed-claim-data
├── MalformedAgreement    malformed-agreement
├── MalformedCredential   malformed-credential
├── MalformedStatusList   malformed-status-list
├── RatesRefused          rates-refused
│   ├── DuplicateAsset    duplicate-asset
│   ├── NegativeRate      negative-rate
│   └── RateNotWhole      rate-not-whole
└── AuthorityRefused
    ├── UnknownAsset            unknown-asset
    ├── AssetWithoutOwner       asset-without-owner
    ├── AssetNotEnrolled        asset-not-enrolled
    ├── AssetSold               asset-sold
    ├── AssetNotCertified       asset-not-certified
    ├── AssetNotCurrent         asset-not-current
    ├── NotABalancingProvider   not-a-balancing-provider
    ├── RateAboveCertified      rate-above-certified
    ├── NotABalancingAgent      not-a-balancing-agent
    ├── NotTheGridOperator      not-the-grid-operator
    ├── OrdersVoided            orders-voided
    └── NotAuthorised           not-authorised
        ├── MandateEnded            mandate-ended
        ├── MandateOfEarlierOwner   mandate-of-earlier-owner
        └── OwnershipEnded          ownership-ended
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


class MalformedDid(IdentityRefused):
    """The text is no DID of the method ethr, or no DID URL that can be answered."""

    code = "malformed-did"

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"{text[:200]!r} is not a did:ethr: {why}")
        self.text = text
        self.why = why


class UnknownNetwork(IdentityRefused):
    """A DID names a network whose chain nobody here knows."""

    code = "unknown-network"

    def __init__(self, network: str) -> None:
        super().__init__(f"no network {network!r} is known here")
        self.network = network


class NoSuchAsset(IdentityRefused):
    """What was asked about is no asset of the asset registry."""

    code = "no-such-asset"

    def __init__(self, asset: str) -> None:
        super().__init__(f"the asset registry knows no asset {asset}")
        self.asset = asset


class UnknownRole(IdentityRefused):
    """No role of this name is defined."""

    code = "unknown-role"

    def __init__(self, role: str) -> None:
        super().__init__(f"no role is called {role}")
        self.role = role


class UnknownPurpose(IdentityRefused):
    """Nobody here knows what a purpose of this name would be for."""

    code = "unknown-purpose"

    def __init__(self, purpose: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no purpose is called {purpose}; there are {', '.join(known)}")
        self.purpose = purpose
        self.known = known


class MalformedName(IdentityRefused):
    """The text is no name of a namespace or role, or none can be made of it."""

    code = "malformed-name"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name!r} is not a name: {why}")
        self.name = name
        self.why = why


class MalformedInstant(IdentityRefused):
    """The text is no instant of the form `2026-06-21T12:00:00Z`, or the instant is outside the calendar kept here."""

    code = "malformed-instant"

    def __init__(self, instant: str) -> None:
        super().__init__(f"{instant!r} is not an instant in UTC, in whole seconds, of the years 1970 to 2399")
        self.instant = instant


class MalformedClaimData(IdentityRefused):
    """The 32 bytes of a claim do not say what a claim to its role says, or what is to be said does not fit."""

    code = "malformed-claim-data"

    def __init__(self, role: str, why: str) -> None:
        super().__init__(f"not the data of a claim to {role}: {why}")
        self.role = role
        self.why = why


class MalformedAgreement(IdentityRefused):
    """The document is no claim that subject, or subject and issuer, have signed."""

    code = "malformed-agreement"

    def __init__(self, why: str) -> None:
        super().__init__(f"not the signed form of a claim: {why}")
        self.why = why


class MalformedCredential(IdentityRefused):
    """The text is no credential of a form that this house issues: `where` says which part, `why` what is wrong."""

    code = "malformed-credential"

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


class MalformedStatusList(IdentityRefused):
    """The text is no status list: not base64 of gzip, or too short, or too long."""

    code = "malformed-status-list"

    def __init__(self, why: str) -> None:
        super().__init__(f"not a status list: {why}")
        self.why = why


class RatesRefused(IdentityRefused):
    """The text is no registry of balancing rates."""

    code = "rates-refused"

    def __init__(self, asset: str, why: str) -> None:
        super().__init__(f"{asset!r}: {why}" if asset else why)
        self.asset = asset
        self.why = why


class DuplicateAsset(RatesRefused):
    """The registry names an asset twice."""

    code = "duplicate-asset"

    def __init__(self, asset: str) -> None:
        super().__init__(asset, "named twice")


class NegativeRate(RatesRefused):
    """A balancing rate of the registry is below zero."""

    code = "negative-rate"


class RateNotWhole(RatesRefused):
    """A balancing rate of the registry is no whole number of µ/kWh."""

    code = "rate-not-whole"


class AuthorityRefused(IdentityRefused):
    """The signer may not act for the asset."""

    code = "authority-refused"


class UnknownAsset(AuthorityRefused):
    """The asset registry has no asset with this identity."""

    code = "unknown-asset"

    def __init__(self, asset: str) -> None:
        super().__init__(f"there is no asset {asset}")
        self.asset = asset


class AssetWithoutOwner(AuthorityRefused):
    """The asset belongs to nobody at the moment asked about: it was retired, or not created yet."""

    code = "asset-without-owner"

    def __init__(self, asset: str, at: int) -> None:
        super().__init__(f"asset {asset} belongs to nobody at {at}")
        self.asset = asset
        self.at = at


class AssetNotEnrolled(AuthorityRefused):
    """The asset is not enrolled with the settlement contract by its owner at the moment asked about."""

    code = "asset-not-enrolled"

    def __init__(self, asset: str, epoch: int) -> None:
        super().__init__(f"asset {asset} is not enrolled in its ownership epoch {epoch}")
        self.asset = asset
        self.epoch = epoch


class AssetSold(AuthorityRefused):
    """The order was taken in another ownership of the asset than the one at the moment asked about."""

    code = "asset-sold"

    def __init__(self, asset: str, epoch: int) -> None:
        super().__init__(f"asset {asset} changed hands since the order was taken; it is in ownership epoch {epoch}")
        self.asset = asset
        self.epoch = epoch


class AssetNotCertified(AuthorityRefused):
    """The asset does not hold the role that lets it trade, at the moment asked about."""

    code = "asset-not-certified"

    def __init__(self, asset: str, at: int, why: str) -> None:
        super().__init__(f"asset {asset} is not certified at {at}: {why}")
        self.asset = asset
        self.at = at
        self.why = why


class AssetNotCurrent(AuthorityRefused):
    """The enrolment ended with a sale, and was not kept current until the moment asked about."""

    code = "asset-not-current"

    def __init__(self, asset: str, until: int) -> None:
        super().__init__(f"the enrolment of asset {asset} was kept current until {until} only")
        self.asset = asset
        self.until = until


class NotABalancingProvider(AuthorityRefused):
    """The asset does not hold the role that lets it offer balancing, at the moment asked about."""

    code = "not-a-balancing-provider"

    def __init__(self, asset: str, at: int, why: str) -> None:
        super().__init__(f"asset {asset} is no balancing provider at {at}: {why}")
        self.asset = asset
        self.at = at
        self.why = why


class RateAboveCertified(AuthorityRefused):
    """The offer asks for more than the asset is certified to be paid for balancing in its direction (µ/kWh)."""

    code = "rate-above-certified"

    def __init__(self, asset: str, rate: int, certified: int) -> None:
        super().__init__(f"asset {asset} asks {rate} µ/kWh, and is certified for {certified}")
        self.asset = asset
        self.rate = rate
        self.certified = certified


class NotABalancingAgent(AuthorityRefused):
    """The account neither operates the node nor was named to procure balancing for it."""

    code = "not-a-balancing-agent"

    def __init__(self, holder: str, node: int) -> None:
        super().__init__(f"{holder} does not procure balancing for node {node}")
        self.holder = holder
        self.node = node


class NotTheGridOperator(AuthorityRefused):
    """The signer does not operate this part of the grid, at the moment asked about."""

    code = "not-the-grid-operator"

    def __init__(self, signer: str, node: int, why: str) -> None:
        super().__init__(f"{signer} does not operate node {node}: {why}")
        self.signer = signer
        self.node = node
        self.why = why


class OrdersVoided(AuthorityRefused):
    """The holder has voided everything that was signed in an earlier epoch."""

    code = "orders-voided"

    def __init__(self, signed: int, current: int) -> None:
        super().__init__(f"signed in epoch {signed} of the account, which is now in epoch {current}")
        self.signed = signed
        self.current = current


class NotAuthorised(AuthorityRefused):
    """The signer is neither the asset's owner nor its delegate, and never was."""

    code = "not-authorised"

    def __init__(self, signer: str, asset: str, why: str = "never named for it") -> None:
        super().__init__(f"{signer} may not act for asset {asset}: {why}")
        self.signer = signer
        self.asset = asset
        self.why = why


class MandateEnded(NotAuthorised):
    """The signer was a delegate of the present owner, until its time was over or it was dismissed."""

    code = "mandate-ended"

    def __init__(self, signer: str, asset: str, ended: int) -> None:
        super().__init__(signer, asset, f"its delegation ended at {ended}")
        self.ended = ended


class MandateOfEarlierOwner(NotAuthorised):
    """The signer was a delegate of an earlier owner; the sale ended that."""

    code = "mandate-of-earlier-owner"

    def __init__(self, signer: str, asset: str, epoch: int, ended: int) -> None:
        super().__init__(signer, asset, f"its delegation was of ownership epoch {epoch}, which ended at {ended}")
        self.epoch = epoch
        self.ended = ended


class OwnershipEnded(NotAuthorised):
    """The signer owned the asset once."""

    code = "ownership-ended"

    def __init__(self, signer: str, asset: str, ended: int) -> None:
        super().__init__(signer, asset, f"its ownership ended at {ended}")
        self.ended = ended
