"""Why an order was matched or not, for the person who signed it: a stable code and a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from exchange.clearing import Clearing
from exchange.delivery import Mechanism
from exchange.order import Side
from exchange.resting import Resting
from exchange.trade import Trade
from exchange.units import MicroPerKwh, Nano, Wh, per_kwh, to_decimal

FILLED = "filled"
PARTLY_FILLED = "partly-filled"
OWN_ENERGY = "own-energy"
CANCELLED = "cancelled"
EXCLUDED = "excluded"
LAPSED = "lapsed-own-crossing"
NO_COUNTERPARTY = "not-matched-no-counterparty"
LIMIT = "not-matched-limit"
MARGIN = "not-matched-margin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an order: `filled` was traded, `own_use` was allocated within its home."""

    code: str
    sentence: str
    filled: Wh
    own_use: Wh


def why(
    entry: Resting,
    clearing: Clearing,
    fee: MicroPerKwh,
    *,
    mechanism: Mechanism = Mechanism.PAY_AS_CLEAR,
    cancelled: bool = False,
    excluded: str | None = None,
) -> Outcome:
    """Explain what the clearing of its session by `mechanism` made of `entry`, where the node took `fee`.

    `cancelled` and `excluded` (the code of the refusal) say that the order was taken back, or that its authority had
    ended by gate closure: such an order was not cleared. An order that was partly own energy is explained by
    what became of the rest.
    """
    trades = [trade for trade in clearing.trades if entry.digest in (trade.bid, trade.offer)]
    filled = Wh(sum(trade.energy for trade in trades))
    own = Wh(sum(use.energy for use in clearing.own_uses if entry.digest in (use.bid, use.offer)))
    if cancelled:
        code, sentence = CANCELLED, "It was cancelled before the gate closed."
    elif excluded is not None:
        code, sentence = EXCLUDED, f"Its signer could no longer act for the asset at gate closure ({excluded})."
    elif entry.digest in clearing.lapsed:
        code, sentence = LAPSED, "An earlier order of the same account crossed it, and no account trades with itself."
    elif own == entry.order.energy:
        code, sentence = OWN_ENERGY, "All of it was own energy, used at home without being traded."
    elif filled + own == entry.order.energy:
        code, sentence = FILLED, f"All of it was traded at {_rates(trades)}{_fee_note(entry, fee)}."
    elif filled:
        missing = Wh(entry.order.energy - own - filled)
        code, sentence = PARTLY_FILLED, _why_no_more(entry, trades, missing, fee, mechanism)
    else:
        code, sentence = _why_nothing(entry, clearing, fee, mechanism)
    if own and own < entry.order.energy:
        sentence = f"{own} Wh were own energy, used at home; for the rest: {sentence[0].lower()}{sentence[1:]}"
    return Outcome(code=code, sentence=sentence, filled=filled, own_use=own)


def _why_no_more(entry: Resting, trades: Sequence[Trade], missing: Wh, fee: MicroPerKwh, mechanism: Mechanism) -> str:
    """Explain why an order was traded in part only: everybody who agreed to its limit was used up."""
    filled = sum(trade.energy for trade in trades)
    if mechanism.is_uniform:
        return (
            f"It set the clearing rate of {_rates(trades)}{_fee_note(entry, fee)}: {filled} Wh were traded, "
            f"and for {missing} Wh nobody was left who agreed to that rate."
        )
    return (
        f"{filled} Wh were traded at {_rates(trades)}{_fee_note(entry, fee)}, "
        f"and for {missing} Wh nobody was left who agreed to its limit."
    )


def _why_nothing(entry: Resting, clearing: Clearing, fee: MicroPerKwh, mechanism: Mechanism) -> tuple[str, str]:
    """Explain why nothing of an order that was cleared was traded."""
    is_bid = entry.order.side is Side.BID
    note = _fee_note(entry, fee)
    if not clearing.trades:
        best = clearing.high if is_bid else clearing.low
        if best is None:
            return NO_COUNTERPARTY, f"There was no {'offer' if is_bid else 'bid'} to match it with."
        return LIMIT, f"Nothing was traded: the best {'offer' if is_bid else 'bid'} came to {_rate(best)}{note}."
    bound, bound_name = _bound(clearing, mechanism, is_bid=is_bid)
    net = entry.order.limit - fee if is_bid else entry.order.limit
    if net == bound:
        return MARGIN, f"Its limit is {bound_name} of {_rate(bound)}{note}, and others came first."
    if net < bound if is_bid else net > bound:
        beyond = "below" if is_bid else "above"
        return LIMIT, f"Its limit of {_rate(entry.order.limit)} is {beyond} {bound_name} of {_rate(bound)}{note}."
    if is_bid:
        return MARGIN, f"Dearer or earlier bids took every offer up to its limit of {_rate(entry.order.limit)}."
    return MARGIN, f"Cheaper or earlier offers took every bid down to its limit of {_rate(entry.order.limit)}."


def _bound(clearing: Clearing, mechanism: Mechanism, *, is_bid: bool) -> tuple[MicroPerKwh, str]:
    """Return the rate that an order needed at least to be worth something here, and what that rate is called.

    Where trades have rates of their own, these are the limits of one side. An order of that side had to beat the
    worst of them; one of the other side, to agree with the best.
    """
    if mechanism.is_uniform:
        rate, name = clearing.rate, "the clearing rate"
    else:
        rate, name = (clearing.low, "the lowest rate traded") if is_bid else (clearing.high, "the highest rate traded")
    assert rate is not None, "where something was traded there is a rate"
    return rate, name


def _rates(trades: Sequence[Trade]) -> str:
    """Return at which rate an order was traded, or between which, with the average."""
    low, high = min(trade.rate for trade in trades), max(trade.rate for trade in trades)
    if low == high:
        return _rate(low)
    energy = Wh(sum(trade.energy for trade in trades))
    average = per_kwh(Nano(sum(trade.value for trade in trades)), energy)
    assert average is not None, "a trade is for some energy"
    return f"{to_decimal(low, 6)} to {_rate(high)} ({to_decimal(average, 6)} on average)"


def _rate(rate: MicroPerKwh) -> str:
    """Return a rate in whole units of the currency per kWh."""
    return f"{to_decimal(rate, 6)} per kWh"


def _fee_note(entry: Resting, fee: MicroPerKwh) -> str:
    """Tell a buyer what comes on top of the rate."""
    return f" plus {to_decimal(fee, 6)} of fees" if entry.order.side is Side.BID and fee else ""
