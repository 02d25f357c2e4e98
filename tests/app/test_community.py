"""A community's file and its profiles: read where they are sound, refused by the place where they are not."""

from operator import attrgetter

import pytest

from app.community import CommunityRefused, read_community, read_profiles
from app.example_communities import neighbourhood_file, street_file
from exchange.delivery import Mechanism
from exchange.units import MAX_ENERGY, MAX_RATE
from tests.e2e.day import FIRST, PERIOD_SECONDS, PERIODS, VILLAGE

TEXT = VILLAGE.read_text()
ROWS = VILLAGE.with_name("village.csv").read_text().splitlines()


def refused(tmp_path, text):
    """The words in which a community with this text is refused."""
    path = tmp_path / "village.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CommunityRefused) as refusal:
        read_community(path)
    assert str(path) in str(refusal.value)
    return str(refusal.value)


def test_the_village_is_read():
    village = read_community(VILLAGE)
    assert [home.name for home in village.homes] == ["consumer", "prosumer", "producer"]
    assert village.community.period_seconds == PERIOD_SECONDS
    profiles = read_profiles(village, VILLAGE.parent)
    assert profiles.starts == tuple(FIRST + PERIOD_SECONDS * period for period in range(PERIODS))
    assert profiles.columns["consumer_load_wh"][:2] == (310, 250)
    assert len(profiles.columns) == 5


def test_the_street_that_comes_with_the_product_is_read():
    street = read_community(street_file())
    assert len(street.homes) >= 12
    assert len(read_profiles(street, street_file().parent).starts) == 96


def test_the_neighbourhood_has_the_homes_of_the_street_and_of_its_day():
    street, neighbourhood = read_community(street_file()), read_community(neighbourhood_file())
    assert [home.model_copy(update={"node": None}) for home in neighbourhood.homes] == list(street.homes)
    assert {home.node for home in neighbourhood.homes} == {"north", "south"}
    profiles = read_profiles(neighbourhood, neighbourhood_file().parent)
    assert profiles == read_profiles(street, street_file().parent)


@pytest.mark.parametrize("mechanism", Mechanism, ids=attrgetter("title"))
def test_a_community_chooses_its_mechanism(tmp_path, mechanism):
    path = tmp_path / "village.toml"
    path.write_text(TEXT.replace("[utility]", f'mechanism = "{mechanism.title}"\n[utility]'))
    assert read_community(path).community.mechanism == mechanism.title


def test_a_community_that_chooses_no_mechanism_has_pay_as_clear():
    assert "mechanism" not in TEXT
    assert read_community(VILLAGE).community.mechanism == "pay-as-clear"


MISTAKES = {
    "no TOML": ("homes = [", "Invalid value"),
    "not UTF-8": (b"\xff\xfe", "utf-8"),
    "nested too deeply": ("a = " + "[" * 20_000, "village.toml: "),
    "a mechanism nobody knows": (
        TEXT.replace("[utility]", 'mechanism = "pay-as-you-like"\n[utility]'),
        "community.mechanism: Input should be",
    ),
    "a surplus key": (TEXT.replace("[utility]", "rain = 1\n[utility]"), "community.rain: Extra inputs"),
    "a missing key": (TEXT.replace("market_id = 7\n", ""), "community.market_id: Field required"),
    "no homes": (TEXT[: TEXT.index("[[homes]]")], "homes: Field required"),
    "no homes in the list": ("homes = []\n" + TEXT[: TEXT.index("[[homes]]")], "homes: "),
    "a number as text": (TEXT.replace("market_id = 7", 'market_id = "7"'), "community.market_id: Input should be"),
    "a fraction": (TEXT.replace("deposit_cents = 10_000", "deposit_cents = 1.5"), "utility.deposit_cents: "),
    "a market number of no bits": (TEXT.replace("market_id = 7", "market_id = 0"), "community.market_id: "),
    "a currency in words": (TEXT.replace('"EUR"', '"euro"'), "community.currency: "),
    "a fee below zero": (TEXT.replace("= 5000", "= -1"), "community.fee_micro_per_kwh: "),
    "a period of nothing": (TEXT.replace("period_seconds = 900", "period_seconds = 0"), "community.period_seconds: "),
    "a window beyond any clock": (TEXT.replace("86400", "10_000_000_000"), "community.window_seconds: "),
    "a rate no order can name": (TEXT.replace("300_000", str(MAX_RATE + 1)), "utility.sell_micro_per_kwh: "),
    "a rate no bid can name with the fee": (TEXT.replace("300_000", str(MAX_RATE)), "more than any limit"),
    "a capacity no order can name": (TEXT.replace("20_000", str(MAX_ENERGY + 1)), "utility.capacity_wh: "),
    "a deposit of all money there is": (TEXT.replace("= 500\n", "= 10_000_000_000\n", 1), "homes.0.deposit_cents: "),
    "two homes of one name": (TEXT.replace('"prosumer"', '"consumer"'), "two members have one name"),
    "a home named as the utility": (TEXT.replace('"prosumer"', '"utility"'), "two members have one name"),
    "a home named as the node": (TEXT.replace('"prosumer"', '"village"'), "two members have one name"),
    "a name that leads elsewhere": (TEXT.replace('"prosumer"', '"../prosumer"'), "homes.1.name: "),
    "a name of nothing": (TEXT.replace('"prosumer"', '""'), "homes.1.name: "),
    "a gate that closes before it opens": (
        TEXT.replace("lead_seconds = 300", "lead_seconds = 3600"),
        "before it closes",
    ),
    "a utility that would trade with itself": (TEXT.replace("= 80_000", "= 300_000"), "trade with itself"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_by_its_place(tmp_path, mistake):
    text, named = MISTAKES[mistake]
    assert text != TEXT
    assert named in refused(tmp_path, text)


def test_every_mistake_is_named_at_once(tmp_path):
    words = refused(tmp_path, TEXT.replace("market_id = 7", "market_id = 0").replace('"EUR"', '"euro"'))
    assert "community.market_id" in words
    assert "community.currency" in words


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CommunityRefused, match="No such file"):
        read_community(tmp_path / "nowhere.toml")


def profiles(tmp_path, rows, text=TEXT):
    (tmp_path / "village.toml").write_text(text)
    (tmp_path / "village.csv").write_bytes(rows if isinstance(rows, bytes) else ("\n".join(rows) + "\n").encode())
    return read_profiles(read_community(tmp_path / "village.toml"), tmp_path)


def test_profiles_may_have_columns_nobody_asks_for(tmp_path):
    rows = [ROWS[0] + ",rain", *(row + ",9" for row in ROWS[1:])]
    assert len(profiles(tmp_path, rows).columns) == 5


BAD_ROWS = {
    "no rows": (ROWS[:1], "no delivery period"),
    "an empty file": ([], "columns missing: consumer_load_wh, "),
    "a column missing": ([row.rpartition(",")[0] for row in ROWS], "columns missing: producer_pv_wh"),
    "no instants": ([row.partition(",")[2] for row in ROWS], "columns missing: delivery_start_seconds"),
    "a short row": ([*ROWS[:3], "1782023400,420"], "line 4: "),
    "a word": ([*ROWS[:2], ROWS[2].replace(",130,", ",some,")], "line 3: "),
    "a fraction": ([*ROWS[:2], ROWS[2].replace(",130,", ",130.5,")], "line 3: "),
    "energy below zero": ([*ROWS[:2], ROWS[2].replace(",130,", ",-130,")], "line 3: energy below zero"),
    "more energy than an order can name": ([*ROWS[:2], ROWS[2].replace(",130,", f",{1 << 48},")], "line 3: energy"),
    "an instant off the grid": ([*ROWS[:2], ROWS[2].replace("1782022500", "1782022501")], "line 3: no delivery starts"),
    "an instant before all time": ([*ROWS[:2], ROWS[2].replace("1782022500", "-900")], "line 3: no delivery starts"),
    "rows out of order": ([ROWS[0], ROWS[2], ROWS[1]], "not in ascending order"),
    "a row twice": ([*ROWS[:3], ROWS[2]], "not in ascending order"),
    "not UTF-8": (b"\xff\xfe\x00", "utf-8"),
    "a field without end": (['"' + ROWS[0], "x" * 200_000], "field larger than field limit"),
}


@pytest.mark.parametrize("mistake", BAD_ROWS)
def test_bad_profiles_are_refused_by_line(tmp_path, mistake):
    rows, named = BAD_ROWS[mistake]
    with pytest.raises(CommunityRefused) as refusal:
        profiles(tmp_path, rows)
    assert named in str(refusal.value)
    assert "village.csv" in str(refusal.value)


def test_profiles_that_are_not_there_are_refused(tmp_path):
    (tmp_path / "village.toml").write_text(TEXT)
    with pytest.raises(CommunityRefused, match=r"village.csv: No such file"):
        read_profiles(read_community(tmp_path / "village.toml"), tmp_path)


def test_a_community_without_profiles_has_none_to_read(tmp_path):
    with pytest.raises(CommunityRefused, match="names no profiles"):
        profiles(tmp_path, ROWS, TEXT.replace('profiles = "village.csv"\n', ""))
