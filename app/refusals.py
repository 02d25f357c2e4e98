"""Which exit code an expected refusal ends a command with."""

from app.auditing import VerificationFailed
from app.client.errors import ClientError
from app.community import CommunityRefused
from app.demo import DemoFailed
from app.exit_codes import Exit
from app.founding import ExchangeFileUnusable
from contracts.errors import (
    ChainSettingsRefused,
    CompilerMissing,
    EvmError,
    NodeRefused,
    NodeUnreachable,
    NoSuchContract,
    RecordError,
    Reverted,
    WrongChain,
)
from exchange.errors import ExchangeRefused
from identity.effects.versioned import StorageUrlRefused
from identity.errors import IdentityRefused
from settlement.effects.errors import SettlementEffectError
from settlement.errors import SettlementRefused

_INVALID = (
    ChainSettingsRefused,
    ClientError,
    CommunityRefused,
    CompilerMissing,
    ExchangeFileUnusable,
    ExchangeRefused,
    IdentityRefused,
    NoSuchContract,
    RecordError,
    Reverted,
    SettlementEffectError,
    SettlementRefused,
    StorageUrlRefused,
    OSError,
)


def exit_of(error: Exception) -> Exit:
    """Return how a command ends that was refused with `error`; `UNEXPECTED` for anything that is no refusal."""
    if isinstance(error, VerificationFailed | DemoFailed):
        return Exit.VERIFICATION_FAILED
    if isinstance(error, NodeUnreachable | NodeRefused | WrongChain):
        return Exit.CHAIN_UNREACHABLE
    if isinstance(error, _INVALID):
        return Exit.INVALID_INPUT
    if isinstance(error, EvmError):
        return Exit.CHAIN_UNREACHABLE
    return Exit.UNEXPECTED
