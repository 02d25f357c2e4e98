"""Every sentence a contract refuses with begins with the module's name, is short, and is heard in a test."""

import re
from pathlib import Path

import pytest

CONTRACTS = Path(__file__).parents[2] / "contracts"
SOURCES = sorted(CONTRACTS.glob("*.vy"))
STRING = r'"((?:[^"\\]|\\.)*)"'


STATEMENT = r"^\s*(?:assert|raise|reasons\._require|reasons\._refuse)\b"
CHECKED = r"\b(?:assert|reasons\._require\()(?:[^\"#]|#[^\n]*)*?,\s+" + STRING
SAID = r"\b(?:raise |reasons\._refuse\()" + STRING


def code_of(path: Path) -> str:
    """The source without its documentation, and without the one line that says what it is given (`reasons.vy`)."""
    text = re.sub(r'""".*?"""', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return text.replace("raise reason\n", "") if path.name == "reasons.vy" else text


def told_in(path: Path) -> list[str]:
    text = code_of(path)
    return re.findall(CHECKED, text) + re.findall(SAID, text)


def reasons_in(path: Path) -> set[str]:
    return set(told_in(path))


def asserted_in_tests() -> set[str]:
    texts = [
        path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__)
    ]
    return {found for text in texts for found in re.findall(STRING, text)}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_assertion_has_a_reason(path):
    assert len(told_in(path)) == len(re.findall(STATEMENT, code_of(path), flags=re.MULTILINE))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_reason_names_its_module_and_fits_in_a_word(path):
    for reason in reasons_in(path):
        assert re.fullmatch(r"[a-z]+: [a-zA-Z0-9' ]+", reason)
        assert len(reason) <= 32


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_reason_is_heard_in_a_test(path):
    assert sorted(reasons_in(path) - asserted_in_tests()) == []


def test_there_are_reasons_to_hear():
    assert len(set().union(*map(reasons_in, SOURCES))) > 60
