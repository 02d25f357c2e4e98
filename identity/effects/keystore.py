"""Private keys from where an operator keeps them; never from a flag, never into a log.

Two forms of file: 64 hex digits (for development), or a version 3 keystore, whose password stands in an environment
variable. A file that others can read is refused.
"""

import json
import os
import secrets
import stat
from pathlib import Path

from identity.errors import IdentityRefused

PASSWORD_VARIABLE = "MERIT_KEY_PASSWORD"  # noqa: S105  # the name of the variable, not a password

_CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


class KeyUnusable(IdentityRefused):
    """A key file is missing, open to others, or does not hold a key."""

    code = "key-unusable"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


def read_key(path: Path) -> bytes:
    """Return the 32-byte private key in the file at `path`, or refuse with the reason."""
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyUnusable(path, "others may read it; chmod 600")
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise KeyUnusable(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise KeyUnusable(path, "it is neither hex nor a keystore") from error
    if text.startswith("{"):
        return _decrypt(path, text)
    try:
        key = bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise KeyUnusable(path, "it is neither hex nor a keystore") from error
    return _checked(path, key)


def new_key(path: Path) -> bytes:
    """Make a new random key, write it to `path` for the owner's eyes only, and return it; never overwrites."""
    key = secrets.token_bytes(32)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise KeyUnusable(path, error.strerror or str(error)) from error
    with os.fdopen(handle, "w") as file:
        file.write("0x" + key.hex() + "\n")
    return key


def _decrypt(path: Path, text: str) -> bytes:
    from eth_account import Account

    password = os.environ.get(PASSWORD_VARIABLE)
    if password is None:
        raise KeyUnusable(path, f"it is a keystore, and {PASSWORD_VARIABLE} is not set")
    try:
        key = bytes(Account.decrypt(json.loads(text), password))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise KeyUnusable(path, "the keystore does not open with this password") from error
    return _checked(path, key)


def _checked(path: Path, key: bytes) -> bytes:
    if len(key) != 32:
        raise KeyUnusable(path, "a private key has 32 bytes")
    if not 0 < int.from_bytes(key, "big") < _CURVE_ORDER:
        raise KeyUnusable(path, "this number is no private key of secp256k1")
    return key
