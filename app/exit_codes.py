"""How a command ended, as its exit code. Documented in docs/audit.md and held by tests."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; 2 is Typer's own for wrong usage, 130 the shell's for an interruption."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    INVALID_INPUT = 3
    VERIFICATION_FAILED = 4
    CHAIN_UNREACHABLE = 5
    INTERRUPTED = 130
