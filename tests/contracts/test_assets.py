"""A registrar enrols an identity once and says until when it is current."""

from tests.contracts.orders import address_of
from tests.contracts.town import refused

NOBODY = bytes(20)


def test_an_asset_is_enrolled_under_an_account(town):
    number = town.accounts["the producer"]
    outcome = town.send("the registrar", "enrol", address_of("a roof"), number, 2_000_000_000)
    asset = town.read("asset_count")
    roof = "0x" + address_of("a roof").hex()
    assert town.read("asset", asset) == (roof, number, 2_000_000_000)
    assert town.read("asset_of", address_of("a roof")) == asset
    fields = {"asset": asset, "identity": roof, "account": number, "until": 2_000_000_000}
    assert town.settlement.events(outcome) == [("AssetEnrolled", fields)]


def test_an_identity_is_enrolled_once(town):
    town.enrol("the producer", "a roof")
    with refused("assets: enrolled already"):
        town.enrol("the consumer", "a roof")


def test_nobody_is_not_enrolled(town):
    with refused("assets: identity is nobody"):
        town.send("the registrar", "enrol", NOBODY, 1, 2**40 - 1)


def test_an_asset_needs_an_account(town):
    town.send("the registrar", "enrol", address_of("a roof"), town.read("account_count"), 2**40 - 1)
    for number in (0, town.read("account_count") + 1, 2**200):
        with refused("assets: no such account"):
            town.send("the registrar", "enrol", address_of("a barn"), number, 2**40 - 1)


def test_an_asset_is_current_for_at_least_this_second(town):
    town.enrol("the producer", "a roof", until=town.machine.now)
    with refused("assets: until is past"):
        town.enrol("the producer", "a barn", until=town.machine.now - 1)
    town.send("the registrar", "renew", town.assets["a roof"], town.machine.now)
    with refused("assets: until is past"):
        town.send("the registrar", "renew", town.assets["a roof"], town.machine.now - 1)


def test_retiring_ends_an_asset_a_second_ago(town):
    asset = town.assets["the producer"]
    outcome = town.send("the registrar", "retire", asset)
    until = town.machine.now - 1
    assert town.read("asset", asset)[2] == until
    assert town.settlement.events(outcome) == [("AssetRetired", {"asset": asset, "until": until})]


def test_retiring_again_changes_nothing(town):
    asset = town.assets["the producer"]
    town.send("the registrar", "retire", asset)
    before = town.read("asset", asset)
    town.move_to(town.machine.now + 60)
    town.send("the registrar", "retire", asset)
    assert town.read("asset", asset) == before


def test_renewing_says_anew_until_when(town):
    asset = town.assets["the producer"]
    town.send("the registrar", "retire", asset)
    identity, account, _ = town.read("asset", asset)
    outcome = town.send("the registrar", "renew", asset, 2_100_000_000)
    assert town.read("asset", asset) == (identity, account, 2_100_000_000)
    assert town.settlement.events(outcome) == [("AssetRenewed", {"asset": asset, "until": 2_100_000_000})]


def test_what_was_never_enrolled_is_neither_retired_nor_renewed(town):
    for number in (0, town.read("asset_count") + 1, 2**200):
        with refused("assets: no such asset"):
            town.send("the registrar", "retire", number)
        with refused("assets: no such asset"):
            town.send("the registrar", "renew", number, 2**40 - 1)


def test_the_last_asset_number_is_given_out_and_no_more(town):
    # the count lies behind the accounts, of which there is place for 2**32
    town.machine.raise_count(town.settlement.address, town.read("asset_count"), 2**32 - 2, near=2**32)
    assert town.enrol("the producer", "the last roof") == 2**32 - 1
    with refused("assets: no asset number left"):
        town.enrol("the producer", "one roof more")
