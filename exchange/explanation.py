"""Why an order was matched or not, for the person who signed it: a stable code and a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from exchange.clearing import Clearing, NodeResult
from exchange.delivery import Mechanism, Product
from exchange.order import Side
from exchange.resting import Resting
from exchange.trade import Trade
from exchange.tree import Tree
from exchange.units import MicroPerKwh, Nano, Wh, per_kwh, to_decimal

FILLED = "filled"
PARTLY_FILLED = "partly-filled"
OWN_ENERGY = "own-energy"
CANCELLED = "cancelled"
EXCLUDED = "excluded"
LAPSED = "lapsed-own-crossing"
NO_COUNTERPARTY = "not-matched-no-counterparty"
LIMIT = "not-matched-limit"
HELD = "not-matched-limit-at-node"
PREFERENCES = "not-matched-preferences"
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
    tree: Tree,
    *,
    mechanism: Mechanism = Mechanism.PAY_AS_CLEAR,
    cancelled: bool = False,
    excluded: str | None = None,
) -> Outcome:
    """Explain what the clearing of its session over `tree` made of `entry`; `mechanism` is that of the market.

    `cancelled` and `excluded` (the code of the refusal) say that the order was taken back, or that its authority had
    ended by gate closure: such an order was not cleared, but what ticks had matched of the first before.
    An order that was partly own energy is explained by what became of the rest.
    """
    trades = [trade for trade in clearing.trades if entry.digest in (trade.bid, trade.offer)]
    filled = Wh(sum(trade.energy for trade in trades))
    own = Wh(sum(use.energy for use in clearing.own_uses if entry.digest in (use.bid, use.offer)))
    missing = Wh(entry.order.energy - own - filled)
    if cancelled:
        code, sentence = CANCELLED, "It was cancelled before the gate closed."
        if trades:
            matched = f"{filled} Wh were traded at {_rates(trades)}{_paid_note(entry, trades)} at ticks"
            sentence = f"{matched}; the rest was cancelled before the gate closed."
    elif excluded is not None:
        code, sentence = EXCLUDED, f"Its signer could no longer act for the asset at gate closure ({excluded})."
    elif entry.digest in clearing.lapsed:
        code, sentence = LAPSED, "An earlier order of the same account crossed it, and no account trades with itself."
    elif own == entry.order.energy:
        code, sentence = OWN_ENERGY, "All of it was own energy, used at home without being traded."
    elif not missing:
        code, sentence = FILLED, f"All of it was traded at {_rates(trades)}{_paid_note(entry, trades)}."
    elif filled:
        code, sentence = PARTLY_FILLED, _why_no_more(entry, clearing, trades, missing, tree, mechanism)
    else:
        code, sentence = _why_nothing(entry, clearing, tree, mechanism)
    if own and own < entry.order.energy:
        sentence = f"{own} Wh were own energy, used at home; for the rest: {sentence[0].lower()}{sentence[1:]}"
    return Outcome(code=code, sentence=sentence, filled=filled, own_use=own)


def _why_no_more(
    entry: Resting, clearing: Clearing, trades: Sequence[Trade], missing: Wh, tree: Tree, mechanism: Mechanism
) -> str:
    """Explain why an order was traded in part only: a boundary was full, or who agreed to its limit was used up."""
    filled = sum(trade.energy for trade in trades)
    traded = f"{filled} Wh were traded at {_rates(trades)}{_paid_note(entry, trades)}"
    held = _held(entry, clearing, tree)
    if held is not None:
        return f"{traded}. {held}"
    if mechanism.is_uniform and len({trade.rate for trade in trades}) == 1:
        return (
            f"It set the clearing rate of {_rates(trades)}{_paid_note(entry, trades)}: {filled} Wh were traded, "
            f"and for {missing} Wh nobody was left who agreed to that rate."
        )
    return f"{traded}, and for {missing} Wh nobody was left who agreed to its limit."


def _flows_in(entry: Resting) -> bool:
    """Whether the energy of an order flows to who placed it: to who buys it, or to who provides balancing down."""
    return (entry.order.side is Side.BID) is not (entry.order.product is Product.BALANCING_DOWN)


def _held(entry: Resting, clearing: Clearing, tree: Tree) -> str | None:
    """Name the node whose limit kept energy of the order from trading, if one did."""
    for held in clearing.held:
        if held.order == entry.digest and _good_above(entry, held.node, clearing, tree):
            node = tree[held.node]
            way = "into" if _flows_in(entry) else "out of"
            limit = node.import_limit if _flows_in(entry) else node.export_limit
            return (
                f"Limit at node {node.name}: {held.energy} Wh could not get {way} it, "
                f"since the {limit} Wh it lets through were used up."
            )
    return None


def _good_above(entry: Resting, node: int, clearing: Clearing, tree: Tree) -> bool:
    """Whether the order could have taken somebody's place beyond a node, had more been let through.

    Where nobody traded beyond it, better orders that were let through did not trade either; but where nothing is let
    through at all, or nothing was traded at all, the order is held against the best of the other side.
    """
    is_bid = entry.order.side is Side.BID
    above = set(tree.way_up(node)[1:])
    beyond = [result for result in clearing.nodes if result.node in above and result.energy]
    for result in beyond:
        rate = _at_node(entry, result.node, tree)
        worst, best = result.low, result.high
        assert worst is not None
        assert best is not None
        if rate >= worst if is_bid else rate <= best:
            return True
    if beyond or clearing.trades:
        limit = tree[node].import_limit if _flows_in(entry) else tree[node].export_limit
        return not beyond and limit == 0
    other = clearing.high if is_bid else clearing.low
    own = _at_node(entry, entry.node, tree)
    return other is not None and (own >= other if is_bid else own <= other)


def _why_nothing(entry: Resting, clearing: Clearing, tree: Tree, mechanism: Mechanism) -> tuple[str, str]:
    """Explain why nothing of an order that was cleared was traded."""
    is_bid = entry.order.side is Side.BID
    note = _fee_note(entry, tree)
    held = _held(entry, clearing, tree)
    if held is not None:
        return HELD, held
    if entry.preferences is not None:
        return PREFERENCES, "Nobody whom its preferences accept was left who agreed to its limit."
    if not clearing.trades:
        best = clearing.high if is_bid else clearing.low
        if best is None:
            return NO_COUNTERPARTY, f"There was no {'offer' if is_bid else 'bid'} to match it with."
        return LIMIT, f"Nothing was traded: the best {'offer' if is_bid else 'bid'} came to {_rate(best)}{note}."
    result = _nearest(entry, clearing, tree)
    if result is None:
        return LIMIT, f"Nothing was traded at {tree[entry.node].name} or above it that it could have been part of."
    bound, bound_name = _bound(result, mechanism, is_bid=is_bid)
    net = _at_node(entry, result.node, tree)
    at = "" if len(tree.nodes) == 1 else f" at {tree[result.node].name}"
    if net == bound:
        return MARGIN, f"Its limit is {bound_name}{at} of {_rate(bound)}{note}, and others came first."
    if net < bound if is_bid else net > bound:
        beyond = "below" if is_bid else "above"
        return LIMIT, f"Its limit of {_rate(entry.order.limit)} is {beyond} {bound_name}{at} of {_rate(bound)}{note}."
    if is_bid:
        return MARGIN, f"Dearer or earlier bids took every offer up to its limit of {_rate(entry.order.limit)}."
    return MARGIN, f"Cheaper or earlier offers took every bid down to its limit of {_rate(entry.order.limit)}."


def _nearest(entry: Resting, clearing: Clearing, tree: Tree) -> NodeResult | None:
    """Return what the first node on the way up came to at which something was traded."""
    results = {result.node: result for result in clearing.nodes if result.energy}
    return next((results[number] for number in tree.way_up(entry.node) if number in results), None)


def _at_node(entry: Resting, node: int, tree: Tree) -> MicroPerKwh:
    """Return the order's limit as a rate at a node above it: what is sold there, with the fees on the way."""
    below = tree.below(entry.node, node)
    if entry.order.side is Side.OFFER:
        limit = entry.order.limit
        return MicroPerKwh(limit + sum(tree[number].fee.at(limit) for number in below))
    return tree.most_for_seller(entry.order.limit, node, entry.node)


def _bound(result: NodeResult, mechanism: Mechanism, *, is_bid: bool) -> tuple[MicroPerKwh, str]:
    """Return the rate that an order needed at least to be worth something at a node, and what that rate is called.

    Where trades have rates of their own, these are the limits of one side. An order of that side had to beat the
    worst of them; one of the other side, to agree with the best.
    """
    if mechanism.is_uniform and result.price is not None:
        return result.price, "the clearing rate"
    rate, name = (result.low, "the lowest rate traded") if is_bid else (result.high, "the highest rate traded")
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


def _paid_note(entry: Resting, trades: Sequence[Trade]) -> str:
    """Tell a buyer what came on top of the rate."""
    fees = {trade.fee_rate for trade in trades}
    if entry.order.side is Side.OFFER or not any(fees):
        return ""
    most = to_decimal(max(fees), 6)
    return f" plus {most if len(fees) == 1 else f'{to_decimal(min(fees), 6)} to {most}'} of fees"


def _fee_note(entry: Resting, tree: Tree) -> str:
    """Tell a buyer what comes on top of the rate at least."""
    fee = tree[entry.node].fee.at(entry.order.limit)
    return f" plus {to_decimal(fee, 6)} of fees" if entry.order.side is Side.BID and fee else ""
