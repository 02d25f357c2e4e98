"""Why an order was matched or not, for the person who signed it: a stable code and a sentence."""

from dataclasses import dataclass

from exchange.clearing import Clearing
from exchange.order import Side
from exchange.resting import Resting
from exchange.units import MicroPerKwh, Wh, to_decimal

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
    cancelled: bool = False,
    excluded: str | None = None,
) -> Outcome:
    """Explain what the clearing of its session made of `entry`, where the node took `fee`.

    `cancelled` and `excluded` (the code of the refusal) say that the order was taken back, or that its authority had
    ended by gate closure: such an order was not in the auction. An order that was partly own energy is explained by
    what became of the rest.
    """
    filled = Wh(sum(trade.energy for trade in clearing.trades if entry.digest in (trade.bid, trade.offer)))
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
        code, sentence = FILLED, f"All of it was traded at {_rate(clearing.rate)}{_fee_note(entry, fee)}."
    elif filled:
        missing = entry.order.energy - own - filled
        code = PARTLY_FILLED
        sentence = (
            f"It set the clearing rate of {_rate(clearing.rate)}{_fee_note(entry, fee)}: {filled} Wh were traded, "
            f"and for {missing} Wh nobody was left who agreed to that rate."
        )
    else:
        code, sentence = _why_nothing(entry, clearing, fee)
    if own and own < entry.order.energy:
        sentence = f"{own} Wh were own energy, used at home; for the rest: {sentence[0].lower()}{sentence[1:]}"
    return Outcome(code=code, sentence=sentence, filled=filled, own_use=own)


def _why_nothing(entry: Resting, clearing: Clearing, fee: MicroPerKwh) -> tuple[str, str]:
    """Explain why nothing of an order in the auction was traded."""
    is_bid = entry.order.side is Side.BID
    note = _fee_note(entry, fee)
    if clearing.rate is None:
        best = clearing.high if is_bid else clearing.low
        if best is None:
            return NO_COUNTERPARTY, f"There was no {'offer' if is_bid else 'bid'} to match it with."
        return LIMIT, f"Nothing was traded: the best {'offer' if is_bid else 'bid'} came to {_rate(best)}{note}."
    net = entry.order.limit - fee if is_bid else entry.order.limit
    if net == clearing.rate:
        return MARGIN, f"Its limit is the clearing rate of {_rate(clearing.rate)}{note}, and others came first."
    beyond = "below" if is_bid else "above"
    return (
        LIMIT,
        f"Its limit of {_rate(entry.order.limit)} is {beyond} the clearing rate of {_rate(clearing.rate)}{note}.",
    )


def _rate(rate: MicroPerKwh | None) -> str:
    """Return a rate in whole units of the currency per kWh."""
    assert rate is not None, "where something was traded there is a rate"
    return f"{to_decimal(rate, 6)} per kWh"


def _fee_note(entry: Resting, fee: MicroPerKwh) -> str:
    """Tell a buyer what comes on top of the rate."""
    return f" plus {to_decimal(fee, 6)} of fees" if entry.order.side is Side.BID and fee else ""
