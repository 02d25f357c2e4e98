"""Claims of readings: made with a bond, voided by one reading, settled within bounds. Each refusal beside its twin."""

from collections.abc import Iterator

import pytest

from tests.contracts.caller import refused
from tests.contracts.metered import (
    BOND,
    CAP,
    CLAIMANT,
    COUNTERPART,
    DISPUTABLE,
    LONG,
    SHORT,
    Claim,
    Leaf,
    Metered,
    charge_word,
)
from tests.contracts.metered import METER as PURPOSE
from tests.contracts.orders import address_of
from tests.contracts.registries import GRID_OPERATOR
from tests.contracts.town import NANO, PERIOD, START, Contract, Town

METER = "the meter"


@pytest.fixture(scope="module")
def first_metered() -> Metered:
    from tests.contracts.conftest import two_members

    town = two_members()
    metered = Metered(town)
    metered.name_it()
    metered.open()
    for member in ("the producer", "the consumer"):
        metered.name_meter(member, member, METER)
    metered.wait_for_delivery()
    return metered


@pytest.fixture
def metered(first_metered) -> Iterator[Metered]:
    """A town after delivery, with one meter for both assets."""
    with first_metered.as_before():
        yield first_metered


@pytest.fixture
def town(metered) -> Town:
    return metered.town


@pytest.fixture
def short(metered) -> Leaf:
    """The consumer drew 300 Wh more than it bought."""
    return metered.leaf("the consumer", -1_300, contracted=-1_000)


@pytest.fixture
def long(metered) -> Leaf:
    """The producer fed in 200 Wh more than it sold."""
    return metered.leaf("the producer", 1_000, contracted=800)


@pytest.fixture
def claim(metered, short, long) -> Claim:
    """Not made yet."""
    return metered.claim_of([short, long])


# opening


def test_a_grid_operator_opens_imbalance_in_a_market(metered, town):
    terms = town.accounts[COUNTERPART], CAP, DISPUTABLE, BOND, PERIOD
    assert metered.imbalance.read("terms", 1) == terms


def test_nobody_else_does(metered, town):
    town.open_market(2)
    with refused("imbalance: not a grid operator"):
        metered.open(2, sender="the operator")
    metered.open(2)


def test_who_operates_one_market_opens_that_one_only(metered, town):
    for market in (2, 3):
        town.open_market(market)
    town.registries.certify(address_of("the second"), GRID_OPERATOR, holder="the second", data=(3).to_bytes(32))
    with refused("imbalance: role is for another"):
        metered.open(2, sender="the second")
    metered.open(3, sender="the second")


def test_it_is_opened_once(metered):
    with refused("imbalance: open already"):
        metered.open()


def test_the_market_is_open(metered):
    with refused("imbalance: no such market"):
        metered.open(9)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"counterpart": 99}, "imbalance: no such counterpart"),
        ({"price_cap": 2**47}, "imbalance: cap is too large"),
        ({"window_seconds": 0}, "imbalance: window or bond is 0"),
        ({"bond_nano": 0}, "imbalance: window or bond is 0"),
    ],
)
def test_terms_that_mean_nothing_are_refused(metered, town, terms, reason):
    town.open_market(2)
    with refused(reason):
        metered.open(2, **terms)


# claiming


def test_a_claim_takes_the_bond(metered, town, claim):
    before = town.credit(CLAIMANT)
    made = metered.claim(claim)
    assert (town.credit(CLAIMANT), metered.bonds()) == (before - BOND, BOND)
    assert metered.imbalance.read("claims", made.session) != bytes(32)


def test_only_an_operator_claims(metered, town, claim):
    with refused("imbalance: not an operator"):
        metered.claim(claim.but(account=town.accounts["the consumer"]), "the consumer")


def test_nobody_claims_at_the_cost_of_another(metered, town, claim):
    with refused("imbalance: not the holder"):
        metered.claim(claim.but(account=town.accounts["the consumer"]))


def test_a_claim_needs_a_market_with_terms(metered, town, claim):
    town.open_market(2)
    with refused("imbalance: not open"):
        metered.claim(claim.but(market=2))
    metered.open(2)
    metered.claim(claim.but(market=2))


def test_a_claim_is_about_a_delivery_period(metered, claim):
    with refused("imbalance: off the period grid"):
        metered.claim(claim.but(start=START + 1))


def test_nothing_is_claimed_before_it_was_delivered(metered, town, claim):
    later = claim.but(start=START + 20 * PERIOD)
    town.move_to(later.start + PERIOD - 1)
    with refused("imbalance: not delivered yet"):
        metered.claim(later)
    town.move_to(later.start + PERIOD)
    metered.claim(later)


@pytest.mark.parametrize("count", [0, 1_025])
def test_a_claim_has_leaves_and_not_too_many(metered, claim, count):
    with refused("imbalance: number of leaves"):
        metered.claim(claim.but(count=count))


@pytest.mark.parametrize("prices", [{"short": CAP + 1}, {"short": -CAP - 1}, {"long": CAP + 1}, {"long": -CAP - 1}])
def test_no_price_is_above_the_cap(metered, claim, prices):
    with refused("imbalance: price above the cap"):
        metered.claim(claim.but(**prices))
    metered.claim(claim.but(short=CAP, long=-CAP))


def test_one_claim_stands_at_a_time(metered, claim):
    metered.claim(claim)
    with refused("imbalance: claimed already"):
        metered.claim(claim)


def test_a_claim_needs_the_money_for_its_bond(metered, town, claim):
    town.send(CLAIMANT, "request_withdrawal", claim.account, 10**8)
    town.move_to(town.read("withdrawal", claim.account)[1])
    town.send("anybody", "withdraw", claim.account)
    with refused("money: credit is short"):
        metered.claim(claim)


def test_a_claim_waits_until_its_contract_is_the_clearer(claim):
    from tests.contracts.conftest import two_members

    early = Metered(two_members())
    early.town.send("the admin", "name_clearer", early.imbalance.address)
    early.open()
    since = early.town.read("clearer") >> 160
    early.town.move_to(since - 1)
    old = claim.but(start=since - since % PERIOD - 2 * PERIOD, account=early.town.accounts[CLAIMANT])
    with refused("clearing: not the clearer"):
        early.claim(old)
    early.town.move_to(since)
    early.claim(old)


# disputing


def test_a_reading_that_contradicts_voids_the_claim_and_wins_the_bond(metered, town, claim, short):
    made, before = metered.claim(claim), town.credit("the producer")
    outcome = metered.dispute(made, short, metered.reading("the consumer", -1_000, meter=METER))
    assert metered.imbalance.read("claims", made.session) == bytes(32)
    assert (town.credit("the producer"), metered.bonds()) == (before + BOND, 0)
    [(name, fields)] = metered.imbalance.events(outcome)
    assert (name, fields["asset"], fields["paid"]) == ("ImbalanceVoided", short.asset, True)


def test_a_reading_that_says_the_same_contradicts_nothing(metered, claim, short):
    made = metered.claim(claim)
    with refused("imbalance: reading agrees"):
        metered.dispute(made, short, metered.reading("the consumer", short.net, meter=METER))


def test_a_correction_contradicts_and_what_it_corrected_does_not(metered, town):
    leaf = metered.leaf("the consumer", -1_300, version=2)
    made = metered.claim(metered.claim_of([leaf]))
    with refused("imbalance: reading is older"):
        metered.dispute(made, leaf, metered.reading("the consumer", -1_000, meter=METER, version=1))
    metered.dispute(made, leaf, metered.reading("the consumer", -1_000, meter=METER, version=3))


def test_any_reading_contradicts_an_estimate(metered):
    leaf = metered.leaf("the consumer", -1_300, version=0)
    made = metered.claim(metered.claim_of([leaf]))
    metered.dispute(made, leaf, metered.reading("the consumer", -1_000, meter=METER))


def test_a_leaf_that_contradicts_itself_needs_no_reading(metered):
    leaf = metered.leaf("the consumer", -1_300, contracted=-1_000, deviation=-301)
    made = metered.claim(metered.claim_of([leaf]))
    metered.dispute(made, leaf, (0, 0, bytes(32), bytes(32)))


@pytest.mark.parametrize(
    "change",
    [{"start": START + PERIOD}, {"seconds": 2 * PERIOD}, {"contract": bytes(20)}, {"identity": bytes(20)}],
)
def test_a_reading_of_something_else_contradicts_nothing(metered, claim, short, change):
    made = metered.claim(claim)
    with refused("imbalance: not its meter"):
        metered.dispute(made, short, metered.reading("the consumer", -1_000, meter=METER, **change))


@pytest.mark.parametrize("signer", ["the consumer", "the operator", "a passer-by"])
def test_only_a_meter_of_the_asset_reads_it(metered, claim, short, signer):
    made = metered.claim(claim)
    with refused("imbalance: not its meter"):
        metered.dispute(made, short, metered.reading("the consumer", -1_000, meter=signer))


def test_what_is_no_signature_is_nobodys(metered, claim, short):
    made = metered.claim(claim)
    with refused("imbalance: not its meter"):
        metered.dispute(made, short, (-1_000, 1, bytes(32), bytes(32)))


def test_a_meter_that_was_dismissed_once_the_period_had_begun_counts_and_one_before_does_not(metered, town):
    start = START + 31 * PERIOD
    leaf = metered.leaf("the consumer", -1_300)
    shell = town.registries.shell(town.identities["the consumer"])
    reading = metered.reading("the consumer", -1_000, meter=METER, start=start)
    with town.as_before():
        town.move_to(start)
        shell.send("the consumer", "dismiss", PURPOSE, address_of(METER))
        town.move_to(start + PERIOD)
        made = metered.claim(metered.claim_of([leaf], start=start))
        with refused("imbalance: not its meter"):
            metered.dispute(made, leaf, reading)
    town.move_to(start + 1)
    shell.send("the consumer", "dismiss", PURPOSE, address_of(METER))
    town.move_to(start + PERIOD)
    made = metered.claim(metered.claim_of([leaf], start=start))
    metered.dispute(made, leaf, reading)


def test_a_leaf_is_shown_to_be_in_the_tree(metered, claim, short, long):
    made = metered.claim(claim)
    reading = metered.reading("the consumer", -1_000, meter=METER)
    for wrong in (short.but(net=-1_200, contracted=-900), short.but(salt=bytes(32)), short.but(account=99)):
        with refused("imbalance: not in the tree"):
            metered.dispute(made, wrong, reading, proof=made.proof(short))
    with refused("imbalance: not in the tree"):
        metered.dispute(made, short, reading, proof=made.proof(long))


def test_a_claim_is_shown_as_it_was_made(metered, claim, short):
    made = metered.claim(claim)
    for change in (
        {"short": SHORT - 1},
        {"account": 1},
        {"claimed_at": made.claimed_at + 1},
        {"parameters": bytes(32)},
    ):
        with refused("imbalance: no such claim"):
            metered.dispute(made.but(**change), short, metered.reading("the consumer", -1_000, meter=METER))


def test_a_pause_saves_no_false_claim(metered, town, claim, short):
    made = metered.claim(claim)
    town.send("the guardian", "pause")
    before, won = town.credit("the producer"), town.accounts["the producer"]
    outcome = metered.dispute(made, short, metered.reading("the consumer", -1_000, meter=METER))
    assert not metered.imbalance.events(outcome)[0][1]["paid"]
    assert (metered.imbalance.read("owed", won), metered.bonds()) == (BOND, BOND)
    with refused("pause: paused"):
        metered.imbalance.send("anybody", "collect", won)
    town.send("the admin", "unpause")
    metered.imbalance.send("anybody", "collect", won)
    assert (town.credit("the producer"), metered.bonds()) == (before + BOND, 0)
    with refused("imbalance: nothing is owed"):
        metered.imbalance.send("anybody", "collect", won)


def test_nobody_wins_for_an_account_that_is_not_open(metered, town, claim, short):
    made = metered.claim(claim)
    town.accounts["nobody"] = 99
    with refused("imbalance: no such account"):
        metered.dispute(made, short, metered.reading("the consumer", -1_000, meter=METER), account="nobody")
    del town.accounts["nobody"]


def test_after_a_void_the_operator_claims_anew(metered, town, claim, short, long):
    made = metered.claim(claim)
    metered.dispute(made, short, metered.reading("the consumer", -1_000, meter=METER))
    again = metered.claim(metered.claim_of([short.but(net=-1_000), long]))
    with refused("imbalance: reading agrees"):
        metered.dispute(again, again.leaves[0], metered.reading("the consumer", -1_000, meter=METER))


# settling


def test_charges_are_paid_and_the_bond_goes_back(metered, town, claim, short, long):
    before = {name: town.credit(name) for name in ("the consumer", "the producer", COUNTERPART, CLAIMANT)}
    made = metered.claim(claim)
    metered.wait_for_the_window(made)
    outcome = metered.settle(made, {short.asset: -300 * SHORT, long.asset: 200 * LONG})
    after = {name: town.credit(name) - held for name, held in before.items()}
    assert after == {
        "the consumer": -300 * SHORT,
        "the producer": 200 * LONG,
        COUNTERPART: 300 * SHORT - 200 * LONG,
        CLAIMANT: 0,
    }
    assert sum(nano for _, nano in metered.moved(outcome)) == 0
    [(name, fields)] = metered.imbalance.events(outcome)
    assert (name, fields["charges"], fields["counterpart_nano"]) == ("ImbalanceSettled", 2, after[COUNTERPART])
    assert metered.bonds() == 0


def test_who_is_not_charged_shows_nothing(metered, town, claim, short, long):
    made = metered.claim(claim)
    metered.wait_for_the_window(made)
    nodes, _ = made.opened({short.asset: -1})
    assert long.hash(made.session) in nodes
    metered.settle(made, {short.asset: -1})
    assert town.credit("the producer") == 100 * NANO


def test_only_an_operator_settles(metered, claim):
    made = metered.claim(claim)
    metered.wait_for_the_window(made)
    with refused("imbalance: not an operator"):
        metered.settle(made, {}, sender="the consumer")
    metered.settle(made, {})


def test_nothing_is_charged_while_the_window_is_open(metered, town, claim):
    made = metered.claim(claim)
    town.move_to(made.claimed_at + DISPUTABLE)
    with refused("imbalance: window is open"):
        metered.settle(made, {})
    town.move_to(made.claimed_at + DISPUTABLE + 1)
    metered.settle(made, {})


def test_until_it_is_settled_a_claim_can_be_disputed_and_then_no_more(metered, claim, short):
    made = metered.claim(claim)
    metered.wait_for_the_window(made)
    reading = metered.reading("the consumer", -1_000, meter=METER)
    with metered.as_before():
        metered.dispute(made, short, reading)
        with refused("imbalance: no such claim"):
            metered.settle(made, {})
    metered.settle(made, {})
    with refused("imbalance: no such claim"):
        metered.dispute(made, short, reading)


def test_a_session_is_settled_once(metered, claim):
    made = metered.claim(claim)
    metered.wait_for_the_window(made)
    metered.settle(made, {})
    with refused("imbalance: no such claim"):
        metered.settle(made, {})
    with refused("imbalance: settled already"):
        metered.claim(claim)


@pytest.mark.parametrize(
    ("of_short", "of_long"),
    [(-300 * SHORT - 1, 0), (1, 0), (0, 200 * LONG + 1), (0, -1)],
)
def test_no_charge_is_beyond_what_the_deviation_comes_to(metered, claim, short, long, of_short, of_long):
    made = metered.claim(claim)
    metered.wait_for_the_window(made)
    with refused("imbalance: charge is too large"):
        metered.settle(made, {short.asset: of_short, long.asset: of_long})
    metered.settle(made, {short.asset: -300 * SHORT, long.asset: 200 * LONG})


def test_a_negative_price_turns_the_charge_around(metered, town, claim, long):
    made = metered.claim(claim.but(long=-LONG))
    metered.wait_for_the_window(made)
    with refused("imbalance: charge is too large"):
        metered.settle(made, {long.asset: 1})
    metered.settle(made, {long.asset: -200 * LONG})
    assert town.credit("the producer") == 100 * NANO - 200 * LONG


def test_a_charge_is_of_a_leaf_of_the_claim(metered, claim, short, long):
    made = metered.claim(claim)
    metered.wait_for_the_window(made)
    other = made.but(leaves=[short.but(net=-2_000), long], root=made.the_root())
    with refused("imbalance: other leaves"):
        metered.settle(other, {short.asset: -1})


def test_all_leaves_are_shown(metered, claim):
    made = metered.claim(claim)
    metered.wait_for_the_window(made)
    with refused("imbalance: number of leaves"):
        metered.imbalance.send(CLAIMANT, "settle_imbalance", made.values(), [made.the_root()], [])


def test_an_asset_is_charged_once(metered, town, short):
    made = metered.claim(metered.claim_of([short, short.but(salt=bytes(32))]))
    metered.wait_for_the_window(made)
    nodes = [leaf.sealed for leaf in made.ordered()]
    words = [charge_word(place, leaf, -1) for place, leaf in enumerate(made.ordered())]
    with refused("imbalance: not ascending"):
        metered.imbalance.send(CLAIMANT, "settle_imbalance", made.values(), nodes, words)


def test_a_charge_names_a_leaf_that_is_there(metered, claim, short):
    made = metered.claim(claim)
    metered.wait_for_the_window(made)
    nodes, _ = made.opened({short.asset: -1})
    for word in (charge_word(2, short, -1), charge_word(0, short, -1, high_bits=1)):
        with refused("imbalance: no such leaf"):
            metered.imbalance.send(CLAIMANT, "settle_imbalance", made.values(), nodes, [word])


def test_whoever_cannot_pay_is_charged_less_and_holds_up_nobody(metered, town, short, long):
    credit = town.accounts["the consumer"]
    town.send("the consumer", "request_withdrawal", credit, 10**8 - 1)
    town.move_to(town.read("withdrawal", credit)[1])
    town.send("anybody", "withdraw", credit)
    made = metered.claim(metered.claim_of([short, long]))
    metered.wait_for_the_window(made)
    with refused("money: credit is short"):
        metered.settle(made, {short.asset: -300 * SHORT, long.asset: 200 * LONG})
    metered.settle(made, {short.asset: -1_000, long.asset: 200 * LONG})
    assert town.credit("the consumer") == 0


def test_what_an_account_gets_for_one_asset_it_may_pay_for_another(metered, town, claim):
    town.enrol("the consumer", "a barn")
    poor = town.accounts["the consumer"]
    town.send("the consumer", "request_withdrawal", poor, 10**8)
    town.move_to(town.read("withdrawal", poor)[1])
    town.send("anybody", "withdraw", poor)
    house = metered.leaf("the consumer", -100)
    barn = metered.leaf("a barn", 1_000, account=poor)
    made = metered.claim(metered.claim_of([house, barn]))
    metered.wait_for_the_window(made)
    metered.settle(made, {house.asset: -100 * SHORT, barn.asset: 1_000 * LONG})
    assert town.credit("the consumer") == 1_000 * LONG - 100 * SHORT


def test_nobody_is_charged_for_the_asset_of_another(metered, town, short, long):
    wrong = short.but(account=town.accounts["the producer"])
    made = metered.claim(metered.claim_of([wrong, long]))
    metered.wait_for_the_window(made)
    with refused("imbalance: answers for nobody"):
        metered.settle(made, {wrong.asset: -1})
    metered.settle(made, {long.asset: 1})


def test_who_answers_for_an_account_is_charged_in_its_place(metered, town, short):
    party, held_by = town.accounts["the producer"], town.accounts["the consumer"]
    start = (town.machine.now // PERIOD + 1) * PERIOD
    with refused("imbalance: not the holder"):
        metered.imbalance.send("the operator", "answer_for", party, held_by, start)
    with refused("imbalance: until is over"):
        metered.imbalance.send("the producer", "answer_for", party, held_by, town.machine.now - 1)
    metered.imbalance.send("the producer", "answer_for", party, held_by, start)
    assert metered.imbalance.read("answering_until", party, held_by) == start
    town.move_to(start + 2 * PERIOD)
    leaf = short.but(account=party)
    later = metered.claim(metered.claim_of([leaf], start=start + PERIOD))
    made = metered.claim(metered.claim_of([leaf], start=start))
    metered.wait_for_the_window(later)
    with refused("imbalance: answers for nobody"):
        metered.settle(later, {leaf.asset: -1})
    metered.settle(made, {leaf.asset: -1})
    assert town.credit("the producer") == 100 * NANO - 1


def test_nobody_is_charged_for_an_asset_that_was_sold_before(metered, town, short):
    start = (town.machine.now // PERIOD + 1) * PERIOD
    town.move_to(start)
    town.registries.sell(town.identities["the consumer"], "the consumer", "the producer")
    town.refresh(short.asset)
    town.move_to(start + 2 * PERIOD)
    sold = metered.claim(metered.claim_of([short], start=start))
    held = metered.claim(metered.claim_of([short], start=start - PERIOD))
    metered.wait_for_the_window(held)
    with refused("imbalance: asset is not current"):
        metered.settle(sold, {short.asset: -1})
    metered.settle(held, {short.asset: -1})


def test_a_pause_stops_claims_and_settlements(metered, town, claim):
    made = metered.claim(claim)
    metered.wait_for_the_window(made)
    town.send("the guardian", "pause")
    with refused("pause: paused"):
        metered.settle(made, {})
    with refused("pause: paused"):
        metered.claim(claim.but(start=START + PERIOD))


def test_imbalance_is_of_a_settlement(town):
    from contracts.artifacts import load

    with refused("imbalance: no settlement there"):
        Contract(town.machine, load("Imbalance"), "the deployer", address_of("the operator"))
