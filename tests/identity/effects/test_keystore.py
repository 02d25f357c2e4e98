"""Private keys from files: read where only their owner can, refused with the reason everywhere else."""

import json

import pytest
from eth_account import Account

from identity.effects.keystore import PASSWORD_VARIABLE, KeyUnusable, new_key, read_key
from tests.actors import OPERATOR


@pytest.fixture
def written(tmp_path):
    """Write a key file, for the owner's eyes only unless said otherwise."""

    def write(text, mode=0o600):
        path = tmp_path / "operator.key"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    return write


@pytest.mark.parametrize("text", [OPERATOR.key.hex(), "0x" + OPERATOR.key.hex(), f"  {OPERATOR.key.hex().upper()}\n"])
def test_a_key_in_hex_is_read(written, text):
    assert read_key(written(text)) == OPERATOR.key


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_key_that_others_may_read_or_write_is_refused(written, mode):
    with pytest.raises(KeyUnusable, match="chmod 600"):
        read_key(written(OPERATOR.key.hex(), mode))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "32 bytes"),
        ("11" * 31, "32 bytes"),
        ("11" * 33, "32 bytes"),
        ("open sesame", "neither hex nor a keystore"),
        ("0x" + "1" * 63, "neither hex nor a keystore"),
        (b"\xff\xfe" * 16, "neither hex nor a keystore"),
    ],
    ids=["empty", "short", "long", "words", "odd", "bytes"],
)
def test_what_is_no_key_is_refused(written, text, why):
    with pytest.raises(KeyUnusable, match=why):
        read_key(written(text))


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32], ids=["zero", "beyond the curve's order"])
def test_a_number_that_no_key_can_be_is_refused(written, key):
    with pytest.raises(KeyUnusable, match="is no private key"):
        read_key(written(key.hex()))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(KeyUnusable, match="No such file"):
        read_key(tmp_path / "nowhere")


@pytest.fixture(scope="module")
def keystore():
    return json.dumps(Account.encrypt(OPERATOR.key, "sesame", kdf="pbkdf2", iterations=2))


def test_a_keystore_opens_with_its_password(written, keystore, monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "sesame")
    assert read_key(written(keystore)) == OPERATOR.key


def test_a_keystore_does_not_open_with_another_password(written, keystore, monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "open")
    with pytest.raises(KeyUnusable, match="does not open with this password"):
        read_key(written(keystore))


def test_a_keystore_asks_for_a_password(written, keystore, monkeypatch):
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    with pytest.raises(KeyUnusable, match=PASSWORD_VARIABLE):
        read_key(written(keystore))


@pytest.mark.parametrize("text", ["{", "{}", '{"version": 3}', "{" * 100_000], ids=["half", "empty", "little", "deep"])
def test_a_damaged_keystore_is_refused(written, text, monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "sesame")
    with pytest.raises(KeyUnusable, match="does not open"):
        read_key(written(text))


def test_a_refusal_never_tells_the_key(written):
    with pytest.raises(KeyUnusable) as refusal:
        read_key(written(OPERATOR.key.hex() + "11"))
    assert OPERATOR.key.hex() not in str(refusal.value)


def test_a_new_key_is_for_its_owner_only_and_is_never_written_over(tmp_path):
    path = tmp_path / "new.key"
    key = new_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key(path) == key != new_key(tmp_path / "another.key")
    with pytest.raises(KeyUnusable, match="exists"):
        new_key(path)
    assert read_key(path) == key
