"""What the chain, or the way to it, refuses.

EvmError                    evm-error
├── Reverted                reverted
├── TransactionRefused      transaction-refused
├── NodeUnreachable         node-unreachable
├── NodeRefused             node-refused
├── WrongChain              wrong-chain
├── NotMined                not-mined
├── NoSuchContract          no-such-contract
├── FeeAboveCap             fee-above-cap
├── ChainSettingsRefused    chain-settings-refused
├── MalformedDeployment     malformed-deployment
├── CompilerMissing         compiler-missing
├── UndertakingDiffers      undertaking-differs
└── RecordError             record-error
    ├── DamagedRecord       damaged-record
    ├── RecordInUse         record-in-use
    └── RecordNotWritten    record-not-written
"""

from enum import StrEnum


class EvmError(Exception):
    """An expected failure of the chain or of the way to it."""

    code = "evm-error"


class Reverted(EvmError):
    """The call would not succeed, or the transaction did not.

    `reason` is what the contract said, or else what stopped it ("Out of gas: ..."), or empty. `data` is what it
    returned.
    """

    code = "reverted"

    def __init__(self, reason: str, data: bytes = b"") -> None:
        super().__init__(f"reverted: {reason}" if reason else "reverted without a reason")
        self.reason = reason
        self.data = data


class Refusal(StrEnum):
    """Why a node did not take a transaction, as far as its words tell."""

    NONCE_TOO_LOW = "nonce-too-low"
    NONCE_TOO_HIGH = "nonce-too-high"
    UNDERPRICED = "underpriced"
    INSUFFICIENT_FUNDS = "insufficient-funds"
    ALREADY_KNOWN = "already-known"
    GAS = "gas"
    MALFORMED = "malformed"
    OTHER = "other"


class TransactionRefused(EvmError):
    """The node did not take the transaction. Nothing was sent on, unless the kind is `ALREADY_KNOWN`."""

    code = "transaction-refused"

    def __init__(self, reason: str, kind: Refusal = Refusal.OTHER) -> None:
        super().__init__(f"the node refused the transaction: {reason}")
        self.reason = reason
        self.kind = kind


class NodeUnreachable(EvmError):
    """No answer, or none that is JSON-RPC. A transaction just sent may or may not have arrived."""

    code = "node-unreachable"

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"the node at {url} does not answer: {why}")
        self.url = url
        self.why = why


class NodeRefused(EvmError):
    """The node answered a question with an error of its own."""

    code = "node-refused"

    def __init__(self, method: str, node_code: int, why: str) -> None:
        super().__init__(f"the node refused {method}: {why} ({node_code})")
        self.method = method
        self.node_code = node_code
        self.why = why


class WrongChain(EvmError):
    """The node serves another chain than the one expected."""

    code = "wrong-chain"

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"expected chain {expected}, the node serves chain {actual}")
        self.expected = expected
        self.actual = actual


class NotMined(EvmError):
    """The transaction was sent and not mined in the time given. It may still be."""

    code = "not-mined"

    def __init__(self, tx_hash: bytes, seconds: int) -> None:
        super().__init__(f"transaction 0x{tx_hash.hex()} was not mined within {seconds} s")
        self.tx_hash = tx_hash
        self.seconds = seconds


class NoSuchContract(EvmError):
    """What is at the address does not answer as our contract would, or nothing is there."""

    code = "no-such-contract"

    def __init__(self, address: bytes, question: str) -> None:
        super().__init__(f"what is at 0x{address.hex()} does not answer {question}")
        self.address = address
        self.question = question


class FeeAboveCap(EvmError):
    """The chain asks for a higher fee than the settings allow. Fees are in wei per gas."""

    code = "fee-above-cap"

    def __init__(self, needed: int, cap: int) -> None:
        super().__init__(f"the chain asks for {needed} wei per gas, and the cap is {cap}")
        self.needed = needed
        self.cap = cap


class ChainSettingsRefused(EvmError):
    """The file of chain settings cannot be used, or nothing can be settled as they are."""

    code = "chain-settings-refused"

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.place = place
        self.why = why


class MalformedDeployment(EvmError):
    """The text is not the record of a deployment."""

    code = "malformed-deployment"

    def __init__(self, why: str) -> None:
        super().__init__(f"not a deployment record: {why}")
        self.why = why


class CompilerMissing(EvmError):
    """The contracts cannot be compiled here: Vyper is not installed."""

    code = "compiler-missing"

    def __init__(self) -> None:
        super().__init__("vyper is not installed: install vyper==0.4.3, or compare with the committed artifacts")


class UndertakingDiffers(EvmError):
    """What was begun before, and cut short, is another undertaking: another chain's, key's, community's or token's.

    `step` counts from 1.
    """

    code = "undertaking-differs"

    def __init__(self, path: str, step: int) -> None:
        super().__init__(
            f"{path} was begun with another community, key, token or chain: transaction {step} would be another one. "
            "Go on with the same; or move the file away to begin anew, and what was deployed so far is left behind"
        )
        self.path = path
        self.step = step


class RecordError(EvmError):
    """The recording of a local chain cannot be used."""

    code = "record-error"


class DamagedRecord(RecordError):
    """A line of the recording does not lead to the block it names. `line` counts from 1."""

    code = "damaged-record"

    def __init__(self, path: str, line: int, why: str) -> None:
        super().__init__(f"{path}, line {line}: {why}")
        self.path = path
        self.line = line
        self.why = why


class RecordInUse(RecordError):
    """Another chain writes to the file, or a new chain was to overwrite it."""

    code = "record-in-use"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


class RecordNotWritten(RecordError):
    """The block could not be written down, so it does not exist; the chain takes nothing more until it is reopened."""

    code = "record-not-written"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why
