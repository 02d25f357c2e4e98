"""Every sentence a contract refuses with begins with the module's name, is short, and is heard in a test."""

import re
from pathlib import Path

import pytest

CONTRACTS = Path(__file__).parents[2] / "contracts"
SOURCES = sorted(CONTRACTS.glob("*.vy"))
STRING = r'"((?:[^"\\]|\\.)*)"'


def reasons_in(path: Path) -> set[str]:
    text = re.sub(r'""".*?"""', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    asserted = re.findall(r"\bassert\b(?:[^\"#]|#[^\n]*)*?, " + STRING, text)
    return set(asserted) | set(re.findall(r"\braise " + STRING, text))


def asserted_in_tests() -> set[str]:
    texts = [
        path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__)
    ]
    return {found for text in texts for found in re.findall(STRING, text)}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_assertion_has_a_reason(path):
    text = re.sub(r'""".*?"""', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    statements = len(re.findall(r"^\s*(?:assert|raise)\b", text, flags=re.MULTILINE))
    told = len(re.findall(r"\bassert\b(?:[^\"#]|#[^\n]*)*?, " + STRING, text)) + len(
        re.findall(r"\braise " + STRING, text)
    )
    assert told == statements


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
