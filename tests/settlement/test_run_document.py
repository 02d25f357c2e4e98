"""A run as a document: read again it is the same, and nothing in it can be changed unnoticed."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings

from exchange.units import MicroPerKwh
from identity.address import to_text
from identity.facts import AccountOpened, AssetEnrolled, AssetTransferred
from identity.registry import Registry
from settlement.imbalance import Band, Prices
from settlement.imbalance_rules import Estimate, VirtualMeter, rules_from_document
from settlement.metering_errors import RulesMalformed, RunMalformed
from settlement.payers import Payers
from settlement.run_document import run_from_document, run_hash, run_to_document
from tests.actors import NEIGHBOUR
from tests.registries import ROLES
from tests.settlement.metered_street import (
    CAR,
    COMMUNITY,
    FLAT,
    IMBALANCE,
    MAIN,
    ROOF,
    SHED,
    SLOT,
    START,
    street_facts,
)
from tests.settlement.test_runs import FIRST, LAST, instants, rules, runs, streets, taken


@given(streets(), instants, rules)
@settings(max_examples=20)
def test_a_run_that_is_written_and_read_is_the_same_run(street, earlier, how):
    obligations, accepted = street
    for run in runs([*earlier, LAST], *accepted, obligations=obligations, rules=how):
        again = run_from_document(json.loads(json.dumps(run_to_document(run))))
        assert again == run
        assert run_hash(again) == run_hash(run)


@pytest.fixture(scope="module")
def document():
    [run] = runs([FIRST], taken(asset=ROOF, net=500), taken(asset=FLAT, net=-700, estimated=True))
    return run_to_document(run)


def changed(document, *path, to):
    copy = json.loads(json.dumps(document))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return copy


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("as_of",), "1"),
        (("as_of",), True),
        (("rules",), "0x12"),
        (("lines", 0, "deviation_wh"), 7),
        (("lines", 0, "unsettled_wh"), 7),
        (("lines", 0, "asset"), "0x12"),
        (("lines", 0, "estimate"), "guessed"),
        (("postings", 0, "reason"), "why not"),
        (("postings", 0, "amount_nano"), 1.5),
        (("lines",), None),
        (("postings", 0, "account"), None),
        (("surplus",), 1),
    ],
)
def test_a_document_that_is_no_run_is_refused(document, path, to):
    assert run_from_document(document).lines
    with pytest.raises(RunMalformed):
        run_from_document(changed(document, *path, to=to))


def test_a_run_with_another_posting_has_another_hash(document):
    run = run_from_document(document)
    other = changed(document, "postings", 0, "amount_nano", to=document["postings"][0]["amount_nano"] + 1)
    assert run_hash(run_from_document(other)) != run_hash(run)


RULES = replace(
    IMBALANCE,
    band=Band(5, 50_000),
    prices=Prices(MicroPerKwh(3), MicroPerKwh(-4)),
    estimate=Estimate.LAST_WEEK,
    responsible=((2, 9), (3, 9)),
    virtual=((SHED, VirtualMeter(MAIN, (ROOF, FLAT))),),
)


def read(document):
    return rules_from_document(document, slot=SLOT, counterpart=COMMUNITY)


def test_rules_that_are_written_and_read_are_the_same_rules():
    assert read(json.loads(json.dumps(RULES.to_document()))) == RULES
    assert read(RULES.to_document()).hash() == RULES.hash() != IMBALANCE.hash()


def test_rules_of_nothing_charge_nothing_and_name_the_counterpart():
    rules = read({})
    assert (rules.counterpart, rules.prices.short, rules.prices.long) == (COMMUNITY, 0, 0)
    assert rules.settled_from(START) < rules.final_from(START)


@pytest.mark.parametrize(
    "change",
    [
        {"price": 1},
        {"short_micro_per_kwh": "1"},
        {"tolerance_ppm": 1_000_001},
        {"tolerance_wh": True},
        {"slot_seconds": 60},
        {"estimate": "spread"},
        {"estimate": "guessed"},
        {"waiting_seconds": 8 * 86_400},
        {"responsible": [{"account": 1, "charged": 2}, {"account": 1, "charged": 3}]},
        {"responsible": [{"account": 1}]},
        {"responsible": {}},
        {"virtual": [{"asset": "0x12", "main": to_text(MAIN), "known": []}]},
        {"virtual": [{"asset": to_text(SHED), "main": to_text(SHED), "known": []}]},
        {"virtual": [{"asset": to_text(SHED), "main": 5, "known": []}]},
        {"virtual": [{"asset": to_text(SHED), "main": to_text(MAIN), "known": "x"}]},
    ],
)
def test_rules_of_another_form_are_refused(change):
    assert read(RULES.to_document())
    with pytest.raises(RulesMalformed):
        read({**RULES.to_document(), **change})


def test_an_asset_is_charged_to_whom_it_ordered_for_or_is_enrolled_with():
    registry = Registry(ROLES)
    facts = [*street_facts(), *(AccountOpened(number, NEIGHBOUR.address) for number in (4, 5, 6))]
    facts += [AssetEnrolled(1, FLAT, 4, 1, 0, 0), AssetEnrolled(2, FLAT, 5, 1, 0, 0)]
    facts += [AssetTransferred(FLAT, NEIGHBOUR.address, START + 1), AssetEnrolled(3, FLAT, 6, 2, 0, 0)]
    for fact in facts:
        registry.apply(fact)
    payers = Payers({(FLAT, START + SLOT): 9}, registry)
    found = [payers.account_of(FLAT, START + turn * SLOT) for turn in range(3)]
    assert found == [5, 9, 6]
    assert payers.account_of(CAR, START) is None
