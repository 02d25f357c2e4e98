"""The rules of a community: one form, one hash, and nothing in them that was not read."""

import copy
import json
from dataclasses import replace

import pytest

from exchange.delivery import Market, Mechanism, Product
from exchange.parameters import LEAST_BATCH_GAS, MOST_BATCH_GAS, Parameters, difference, from_document
from exchange.tree import Fee, Tree
from identity.address import to_text
from identity.errors import MalformedAddress
from identity.hashing import keccak
from tests.actors import STRANGER
from tests.exchange import street
from tests.exchange.trees import communities, node

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
    """Yield the path of every value in a document; where objects are listed, of those of the first."""
    for name, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield from places(value[0], (*path, name, 0))
        yield (*path, name)


def by_path(path):
    """Name a path."""
    return ".".join(map(str, path))


def changed(path, change):
    """Return the document with one value changed, or taken out."""
    document = copy.deepcopy(DOCUMENT)
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    change(inner, path[-1])
    return document


@pytest.mark.parametrize("path", list(places(DOCUMENT)), ids=by_path)
def test_rules_without_one_of_their_fields_are_refused(path):
    with pytest.raises(ValueError, match=path[-1]):
        from_document(changed(path, lambda inner, name: inner.pop(name)))


@pytest.mark.parametrize("path", list(places(DOCUMENT)), ids=by_path)
def test_rules_with_a_field_of_another_type_are_refused(path):
    with pytest.raises((ValueError, MalformedAddress)):
        from_document(changed(path, lambda inner, name: inner.update({name: 1.5})))


@pytest.mark.parametrize("path", [(), ("markets", 0), ("nodes", 0)])
def test_rules_with_a_surplus_field_are_refused(path):
    with pytest.raises(ValueError, match="parameters know no colour"):
        from_document(changed((*path, "colour"), lambda inner, name: inner.update({name: "green"})))


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"markets": 7},
        {**DOCUMENT, "markets": None},
        {**DOCUMENT, "markets": []},
        {**DOCUMENT, "markets": [7]},
        {**DOCUMENT, "nodes": {}},
        {**DOCUMENT, "nodes": []},
        {**DOCUMENT, "homes": [7]},
        {**DOCUMENT, "places": [7]},
        {**DOCUMENT, "matchers": "0x"},
    ],
)
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
    rules = replace(street.PARAMETERS, markets=(replace(street.TERMS, mechanism=mechanism),))
    assert from_document(rules.to_document()) == rules


def test_a_mechanism_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="PAY_AS_YOU_LIKE"):
        from_document(changed(("markets", 0, "mechanism"), lambda inner, name: inner.update({name: "pay_as_you_like"})))


DAY_AHEAD = replace(street.TERMS, number=9, title="day-ahead", product=Product.FORWARD, period=3_600)
TWO_NODES = Tree((street.TREE.root, node(2, 1)))
CHANGES_OF_A_MARKET = [
    {"mechanism": Mechanism.PAY_AS_BID},
    {"mechanism": Mechanism.PAY_AS_OFFER},
    {"mechanism": Mechanism.NETWORK},
    {"mechanism": Mechanism.PAY_AS_BID, "tick": 900},
    {"title": "now"},
    {"period": 1_800},
    {"opening": 86_401},
    {"lead": 301},
    {"window": 86_401},
    {"matching": 60},
]
CHANGES_OF_A_NODE = [
    {"name": "another"},
    {"fee": Fee(constant=9_999)},
    {"fee": Fee(ppm=1)},
    {"fee_account": 8},
    {"fee_cap": 10_001},
    {"operator": STRANGER.address},
    {"import_limit": 0},
    {"export_limit": 0},
    {"mechanism": Mechanism.PAY_AS_CLEAR},
]


def test_every_change_of_a_rule_changes_the_hash():
    rules = street.PARAMETERS
    others = [
        replace(rules, community="Another Street"),
        replace(rules, batch_gas=MOST_BATCH_GAS - 1),
        replace(rules, domain=replace(rules.domain, chain_id=1)),
        replace(rules, receipts=STRANGER.address),
        replace(rules, homes=()),
        replace(rules, least_energy=11),
        replace(rules, most_energy=99_999),
        replace(rules, lowest_limit=0),
        replace(rules, highest_limit=3_999_999),
        replace(rules, preferences=True),
        replace(rules, forecast_caps=True),
        replace(rules, matchers=(STRANGER.address,)),
        replace(rules, markets=(street.TERMS, DAY_AHEAD)),
        replace(rules, markets=(street.TERMS, replace(DAY_AHEAD, title="another"))),
        *(replace(rules, markets=(replace(street.TERMS, **change),)) for change in CHANGES_OF_A_MARKET),
        *(replace(rules, tree=Tree((replace(rules.tree.root, **change),))) for change in CHANGES_OF_A_NODE),
        replace(rules, tree=TWO_NODES),
        replace(rules, tree=TWO_NODES, places=((street.BARN, 2),)),
    ]
    assert len({given.hash() for given in (rules, *others)}) == len(others) + 1


def test_homes_are_listed_in_order_and_once():
    homes = sorted([(street.HOUSE, "a"), (street.BARN, "b")])
    assert replace(street.PARAMETERS, homes=tuple(homes)).home_of(street.BARN) == "b"
    with pytest.raises(ValueError, match="ascending"):
        replace(street.PARAMETERS, homes=tuple(reversed(homes)))
    with pytest.raises(ValueError, match="each asset once"):
        replace(street.PARAMETERS, homes=((street.HOUSE, "a"), (street.HOUSE, "b")))


@pytest.mark.parametrize(
    "change",
    [{"number": 0}, {"number": 1 << 32}, {"period": 0}, {"opening": 300}, {"lead": -1}, {"tick": -1}, {"matching": -1}],
    ids=str,
)
def test_terms_that_make_no_sense_are_refused(change):
    assert isinstance(street.TERMS, Market)
    name, value = next(iter(change.items()))
    document = json.loads(json.dumps(DOCUMENT))
    (terms,) = document["markets"]
    terms[next(key for key in terms if key.startswith(name))] = value
    with pytest.raises(ValueError):
        from_document(document)
    with pytest.raises(ValueError):
        replace(street.TERMS, **change)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"fee_micro_per_kwh": -1}, "between nothing"),
        ({"fee_ppm": 1_000_001, "fee_micro_per_kwh": 0}, "between nothing"),
        ({"fee_ppm": 1}, "not both"),
        ({"fee_micro_per_kwh": 10_001}, "at most its cap"),
        ({"import_limit_wh": -1}, "not negative"),
        ({"export_limit_wh": 1 << 62}, "at most 62 bits"),
        ({"number": 2}, "number of the root"),
        ({"parent": 1}, "one root"),
        ({"mechanism": "network"}, "whole tree"),
    ],
    ids=str,
)
def test_a_node_that_makes_no_sense_is_refused(change, why):
    document = copy.deepcopy(DOCUMENT)
    document["nodes"][0] |= change
    with pytest.raises(ValueError, match=why):
        from_document(document)


def test_assets_hang_where_the_rules_say_and_else_on_the_root():
    rules = replace(street.PARAMETERS, tree=TWO_NODES, places=((street.BARN, 2),))
    assert (rules.node_of(street.BARN), rules.node_of(street.HOUSE)) == (2, 1)
    assert from_document(json.loads(json.dumps(rules.to_document()))) == rules
    with pytest.raises(ValueError, match="not there"):
        replace(street.PARAMETERS, places=((street.BARN, 2),))


def test_a_calendar_lists_each_number_and_title_once_and_in_order():
    rules = replace(street.PARAMETERS, markets=(street.TERMS, DAY_AHEAD))
    assert from_document(json.loads(json.dumps(rules.to_document()))) == rules
    assert (rules.spot, rules.market_of(9), rules.market_or_none(8)) == (street.TERMS, DAY_AHEAD, None)
    assert rules.slot == 900
    for calendar, why in [
        ((), "one at least"),
        ((DAY_AHEAD, street.TERMS), "ascending"),
        ((street.TERMS, replace(DAY_AHEAD, number=1)), "ascending"),
        ((street.TERMS, replace(DAY_AHEAD, title="spot")), "one title"),
        ((street.TERMS, replace(DAY_AHEAD, period=1_000)), "whole number"),
    ]:
        with pytest.raises(ValueError, match=why):
            replace(street.PARAMETERS, markets=calendar)


def test_a_product_has_no_number_that_a_node_has():
    with pytest.raises(ValueError, match="no node has"):
        replace(street.PARAMETERS, markets=(street.TERMS, replace(DAY_AHEAD, number=2)), tree=TWO_NODES)


NETWORK = replace(street.TERMS, mechanism=Mechanism.NETWORK)


@pytest.mark.parametrize(
    "change",
    [
        {"tree": Tree((node(1, None, Fee(ppm=5)),))},
        {"tree": Tree((street.TREE.root, node(2, 1, mechanism=Mechanism.PAY_AS_BID)))},
        {"preferences": True},
    ],
    ids=["a share", "another mechanism", "preferences"],
)
def test_network_clearing_is_of_a_whole_tree_with_constant_fees(change):
    assert replace(street.PARAMETERS, markets=(NETWORK,), tree=TWO_NODES).spot is NETWORK
    assert replace(street.PARAMETERS, **change).spot is street.TERMS
    with pytest.raises(ValueError, match="network clearing"):
        replace(street.PARAMETERS, markets=(NETWORK,), **change)


def test_a_node_of_one_rate_is_in_no_market_with_a_tick():
    ticking = replace(street.TERMS, mechanism=Mechanism.PAY_AS_BID, tick=900)
    trees = {one: Tree((street.TREE.root, node(2, 1, mechanism=one))) for one in list(Mechanism)[:3]}
    assert replace(street.PARAMETERS, markets=(ticking,), tree=trees[Mechanism.PAY_AS_OFFER]).spot is ticking
    with pytest.raises(ValueError, match="cleared once"):
        replace(street.PARAMETERS, markets=(ticking,), tree=trees[Mechanism.PAY_AS_CLEAR])


def test_one_rate_is_promised_where_every_product_has_one_there():
    by_bid = replace(DAY_AHEAD, mechanism=Mechanism.PAY_AS_BID)
    own = Tree((street.TREE.root, node(2, 1, mechanism=Mechanism.PAY_AS_CLEAR)))
    plain = replace(street.PARAMETERS, tree=communities())
    both = replace(plain, markets=(street.TERMS, by_bid))
    mixed = replace(both, tree=own)
    assert [plain.is_uniform(number) for number in (1, 2)] == [True, True]
    assert [both.is_uniform(number) for number in (1, 2)] == [False, False]
    assert [mixed.is_uniform(number) for number in (1, 2)] == [False, True]
    assert not replace(plain, preferences=True).is_uniform(1)


def test_a_difference_is_named_by_market_and_by_node():
    other = replace(
        street.PARAMETERS,
        markets=(replace(street.TERMS, lead=600),),
        tree=Tree((replace(street.TREE.root, import_limit=7),)),
    )
    assert difference(street.PARAMETERS, other) == (
        "market 1: lead_seconds is 600, was 300, node 1: import_limit_wh is 7, was None"
    )


def test_addresses_are_written_with_their_checksum():
    assert DOCUMENT["receipts"] == to_text(street.PARAMETERS.receipts)
    assert isinstance(street.PARAMETERS, Parameters)
