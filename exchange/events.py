"""What happened at the exchange: the entries of its journal. State is a fold over them (`market.py`)."""

from dataclasses import dataclass

from exchange.clearing import Clearing
from exchange.delivery import SessionKey
from exchange.order import SignedOrder
from exchange.parameters import Parameters
from exchange.receipt import Receipt
from exchange.terms import NodeTerms
from exchange.units import Nano
from identity.claim_data import EnergyType


@dataclass(frozen=True, slots=True, kw_only=True)
class ParametersSet:
    """The rules that hold from here on. The first entry of every journal."""

    parameters: Parameters
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTermsSet:
    """A node's grid operator has set its fee and limits: they hold for sessions whose gate opens after `at`."""

    digest: bytes
    terms: NodeTerms
    signature: bytes
    signer: bytes
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAccepted:
    """An order was taken, with what it was judged by: who signed, for which account, and the credit then free.

    Where orders may have preferences, `holder` is who holds the account, and `energy_type` what the asset is certified
    for as of gate closure: what the preferences of others are held against.
    """

    digest: bytes
    signed: SignedOrder
    receipt: Receipt
    signer: bytes
    account: int
    asset: int
    free: Nano
    holder: bytes = b""
    energy_type: EnergyType = EnergyType.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    """An order was taken back by a signature of its account before the gate closed."""

    digest: bytes
    session: SessionKey
    signature: bytes
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GateClosed:
    """A session takes orders no longer."""

    session: SessionKey
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCleared:
    """A session was cleared. `excluded` names orders whose authority had ended by gate closure, with the reason."""

    session: SessionKey
    clearing: Clearing
    excluded: tuple[tuple[bytes, str], ...]
    parameters: bytes
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettled:
    """The chain holds every batch of a session for good: what its orders had reserved is free again."""

    session: SessionKey
    at: int


Event = ParametersSet | NodeTermsSet | OrderAccepted | OrderCancelled | GateClosed | SessionCleared | SessionSettled
