"""What this room refuses of what is signed besides orders: proposals of matchers, terms of nodes, forecasts.

ExchangeRefused
├── NotAMatcher               not-a-matcher
├── NoMatchingHere            no-matching-here
├── ProposalTooEarly          proposal-too-early
├── ProposalTooLate           proposal-too-late
├── TooManyProposals          too-many-proposals
├── UnknownNode               unknown-node
├── TermsOutOfTurn            terms-out-of-turn
├── TermsOutOfBounds          terms-out-of-bounds
├── ForecastsNotTaken         forecasts-not-taken
├── ForecastOutOfBounds       forecast-out-of-bounds
└── ForecastOvertaken         forecast-overtaken
"""

from exchange.errors import ExchangeRefused


class NotAMatcher(ExchangeRefused):
    """The proposal was signed by nobody whom the rules name as a matcher."""

    code = "not-a-matcher"

    def __init__(self, signer: str) -> None:
        super().__init__(f"{signer} is not among the matchers of this community")
        self.signer = signer


class NoMatchingHere(ExchangeRefused):
    """The market takes no proposals: it waits for none, or is cleared as a whole network."""

    code = "no-matching-here"

    def __init__(self, market: str) -> None:
        super().__init__(f"the market {market} takes no proposals")
        self.market = market


class ProposalTooEarly(ExchangeRefused):
    """The session still takes orders: its book is shown, and proposals are taken, once its gate has closed."""

    code = "proposal-too-early"

    def __init__(self, gate_closure: int) -> None:
        super().__init__(f"proposals are taken once the gate has closed, at {gate_closure}")
        self.gate_closure = gate_closure


class ProposalTooLate(ExchangeRefused):
    """The time for proposals is over, or the session is cleared."""

    code = "proposal-too-late"

    def __init__(self, until: int) -> None:
        super().__init__(f"proposals were taken until {until}")
        self.until = until


class TooManyProposals(ExchangeRefused):
    """As many proposals were taken for the session as it has room for."""

    code = "too-many-proposals"

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} proposals are as many as are taken for one session")
        self.most = most


class UnknownNode(ExchangeRefused):
    """There is no node with this number in the tree."""

    code = "unknown-node"

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no node {number} in the tree")
        self.number = number


class TermsOutOfTurn(ExchangeRefused):
    """The change of a node's terms is not the next one: it was overtaken, or one before it is missing."""

    code = "terms-out-of-turn"

    def __init__(self, serial: int, due: int) -> None:
        super().__init__(f"the change has the serial {serial}, the node's next is {due}")
        self.serial = serial
        self.due = due


class TermsOutOfBounds(ExchangeRefused):
    """The fee or the limits are none that the node can have: the fee of some trade would be above its cap."""

    code = "terms-out-of-bounds"


class ForecastsNotTaken(ExchangeRefused):
    """This community holds nobody to forecasts, and takes none."""

    code = "forecasts-not-taken"

    def __init__(self) -> None:
        super().__init__("this community holds nobody to forecasts, and takes none")


class ForecastOutOfBounds(ExchangeRefused):
    """The forecast is for other times than those that are traded, or for too many of them at once."""

    code = "forecast-out-of-bounds"


class ForecastOvertaken(ExchangeRefused):
    """A forecast with the same or a higher serial is held for one of the slots."""

    code = "forecast-overtaken"

    def __init__(self, serial: int, held: int, slot: int) -> None:
        super().__init__(f"the forecast has the serial {serial}; for the slot that begins at {slot}, {held} is held")
        self.serial = serial
        self.held = held
        self.slot = slot
