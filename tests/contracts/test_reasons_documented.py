"""Every sentence a contract refuses with is explained in the documentation, and what is explained there is said."""

import re

from tests.contracts.test_reasons import CONTRACTS, SOURCES, reasons_in

PAGE = (CONTRACTS.parent / "docs" / "refusals.md").read_text(encoding="utf-8")
OURS = set().union(*(reasons_in(path) for path in SOURCES))


def test_every_reason_is_explained():
    assert sorted(reason for reason in OURS if f"`{reason}`" not in PAGE) == []


def test_every_reason_that_is_explained_is_said_by_a_contract():
    chapter = PAGE[PAGE.index("## What the contracts say") :]
    assert sorted(set(re.findall(r"`([a-z]+: [a-zA-Z0-9' ]+)`", chapter)) - OURS) == []
