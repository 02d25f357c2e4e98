"""What is refused of meters and of the runs that charge imbalance: a branch of `settlement.errors`.

MeteringRefused               metering-refused
├── ReadingRefused            reading-refused
│   ├── ReadingMalformed      malformed-reading
│   ├── ReadingOffGrid        reading-off-grid
│   ├── PeriodNotOver         period-not-over
│   ├── ReadingTooLate        reading-too-late
│   ├── MeterKeyUnknown       unknown-meter-key
│   ├── ReadingConflicts      reading-conflicts
│   ├── ReadingOutdated       reading-outdated
│   └── ReadingImplausible    reading-implausible
├── RegisterRefused           register-refused
│   ├── RegisterOffGrid       register-off-grid
│   ├── RegisterConflicts     register-conflicts
│   └── RegisterFellBack      register-fell-back
├── RulesMalformed            malformed-imbalance-rules
├── PricesConflict            imbalance-prices-conflict
├── RunMalformed              malformed-run
├── RunOutOfTurn              run-out-of-turn
└── UnknownRun                unknown-run

A bad signature, and an asset that is unknown, nobody's or not certified, are refused by the identity room.
"""

from settlement.errors import SettlementRefused


class MeteringRefused(SettlementRefused):
    """An expected refusal of what meters say, or of what is charged for it."""

    code = "metering-refused"


class ReadingRefused(MeteringRefused):
    """The reading was not taken; nothing has changed."""

    code = "reading-refused"


class ReadingMalformed(ReadingRefused):
    """A field of the reading is missing, of the wrong type or out of its range."""

    code = "malformed-reading"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class ReadingOffGrid(ReadingRefused):
    """The reading is not of one slot: it begins within one, or is of another length."""

    code = "reading-off-grid"

    def __init__(self, start: int, seconds: int, slot: int) -> None:
        super().__init__(f"{seconds} s from {start} are not one slot of {slot} s")
        self.start = start
        self.seconds = seconds
        self.slot = slot


class PeriodNotOver(ReadingRefused):
    """The slot is not over yet, so nobody can have read what flowed in it."""

    code = "period-not-over"

    def __init__(self, over_at: int) -> None:
        super().__init__(f"the slot is over at {over_at}")
        self.over_at = over_at


class ReadingTooLate(ReadingRefused):
    """The cut-off of the slot has passed: what it came to is final."""

    code = "reading-too-late"

    def __init__(self, cut_off: int) -> None:
        super().__init__(f"readings of this slot were taken until {cut_off}")
        self.cut_off = cut_off


class MeterKeyUnknown(ReadingRefused):
    """The reading is signed by a key that is not the meter's of this asset, in the ownership of that slot."""

    code = "unknown-meter-key"

    def __init__(self, signer: str, asset: str, why: str) -> None:
        super().__init__(f"{signer} is no meter key of {asset}: {why}")
        self.signer = signer
        self.asset = asset
        self.why = why


class ReadingConflicts(ReadingRefused):
    """This version of the reading is held with another value: what is corrected has a new version."""

    code = "reading-conflicts"

    def __init__(self, version: int, held: bytes) -> None:
        super().__init__(f"version {version} is held as 0x{held.hex()}, with another value")
        self.version = version
        self.held = held


class ReadingOutdated(ReadingRefused):
    """A later version of this reading is held."""

    code = "reading-outdated"

    def __init__(self, version: int, held: int) -> None:
        super().__init__(f"version {version} comes after version {held} was taken")
        self.version = version
        self.held = held


class ReadingImplausible(ReadingRefused):
    """An asset of this kind and rated power cannot have drawn or fed in so much."""

    code = "reading-implausible"

    def __init__(self, net: int, low: int, high: int) -> None:
        super().__init__(f"{net} Wh is not between {low} and {high} Wh, which is what the asset is certified for")
        self.net = net
        self.low = low
        self.high = high


class RegisterRefused(MeteringRefused):
    """The readings of a cumulative register give no deltas."""

    code = "register-refused"


class RegisterOffGrid(RegisterRefused):
    """The register was read within a slot: what flowed before and after that instant cannot be told apart."""

    code = "register-off-grid"

    def __init__(self, at: int, slot: int) -> None:
        super().__init__(f"the register was read at {at}, where no slot of {slot} s begins")
        self.at = at
        self.slot = slot


class RegisterConflicts(RegisterRefused):
    """The register shows two different values at one instant."""

    code = "register-conflicts"

    def __init__(self, at: int) -> None:
        super().__init__(f"the register shows two different values at {at}")
        self.at = at


class RegisterFellBack(RegisterRefused):
    """A counter shows less than before, and no size was declared at which it begins anew."""

    code = "register-fell-back"

    def __init__(self, at: int, before: int, now: int) -> None:
        super().__init__(f"a counter fell from {before} to {now} Wh by {at}; declare where it rolls over, if it does")
        self.at = at
        self.before = before
        self.now = now


class RulesMalformed(MeteringRefused):
    """The rules of metering and imbalance, or published prices, are not of the form that is read here."""

    code = "malformed-imbalance-rules"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class PricesConflict(MeteringRefused):
    """Other prices were published for this slot before; what was published stands."""

    code = "imbalance-prices-conflict"

    def __init__(self, start: int) -> None:
        super().__init__(f"other prices were published for the slot that begins at {start}")
        self.start = start


class RunMalformed(MeteringRefused):
    """The document is no imbalance run, or not in the one form it has."""

    code = "malformed-run"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class RunOutOfTurn(MeteringRefused):
    """The run does not follow the one before: it looks at an earlier instant, or at one that has not come."""

    code = "run-out-of-turn"

    def __init__(self, as_of: int, earliest: int, latest: int | None = None) -> None:
        bound = f"before {earliest}" if as_of < earliest else f"after {latest}"
        super().__init__(f"a run as of {as_of} is {bound}")
        self.as_of = as_of
        self.earliest = earliest
        self.latest = latest


class UnknownRun(MeteringRefused):
    """No imbalance run has this number."""

    code = "unknown-run"

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no imbalance run {number}")
        self.number = number
