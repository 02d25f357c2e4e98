"""Imbalance runs: each takes all readings taken before an instant, and posts what differs from the runs before it.

Nothing is ever edited. A run settles every slot that has been waited for, with an estimate where a meter is silent, so
one missing meter holds up nobody; what comes in later is posted by the next run as a difference, until the cut-off of
the slot. So the sum over all runs is what one single run at the end would have posted, and the order in which readings
came changes nobody's charge.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from exchange.units import MicroPerKwh, Nano, Wh
from identity.address import Address
from settlement.contracted import NOTHING_AGREED, Obligation, Place
from settlement.deviation import Deviation
from settlement.imbalance import Prices, charge, charged
from settlement.imbalance_rules import Estimate, ImbalanceRules
from settlement.metered import Metering
from settlement.metering_errors import RunOutOfTurn
from settlement.readings import Readings


class Reason(Enum):
    """Why something is posted."""

    METERED = "metered"
    """The slot is settled for the first time, by a reading."""

    ESTIMATED = "estimated"
    """The slot is settled for the first time, by an estimate."""

    CORRECTED = "corrected"
    """An earlier run settled the slot otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one asset comes to in one slot, with the evidence: the digests of readings, or how it was estimated.

    `amount` is signed from the side of `account`, which is charged; `counterpart` gets or pays the opposite. An asset
    that was enrolled nowhere has no account, and is not charged.
    """

    asset: Address
    start: int
    deviation: Deviation
    band: Wh
    charged: Wh
    price: MicroPerKwh
    amount: Nano
    account: int | None
    counterpart: int
    evidence: tuple[bytes, ...]
    estimate: Estimate | None

    @property
    def place(self) -> Place:
        """The asset and the slot."""
        return self.asset, self.start

    @property
    def within(self) -> Wh:
        """What of the deviation lies within the band, and is nobody's business."""
        return Wh(self.deviation.unsettled - self.charged)

    def dues(self) -> dict[int, int]:
        """Return what is due to each account by this line; it sums to zero, and names nobody who gets nothing."""
        if self.account is None or self.account == self.counterpart or not self.amount:
            return {}
        return {self.account: self.amount, self.counterpart: -self.amount}


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """What a run adds to an account for one asset and slot: what is due by now less what was posted before."""

    account: int
    asset: Address
    start: int
    amount: Nano
    reason: Reason
    evidence: tuple[bytes, ...]
    estimate: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: its number, the instant it looks from, the hashes of the rules and of the run before.

    `lines` are those that are new or differ from the ones before, by slot and asset; `postings` follow from them, by
    slot, asset and account.
    """

    number: int
    as_of: int
    rules: bytes
    previous: bytes
    lines: tuple[Line, ...]
    postings: tuple[Posting, ...]


Settled = Mapping[Place, Line]
"""The newest line of each asset and slot, over all runs so far."""

NO_RUN = bytes(32)
"""What stands in place of the hash of the run before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What runs are made from. `account_of` says for whom an asset traded in a slot, `prices_of` what was published."""

    readings: Readings
    obligations: Mapping[Place, Obligation]
    account_of: Callable[[Address, int], int | None]
    prices_of: Callable[[int], Prices | None]


def settled_by(runs: Iterable[Run]) -> dict[Place, Line]:
    """Return the newest line of each asset and slot; `runs` come by number."""
    return {line.place: line for run in runs for line in run.lines}


def make_run(
    as_of: int,
    evidence: Evidence,
    rules: ImbalanceRules,
    *,
    number: int = 1,
    previous: bytes = NO_RUN,
    previous_as_of: int = 0,
    settled: Settled | None = None,
) -> Run:
    """Return the run as of an instant, after those that came to `settled`. Refuses one that looks from before the last.

    Slots that were final at the last run are not looked at again.
    """
    if as_of < previous_as_of:
        raise RunOutOfTurn(as_of, previous_as_of)
    before = {} if settled is None else settled
    metering = Metering(evidence.readings, rules, as_of)
    behind: dict[Address, list[Address]] = {}
    for asset, meter in rules.virtual:
        behind.setdefault(meter.main, []).append(asset)
    places = {*evidence.obligations, *before, *evidence.readings}
    places |= {(asset, start) for main, start in evidence.readings for asset in behind.get(main, ())}
    lines: list[Line] = []
    postings: list[Posting] = []
    for asset, start in sorted(places, key=lambda place: (place[1], place[0])):
        if asset in behind or rules.settled_from(start) > as_of or rules.final_from(start) <= previous_as_of:
            continue
        line = _line((asset, start), evidence, rules, metering)
        known = before.get((asset, start))
        if line is None or line == known:
            continue
        lines.append(line)
        first = rules.settled_from(start) > previous_as_of
        postings += _postings(line, known, first=first)
    return Run(
        number=number,
        as_of=as_of,
        rules=rules.hash(),
        previous=previous,
        lines=tuple(lines),
        postings=tuple(postings),
    )


def balances(runs: Iterable[Run]) -> dict[int, Nano]:
    """Return what all runs together posted to each account."""
    sums: dict[int, int] = {}
    for run in runs:
        for posting in run.postings:
            sums[posting.account] = sums.get(posting.account, 0) + posting.amount
    return {account: Nano(money) for account, money in sorted(sums.items())}


def _line(place: Place, evidence: Evidence, rules: ImbalanceRules, metering: Metering) -> Line | None:
    asset, start = place
    if place not in evidence.obligations and metering.read(asset, start) is None:
        return None  # nothing agreed and nothing read: there is nothing to say
    obligation = evidence.obligations.get(place, NOTHING_AGREED)
    metered = metering.taken_as(asset, start, obligation)
    deviation = Deviation(metered.net, obligation)
    band = rules.band.around(obligation.promised)
    energy = charged(deviation.unsettled, band)
    prices = evidence.prices_of(start) or rules.prices
    account = evidence.account_of(asset, start)
    return Line(
        asset=asset,
        start=start,
        deviation=deviation,
        band=band,
        charged=energy,
        price=prices.of(energy),
        amount=charge(energy, prices),
        account=None if account is None else dict(rules.responsible).get(account, account),
        counterpart=rules.counterpart,
        evidence=metered.evidence,
        estimate=metered.estimate,
    )


def _postings(line: Line, known: Line | None, *, first: bool) -> Sequence[Posting]:
    due, posted = line.dues(), {} if known is None else known.dues()
    reason = Reason.METERED if line.estimate is None else Reason.ESTIMATED
    return [
        Posting(
            account=account,
            asset=line.asset,
            start=line.start,
            amount=Nano(difference),
            reason=reason if first else Reason.CORRECTED,
            evidence=line.evidence,
            estimate=line.estimate,
        )
        for account in sorted({**due, **posted})
        if (difference := due.get(account, 0) - posted.get(account, 0))
    ]
