"""The rules of a community: one form, one hash, and nothing in them that was not read."""

import copy
import json
from dataclasses import replace

import pytest

from exchange.delivery import Market, Mechanism
from exchange.parameters import LEAST_BATCH_GAS, MOST_BATCH_GAS, Parameters, from_document
from identity.address import to_text
from identity.errors import MalformedAddress
from identity.hashing import keccak
from tests.actors import STRANGER
from tests.exchange import street

DOCUMENT = street.PARAMETERS.to_document()


def test_rules_are_read_back_as_they_were_written():
    again = from_document(json.loads(json.dumps(DOCUMENT)))
    assert again == street.PARAMETERS
    assert again.hash() == street.PARAMETERS.hash()
    assert again.home_of(street.HOUSE) == "house"
    assert not again.home_of(street.FLAT)


def test_the_hash_is_that_of_the_canonical_json():
    canonical = json.dumps(DOCUMENT, sort_keys=True, separators=(",", ":"))
    assert street.PARAMETERS.hash() == keccak(canonical.encode())


def places(document, path=()):
    """Yield the path of every value in a document."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from places(value, (*path, name))
        else:
            yield (*path, name)


def changed(path, change):
    """Return the document with one value changed, or taken out."""
    document = copy.deepcopy(DOCUMENT)
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    change(inner, path[-1])
    return document


@pytest.mark.parametrize("path", list(places(DOCUMENT)), ids=".".join)
def test_rules_without_one_of_their_fields_are_refused(path):
    with pytest.raises(ValueError, match=path[-1]):
        from_document(changed(path, lambda inner, name: inner.pop(name)))


@pytest.mark.parametrize("path", list(places(DOCUMENT)), ids=".".join)
def test_rules_with_a_field_of_another_type_are_refused(path):
    with pytest.raises((ValueError, MalformedAddress)):
        from_document(changed(path, lambda inner, name: inner.update({name: 1.5})))


@pytest.mark.parametrize("path", [(), ("market",)])
def test_rules_with_a_surplus_field_are_refused(path):
    with pytest.raises(ValueError, match="parameters know no colour"):
        from_document(changed((*path, "colour"), lambda inner, name: inner.update({name: "green"})))


@pytest.mark.parametrize("document", [{}, {"market": 7}, {"market": None}, {**DOCUMENT, "homes": [7]}])
def test_what_are_no_rules_at_all_is_refused(document):
    with pytest.raises(ValueError):
        from_document(document)


SMALL = replace(street.PARAMETERS, batch_gas=4_000_000)


def test_the_bound_of_a_batch_is_published_where_it_is_not_the_usual_one():
    assert "batch_gas" not in DOCUMENT
    document = SMALL.to_document()
    assert document == {**DOCUMENT, "batch_gas": 4_000_000}
    assert from_document(json.loads(json.dumps(document))) == SMALL
    assert SMALL.hash() != street.PARAMETERS.hash()


@pytest.mark.parametrize(
    "gas", [MOST_BATCH_GAS, MOST_BATCH_GAS + 1, LEAST_BATCH_GAS - 1, -1, 4e6, True, None, "4000000"]
)
def test_a_bound_of_a_batch_that_is_none_or_need_not_be_said_is_refused(gas):
    with pytest.raises(ValueError, match="batch_gas|whole number"):
        from_document({**DOCUMENT, "batch_gas": gas})


@pytest.mark.parametrize("mechanism", Mechanism)
def test_the_mechanism_is_read_as_it_was_written(mechanism):
    rules = replace(street.PARAMETERS, market=replace(street.TERMS, mechanism=mechanism))
    assert from_document(rules.to_document()) == rules


def test_a_mechanism_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="PAY_AS_YOU_LIKE"):
        from_document(changed(("market", "mechanism"), lambda inner, name: inner.update({name: "pay_as_you_like"})))


def test_every_change_of_a_rule_changes_the_hash():
    rules = street.PARAMETERS
    others = [
        replace(rules, community="Another Street"),
        replace(rules, batch_gas=MOST_BATCH_GAS - 1),
        replace(rules, domain=replace(rules.domain, chain_id=1)),
        replace(rules, receipts=STRANGER.address),
        replace(rules, homes=()),
        replace(rules, least_energy=11),
        replace(rules, tree=one_node(rules.tree.root.fee.constant + 1)),
        replace(rules, market=replace(rules.market, mechanism=Mechanism.PAY_AS_BID)),
        replace(rules, market=replace(rules.market, mechanism=Mechanism.PAY_AS_OFFER)),
        replace(rules, market=replace(rules.market, lead=rules.market.lead + 1)),
    ]
    assert len({given.hash() for given in (rules, *others)}) == len(others) + 1


def test_homes_are_listed_in_order_and_once():
    homes = sorted([(street.HOUSE, "a"), (street.BARN, "b")])
    assert replace(street.PARAMETERS, homes=tuple(homes)).home_of(street.BARN) == "b"
    with pytest.raises(ValueError, match="ascending"):
        replace(street.PARAMETERS, homes=tuple(reversed(homes)))
    with pytest.raises(ValueError, match="one home"):
        replace(street.PARAMETERS, homes=((street.HOUSE, "a"), (street.HOUSE, "b")))


@pytest.mark.parametrize(
    "change",
    [{"number": 0}, {"number": 1 << 32}, {"period": 0}, {"opening": 300}, {"lead": -1}, {"fee": -1}],
    ids=str,
)
def test_terms_that_make_no_sense_are_refused(change):
    assert isinstance(street.TERMS, Market)
    name, value = next(iter(change.items()))
    document = json.loads(json.dumps(DOCUMENT))
    document["market"][next(key for key in document["market"] if key.startswith(name))] = value
    with pytest.raises(ValueError):
        from_document(document)
    with pytest.raises(ValueError):
        replace(street.TERMS, **change)


def test_addresses_are_written_with_their_checksum():
    assert DOCUMENT["receipts"] == to_text(street.PARAMETERS.receipts)
    assert isinstance(street.PARAMETERS, Parameters)
