"""The documents agree with the code."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])


def refusals(base: type) -> set[type]:
    return {base} | {deep for direct in base.__subclasses__() for deep in refusals(direct)}


def all_refusals() -> set[type]:
    from contracts.errors import EvmError
    from exchange.notice_errors import ExchangeRefused
    from identity.errors import IdentityRefused
    from settlement.errors import SettlementRefused

    return set().union(*map(refusals, (EvmError, ExchangeRefused, IdentityRefused, SettlementRefused)))


def test_every_refusal_code_is_documented():
    page = (ROOT / "docs" / "refusals.md").read_text()
    missing = sorted({refusal.code for refusal in all_refusals() if f"`{refusal.code}`" not in page})
    assert not missing


def test_every_finding_of_the_audit_is_documented():
    from settlement.findings import CODES

    page = (ROOT / "docs" / "audit.md").read_text()
    assert not sorted(code for code in CODES if f"`{code}`" not in page)


def test_the_comparison_of_the_mechanisms_is_what_its_command_prints(capsys):
    from examples.compare_mechanisms import main

    main()
    printed = capsys.readouterr().out.strip()
    assert "pay-as-bid" in printed
    assert printed in (ROOT / "docs" / "mechanisms.md").read_text()


def test_the_floors_that_are_drawn_are_the_floors_that_are_checked():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(contract["layers"] for contract in settings["contracts"] if contract["type"] == "layers")
    drawn = re.findall(r"^    (\w+)/ ", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    assert drawn[: len(layers)] == layers
    drawn = re.findall(r"^    (\w+)/ ", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert drawn[: len(layers)] == layers


@pytest.mark.parametrize("room", ["app", "contracts", "exchange", "identity", "settlement"])
def test_the_purpose_of_every_file_stands_on_the_page_of_the_architecture(room):
    page = (ROOT / "docs" / "architecture.md").read_text()
    files = {str(path.relative_to(ROOT)) for path in (ROOT / room).rglob("*.py") if "_versions" not in str(path.parent)}
    named = {name for name in files if f"`{name}`" in page or name.endswith("__init__.py")}
    assert files - named == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_house_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{target} does not exist"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_exists(page):
    for target in re.findall(
        r"`((?:app|contracts|exchange|identity|settlement|tests|docs|bench|examples)/[\w./-]+)`", page.read_text()
    ):
        assert (ROOT / target).exists(), f"{target} does not exist"


def test_every_make_verb_that_the_readme_names_exists():
    verbs = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make (\w+)`?", (ROOT / "README.md").read_text()))
    assert {"demo", "test"} <= named <= verbs
