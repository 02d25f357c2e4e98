"""What the client raises.

ClientError
├── ExchangeUnreachable   nobody answers, or not in time
├── AnswerMalformed       the answer is none that an exchange gives
├── WrongExchange         it is not the exchange that was expected
├── Refused               the exchange said no, with a code
├── ReceiptUnsound        an order was acknowledged with a receipt that is worth nothing
└── ProofUnsound          a proof does not hold
"""

from collections.abc import Mapping, Sequence
from typing import Any


class ClientError(Exception):
    """Something did not go as it should."""


class ExchangeUnreachable(ClientError):
    """Nobody answers, or not in time, however often it was tried."""


class AnswerMalformed(ClientError):
    """The answer is none that an exchange gives."""


class WrongExchange(ClientError):
    """The exchange is on another chain or contract than expected, or contradicts itself. Nothing was signed."""


class Refused(ClientError):
    """The exchange said no. `code` is stable; `document` is the whole problem (RFC 9457)."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(document.get("code", "http-error"))
        self.detail = str(document.get("detail", ""))
        self.document = document
        super().__init__(f"{self.code}: {self.detail}")


class ReceiptUnsound(ClientError):
    """An order was acknowledged with a receipt that the exchange's key did not sign, or for another order."""


class ProofUnsound(ClientError):
    """A proof does not hold; `findings` says where."""

    def __init__(self, findings: Sequence[str]) -> None:
        super().__init__("; ".join(findings))
        self.findings = tuple(findings)
