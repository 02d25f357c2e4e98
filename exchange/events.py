"""What happened at the exchange: the entries of its journal. State is a fold over them (`market.py`)."""

from dataclasses import dataclass

from exchange.anonymous import NO_BLIND
from exchange.charge import StateOfCharge
from exchange.clearing import Clearing
from exchange.delivery import SessionKey
from exchange.forecast import Forecast
from exchange.order import SignedOrder
from exchange.parameters import Parameters
from exchange.proposals import Proposal
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
class ChargeStated:
    """Who may sign for a storage has said how full it is: what it offers to balance is held against that."""

    digest: bytes
    charge: StateOfCharge
    signature: bytes
    signer: bytes
    account: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastSet:
    """An asset's forecast was taken: orders are held to it from the one with the number `sequence` on."""

    digest: bytes
    forecast: Forecast
    signature: bytes
    signer: bytes
    account: int
    sequence: int
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
class TickCleared:
    """The orders that stood at an instant within the gate were matched: those received before `at`, up to `upto`.

    `at` is the instant by the calendar, `upto` the number of the last receipt that took part, `turn` counts the
    clearings of the whole exchange before this one. `excluded` names orders whose authority had ended, with the reason.
    """

    session: SessionKey
    clearing: Clearing
    excluded: tuple[tuple[bytes, str], ...]
    upto: int
    turn: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GateClosed:
    """A session takes orders no longer. `blind` is what the names of its rows are made with, for who may match them."""

    session: SessionKey
    at: int
    blind: bytes = NO_BLIND


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalTaken:
    """A matcher proposed a clearing of a closed session. `refused` names the records that were not valid, by place.

    `welfare` is that of the valid ones, as things stood then.
    """

    digest: bytes
    session: SessionKey
    proposal: Proposal
    signature: bytes
    matcher: bytes
    refused: tuple[tuple[int, str], ...]
    welfare: Nano
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCleared:
    """A session was cleared. `excluded` names orders whose authority had ended by gate closure, with the reason.

    `clearing` is all that was made of the session, its ticks included; `turn` counts the clearings of the whole
    exchange before this one, ticks included. `proposer` is the matcher whose proposal was taken, nothing where none.
    `forecasts` are those that its orders were held to, where they were.
    """

    session: SessionKey
    clearing: Clearing
    excluded: tuple[tuple[bytes, str], ...]
    parameters: bytes
    at: int
    turn: int = 0
    forecasts: tuple[ForecastSet, ...] = ()
    proposer: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettled:
    """The chain holds every batch of a session for good: what its orders had reserved is free again."""

    session: SessionKey
    at: int


Event = (
    ParametersSet
    | NodeTermsSet
    | ForecastSet
    | ChargeStated
    | OrderAccepted
    | OrderCancelled
    | TickCleared
    | GateClosed
    | ProposalTaken
    | SessionCleared
    | SessionSettled
)
