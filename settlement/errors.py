"""What this room refuses.

SettlementRefused
├── BookUnsound           book-unsound
├── CalldataMalformed     malformed-calldata
├── ProofMalformed        malformed-proof
├── NotInTree             not-in-tree
├── UnknownAccount        unknown-account
├── UnknownBatch          unknown-batch
├── NotSettledYet         not-settled-yet
└── LedgerRefused
    ├── AmountOutOfBounds     amount-out-of-bounds
    ├── UnknownParty          unknown-party
    ├── CreditShort           credit-short
    ├── CreditTooLarge        credit-too-large
    ├── NothingRequested      nothing-requested
    └── WithdrawalNotDue      withdrawal-not-due
"""


class SettlementRefused(Exception):
    """An expected refusal of the settlement room."""

    code = "settlement-refused"


class BookUnsound(SettlementRefused):
    """The book cannot be made into batches: a trade names no order of it, or a value fits no field of the call."""

    code = "book-unsound"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class CalldataMalformed(SettlementRefused):
    """The bytes are not the one encoding of a call of `settle`."""

    code = "malformed-calldata"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class ProofMalformed(SettlementRefused):
    """The document is not a proof of a form known here."""

    code = "malformed-proof"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class NotInTree(SettlementRefused):
    """The tree has no such leaf."""

    code = "not-in-tree"

    def __init__(self, leaf: bytes) -> None:
        super().__init__(f"there is no leaf 0x{leaf.hex()} in the tree")
        self.leaf = leaf


class UnknownAccount(SettlementRefused):
    """No account has this number."""

    code = "unknown-account"

    def __init__(self, account: int) -> None:
        super().__init__(f"there is no account {account}")
        self.account = account


class UnknownBatch(SettlementRefused):
    """No batch was sealed as this part of this session."""

    code = "unknown-batch"

    def __init__(self, session: int, part: int) -> None:
        super().__init__(f"there is no part {part} of session {session}")
        self.session = session
        self.part = part


class NotSettledYet(SettlementRefused):
    """The session is not on the chain yet, so there is nothing to prove against."""

    code = "not-settled-yet"

    def __init__(self, session: str) -> None:
        super().__init__(f"session {session} is not on the chain yet")
        self.session = session


class LedgerRefused(SettlementRefused):
    """The movement did not happen; every account is as it was."""

    code = "ledger-refused"


class AmountOutOfBounds(LedgerRefused):
    """The amount is not positive, no whole number of token units, or more than the escrow can count."""

    code = "amount-out-of-bounds"

    def __init__(self, amount: int) -> None:
        super().__init__(f"{amount} nano is not an amount that can move in or out")
        self.amount = amount


class UnknownParty(LedgerRefused):
    """The batch names an asset that is enrolled under no account."""

    code = "unknown-party"

    def __init__(self, asset: int) -> None:
        super().__init__(f"no asset is enrolled under the number {asset}")
        self.asset = asset


class CreditShort(LedgerRefused):
    """An account would fall below zero."""

    code = "credit-short"

    def __init__(self, account: int, credit: int, needed: int) -> None:
        super().__init__(f"account {account} has {credit} nano and would pay {needed}")
        self.account = account
        self.credit = credit
        self.needed = needed


class CreditTooLarge(LedgerRefused):
    """An account would hold more than its field on the chain can count."""

    code = "credit-too-large"

    def __init__(self, account: int, credit: int) -> None:
        super().__init__(f"account {account} would hold {credit} nano")
        self.account = account
        self.credit = credit


class NothingRequested(LedgerRefused):
    """No withdrawal is pending for the account."""

    code = "nothing-requested"

    def __init__(self, account: int) -> None:
        super().__init__(f"no withdrawal is pending for account {account}")
        self.account = account


class WithdrawalNotDue(LedgerRefused):
    """The delay of the withdrawal is not over."""

    code = "withdrawal-not-due"

    def __init__(self, account: int, due: int) -> None:
        super().__init__(f"the withdrawal of account {account} is due at {due}")
        self.account = account
        self.due = due
