"""What an audit can find, each kind under a stable code."""

from dataclasses import dataclass

from exchange.delivery import SessionKey

CODES = {
    # the book alone
    "book-malformed": "the book cannot be read",
    "book-twice": "two books are of one session",
    "parameters-hash": "the parameters are not the ones that were committed",
    "parameters-changed": "the rules of the founding are not the same in all books",
    "rules-changed": "changes of the rules are left out, or hold for a session whose gate was open before",
    "terms-change": "a change of a node's terms was not its grid operator's, out of turn, or told in two ways",
    "order-digest": "the name of an order is not the digest of what it says",
    "order-signature": "an order was not signed by the one said to have signed it",
    "order-twice": "an order stands in the books twice",
    "order-session": "an order is for another session than the book",
    "order-energy-type": "an order was taken as another energy than its asset is certified for",
    "order-account": "an order was booked to another account or asset than it was signed for",
    "receipt-signature": "a receipt was not signed by the exchange",
    "receipt-mismatch": "a receipt is for another order",
    "sequence-gap": "a number was never given out: an order is missing",
    "sequence-order": "a number was given out twice, or orders do not stand in the order they came",
    "admission": "an order should have been refused",
    "forecast": "a forecast is forged or left out, or an order was taken beyond what was forecast of its asset",
    "own-crossing": "an order crossed another of its own account and was taken",
    "collateral": "an order was taken without the credit to cover it",
    "cancellation": "a cancellation is of no order of the book, stands there twice or came outside the gate",
    "cancellation-signature": "a cancellation was not signed by anybody who could act for the asset",
    "excluded-wrongly": "an order was left out of the clearing without cause",
    # the clearing
    "tick-time": "a tick was made at an instant that is none by the calendar",
    "tick-orders": "an order took part in a tick that it came too late for, or not in one that it came in time for",
    "tick-missed": "a tick was due and was not made, though the exchange was at work",
    "tick-clearing": "clearing a tick again gives something else",
    "proposal-signature": "a proposal was not signed by a matcher of the community, or is not as it was signed",
    "proposal-time": "a proposal was taken out of time or twice",
    "proposer": "another clearing than the best of those proposed and the exchange's own was taken",
    "clearing-nodes": "clearing again gives other results of nodes, or holds back other energy",
    "node-limit": "more crossed the boundary of a node than it lets through",
    "cleared-early": "the session was cleared before its gate closed",
    "clearing-rate": "clearing again gives another rate or interval",
    "clearing-trades": "clearing again gives other trades",
    "clearing-own-use": "clearing again gives other own energy",
    "clearing-lapsed": "clearing again lets other orders lapse",
    "trade-beyond-limit": "a trade is beyond a limit, the energy or the side of an order it names",
    "trade-fee": "a trade carries other fees than those of the nodes on its way, or another top",
    "trade-unknown-order": "a trade names an order that is not in the book",
    # the books against the chain
    "wrong-domain": "the book is of another chain or contract",
    "order-root": "the chain holds another order root than the book gives",
    "trade-root": "the chain holds another trade root than the book gives",
    "parts": "the chain holds the session in another number of parts",
    "totals": "the chain's event counts other orders, trades, energy or money than the batch",
    "calldata": "the transaction settled another batch than the book gives, or it cannot be read",
    "not-on-chain": "the chain does not hold the session, or a part of it",
    "twice-on-chain": "the chain holds a part of a session twice",
    "unknown-on-chain": "the chain holds a session that no book explains",
    "settled-early": "the session was settled before its gate closed",
    "settled-late": "the session was settled after its window",
    "terms": "the market on the chain has other terms than the parameters",
    # the chain alone
    "chain-log": "the contract's log cannot have happened as it is told",
    "money": "an account holds something else than the log adds up to",
    "conservation": "the contract holds other tokens than its accounts together",
    # the files
    "stored-fact": "the store holds a fact or calldata that the chain does not",
    "journal": "an entry of the journal is not as it was written, or is missing",
    "chain-record": "a line of a local chain's recording does not lead to the block it names",
    "stored-root": "a stored batch has another root than the book gives",
    "stored-batch": "a stored batch is of no session of the books, or its bytes are not the batch",
    # a proof
    "proof-leaf": "the leaf is not the hash of the values",
    "proof-path": "the siblings do not lead from the leaf to the root",
    "proof-order": "an order in the proof is not the one its trade names, or does not allow the trade",
    "proof-receipt": "the receipt in the proof was not signed by the exchange",
}
"""Every code with its meaning."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where, about what, and a sentence.

    `subject` is the `0x` name of an order, trade, root or transaction, or the number of an account; it may be empty.
    """

    code: str
    session: SessionKey | None
    subject: str
    sentence: str

    def __post_init__(self) -> None:
        assert self.code in CODES, f"{self.code} is no kind of finding"

    def __str__(self) -> str:
        where = "" if self.session is None else f"session {self.session}: "
        about = f" ({self.subject})" if self.subject else ""
        return f"{self.code}: {where}{self.sentence}{about}"

    def to_document(self) -> dict[str, object]:
        """Return the finding as plain values for JSON."""
        return {
            "code": self.code,
            "session": None if self.session is None else str(self.session),
            "subject": self.subject,
            "sentence": self.sentence,
        }
