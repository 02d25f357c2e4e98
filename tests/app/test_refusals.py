"""Every expected refusal ends a command with its exit code; a bug does not pass for one."""

import pytest

from app.auditing import VerificationFailed
from app.community import CommunityRefused
from app.demo import DemoFailed
from app.exit_codes import Exit
from app.founding import ExchangeFileUnusable
from app.refusals import exit_of
from contracts.errors import (
    DamagedRecord,
    MalformedDeployment,
    NodeRefused,
    NodeUnreachable,
    NoSuchContract,
    RecordInUse,
    Reverted,
    WrongChain,
)
from exchange.errors import JournalBroken, JournalInUse, OrderMalformed
from identity.effects.keystore import KeyUnusable
from identity.errors import MalformedAddress
from settlement.errors import ProofMalformed

REFUSALS = [
    (VerificationFailed("7 findings"), Exit.VERIFICATION_FAILED),
    (DemoFailed("an order was refused"), Exit.VERIFICATION_FAILED),
    (NodeUnreachable("http://127.0.0.1:1", "refused"), Exit.CHAIN_UNREACHABLE),
    (NodeRefused("eth_call", -32000, "no"), Exit.CHAIN_UNREACHABLE),
    (WrongChain(1, 2), Exit.CHAIN_UNREACHABLE),
    (Reverted("roles: not the admin"), Exit.INVALID_INPUT),
    (DamagedRecord("chain.jsonl", 7, "not JSON"), Exit.INVALID_INPUT),
    (RecordInUse("chain.jsonl", "in use"), Exit.INVALID_INPUT),
    (CommunityRefused("no homes"), Exit.INVALID_INPUT),
    (ExchangeFileUnusable("not there"), Exit.INVALID_INPUT),
    (OrderMalformed("no energy"), Exit.INVALID_INPUT),
    (JournalInUse("journal.db"), Exit.INVALID_INPUT),
    (JournalBroken("damaged", 3), Exit.INVALID_INPUT),
    (MalformedAddress("0x12"), Exit.INVALID_INPUT),
    (KeyUnusable("key", "others may read it"), Exit.INVALID_INPUT),
    (NoSuchContract(bytes(20), "session"), Exit.INVALID_INPUT),
    (ProofMalformed("no leaf"), Exit.INVALID_INPUT),
    (FileNotFoundError(2, "No such file"), Exit.INVALID_INPUT),
    (KeyError("a bug"), Exit.UNEXPECTED),
    (AssertionError("a bug"), Exit.UNEXPECTED),
    (ValueError("a bug"), Exit.UNEXPECTED),
    (MalformedDeployment("a bug where it comes up alone"), Exit.CHAIN_UNREACHABLE),
]


@pytest.mark.parametrize(("error", "code"), REFUSALS, ids=lambda value: type(value).__name__)
def test_a_refusal_ends_with_its_code(error, code):
    assert exit_of(error) is code


def test_the_codes_are_the_documented_ones():
    assert {code.name: int(code) for code in Exit} == {
        "DONE": 0,
        "UNEXPECTED": 1,
        "USAGE": 2,
        "INVALID_INPUT": 3,
        "VERIFICATION_FAILED": 4,
        "CHAIN_UNREACHABLE": 5,
        "INTERRUPTED": 130,
    }
