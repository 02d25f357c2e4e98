"""The demo street's profiles, judged by what any street under the sun must look like.

Sun and homes are checked with formulas of their own (declination, hour angle, sums), never with the packages that made
the numbers; only the tests marked `sim` run the generator.
"""

import csv
import hashlib
import importlib.util
import itertools
import json
import math
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PROFILES = EXAMPLES / "profiles"
SCRIPT = PROFILES / "make_profiles.py"
TABLE = PROFILES / "street-2026-06-21.csv"

TIME_COLUMNS = ["delivery_start", "delivery_start_seconds"]
LOCAL_OFFSET_SECONDS = 7200
MIDNIGHT_SECONDS = int(datetime(2026, 6, 20, 22, tzinfo=UTC).timestamp())
DECLINATION = math.radians(23.44)  # of the sun at the summer solstice
EQUATION_OF_TIME_SECONDS = -110  # on 21 June the sundial runs not quite two minutes late
NANO_PER_CENT = 10_000_000


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def columns(rows: list[dict[str, str]]) -> dict[str, list[int]]:
    return {name: [int(row[name]) for row in rows] for name in rows[0] if name not in TIME_COLUMNS}


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((PROFILES / "manifest.json").read_text())
    return read


@pytest.fixture(scope="module")
def street() -> dict[str, Any]:
    return tomllib.loads((EXAMPLES / "street.toml").read_text())


@pytest.fixture(scope="module")
def homes(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [asset for asset in manifest["assets"] if "annual_kwh" in asset]


@pytest.fixture(scope="module")
def roofs(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [asset for asset in manifest["assets"] if "kwp" in asset]


def solar_noon_seconds(longitude: float) -> float:
    """Return UTC seconds of true noon on the day: the sun moves a degree in 240 s."""
    return MIDNIGHT_SECONDS + LOCAL_OFFSET_SECONDS + 43_200 - 240 * longitude - EQUATION_OF_TIME_SECONDS


def elevation(at_seconds: float, place: dict[str, float]) -> float:
    """Return the sine of the sun's elevation, without refraction."""
    hour_angle = math.radians((at_seconds - solar_noon_seconds(place["longitude"])) / 240)
    latitude = math.radians(place["latitude"])
    return math.sin(latitude) * math.sin(DECLINATION) + math.cos(latitude) * math.cos(DECLINATION) * math.cos(
        hour_angle
    )


def middle(energies: list[int]) -> float:
    """Return UTC seconds of the centre of gravity of a day's energy."""
    starts = range(MIDNIGHT_SECONDS, MIDNIGHT_SECONDS + 86_400, 900)
    return sum((start + 450) * wh for start, wh in zip(starts, energies, strict=True)) / sum(energies)


def test_the_day_has_ninety_six_quarter_hours_on_end_from_local_midnight(rows: list[dict[str, str]]) -> None:
    seconds = [int(row["delivery_start_seconds"]) for row in rows]
    assert seconds == list(range(MIDNIGHT_SECONDS, MIDNIGHT_SECONDS + 86_400, 900))
    assert all(start % 900 == 0 for start in seconds)


def test_both_times_of_a_row_are_the_same_instant_and_the_local_one_names_its_offset(
    rows: list[dict[str, str]],
) -> None:
    for row in rows:
        local = datetime.fromisoformat(row["delivery_start"])
        offset = local.utcoffset()
        assert local.timestamp() == int(row["delivery_start_seconds"])
        assert offset is not None
        assert offset.total_seconds() == LOCAL_OFFSET_SECONDS
        assert local.date().isoformat() == "2026-06-21"


def test_every_energy_is_a_whole_number_written_plainly_and_never_negative(rows: list[dict[str, str]]) -> None:
    for row in rows:
        for name, text in row.items():
            if name not in TIME_COLUMNS:
                assert text.isdecimal(), (row["delivery_start"], name)
                assert text == str(int(text)), (row["delivery_start"], name)


def test_the_manifest_names_the_bytes_of_the_table(manifest: dict[str, Any]) -> None:
    assert manifest["csv"]["name"] == TABLE.name
    assert manifest["csv"]["sha256"] == hashlib.sha256(TABLE.read_bytes()).hexdigest()


def test_the_manifest_describes_each_column_once_in_order_with_its_sum(
    manifest: dict[str, Any], columns: dict[str, list[int]]
) -> None:
    assert [asset["column"] for asset in manifest["assets"]] == list(columns)
    assert [asset["day_wh"] for asset in manifest["assets"]] == [sum(energies) for energies in columns.values()]


def test_the_street_has_enough_homes_and_roofs(homes: list[dict[str, Any]], roofs: list[dict[str, Any]]) -> None:
    assert len(homes) >= 14
    assert len(roofs) == 8
    assert all(1800 <= home["annual_kwh"] <= 5500 for home in homes)
    assert all(4 <= roof["kwp"] <= 9.8 for roof in roofs)
    assert len({roof["azimuth"] for roof in roofs}) == len(roofs)


def test_each_home_uses_the_same_share_of_its_year_to_the_watt_hour(
    homes: list[dict[str, Any]], columns: dict[str, list[int]], manifest: dict[str, Any]
) -> None:
    share = manifest["load_model"]["day_share_of_year"]
    assert 0.85 / 365 < share < 1.05 / 365, "a day in June is somewhat below the average day"
    for home in homes:
        assert abs(sum(columns[home["column"]]) - home["annual_kwh"] * 1000 * share) <= 1


def test_a_home_never_stands_still_nor_draws_more_than_its_connection(
    homes: list[dict[str, Any]], columns: dict[str, list[int]]
) -> None:
    for home in homes:
        load = columns[home["column"]]
        assert min(load) > 0
        assert max(load) <= 14_490 // 4, "a single-phase household connection carries 63 A at 230 V"
        assert max(load) > 2 * min(load)


def test_no_two_homes_have_the_same_shape(homes: list[dict[str, Any]], columns: dict[str, list[int]]) -> None:
    for one, other in itertools.combinations((columns[home["column"]] for home in homes), 2):
        apart = sum(abs(a / sum(one) - b / sum(other)) for a, b in zip(one, other, strict=True))
        assert apart > 0.2, "at least a tenth of the day's energy falls at another time"


def test_the_street_as_a_whole_sleeps_at_night_and_cooks_by_day(
    homes: list[dict[str, Any]], columns: dict[str, list[int]]
) -> None:
    street = [sum(energies) for energies in zip(*(columns[home["column"]] for home in homes), strict=True)]
    night, day = street[2 * 4 : 5 * 4], street[8 * 4 : 21 * 4]
    assert sum(day) / len(day) > 1.5 * sum(night) / len(night)


def test_a_roof_yields_nothing_while_the_sun_is_down_and_something_while_it_is_high(
    rows: list[dict[str, str]], roofs: list[dict[str, Any]], columns: dict[str, list[int]], manifest: dict[str, Any]
) -> None:
    dark = bright = 0
    for period, row in enumerate(rows):
        start = int(row["delivery_start_seconds"])
        ends = [elevation(at, manifest["place"]) for at in (start, start + 900)]
        if max(ends) < math.sin(math.radians(-1)):  # refraction lifts the sun by half a degree
            dark += 1
            assert all(columns[roof["column"]][period] == 0 for roof in roofs), row["delivery_start"]
        if min(ends) > math.sin(math.radians(10)):
            bright += 1
            assert all(columns[roof["column"]][period] > 0 for roof in roofs), row["delivery_start"]
    assert dark > 24
    assert bright > 48


def test_an_eastern_roof_peaks_before_noon_and_a_western_one_after(
    roofs: list[dict[str, Any]], columns: dict[str, list[int]], manifest: dict[str, Any]
) -> None:
    noon = solar_noon_seconds(manifest["place"]["longitude"])
    east = [roof for roof in roofs if roof["azimuth"] <= 135]
    west = [roof for roof in roofs if roof["azimuth"] >= 225]
    assert len(east) >= 2
    assert len(west) >= 2
    for roof in east + west:
        energies = columns[roof["column"]]
        peak = MIDNIGHT_SECONDS + 900 * energies.index(max(energies)) + 450
        assert (peak < noon) == (middle(energies) < noon) == (roof in east), roof["column"]


def test_the_further_west_a_roof_looks_the_later_it_yields(
    roofs: list[dict[str, Any]], columns: dict[str, list[int]]
) -> None:
    by_azimuth = sorted(roofs, key=lambda roof: roof["azimuth"])
    middles = [middle(columns[roof["column"]]) for roof in by_azimuth]
    assert middles == sorted(middles)


def test_a_roof_yields_no_more_than_its_rating_and_as_much_as_a_day_in_june_gives(
    roofs: list[dict[str, Any]], columns: dict[str, list[int]]
) -> None:
    for roof in roofs:
        energies = columns[roof["column"]]
        assert max(energies) < roof["kwp"] * 1000 / 4
        assert 2.5 < sum(energies) / (roof["kwp"] * 1000) < 7, "kWh per kWp: between a dull and a flawless day"


def test_clouds_pass_over_all_roofs_at_once(
    rows: list[dict[str, str]], roofs: list[dict[str, Any]], columns: dict[str, list[int]]
) -> None:
    powers = [columns[roof["column"]] for roof in roofs]
    dips = [i for i in range(1, len(rows) - 1) if all(p[i] < 0.9 * min(p[i - 1], p[i + 1]) for p in powers)]
    assert len(dips) >= 2


def test_each_home_of_the_street_names_columns_that_exist_and_no_column_is_left_over(
    street: dict[str, Any], columns: dict[str, list[int]]
) -> None:
    assert (EXAMPLES / street["community"]["profiles"]).samefile(TABLE)
    named = [home[kind] for home in street["homes"] for kind in ("load", "pv") if kind in home]
    assert sorted(named) == sorted(columns)


def test_homes_bear_neutral_names_and_each_its_own(street: dict[str, Any]) -> None:
    assert [home["name"] for home in street["homes"]] == [f"home-{n:02}" for n in range(1, len(street["homes"]) + 1)]


def test_the_terms_of_the_street_make_a_market(street: dict[str, Any]) -> None:
    terms, utility = street["community"], street["utility"]
    assert 0 < terms["lead_seconds"] < terms["opening_seconds"]
    assert 86_400 % terms["period_seconds"] == 0
    assert terms["window_seconds"] >= terms["period_seconds"]
    assert utility["buy_micro_per_kwh"] + terms["fee_micro_per_kwh"] < utility["sell_micro_per_kwh"]


def test_the_utility_can_serve_or_take_the_whole_street_in_any_quarter_hour(
    street: dict[str, Any], columns: dict[str, list[int]]
) -> None:
    for kind in ("_load_wh", "_pv_wh"):
        together = zip(*(energies for name, energies in columns.items() if name.endswith(kind)), strict=True)
        assert max(map(sum, together)) <= street["utility"]["capacity_wh"]


def test_a_deposit_pays_for_twice_the_day_even_if_everything_comes_from_the_utility(
    street: dict[str, Any], columns: dict[str, list[int]]
) -> None:
    fee = street["community"]["fee_micro_per_kwh"]
    dearest = street["utility"]["sell_micro_per_kwh"] + fee
    for home in street["homes"]:
        assert home["deposit_cents"] * NANO_PER_CENT >= 2 * sum(columns[home["load"]]) * dearest
    feed_in = sum(sum(columns[home["pv"]]) for home in street["homes"] if "pv" in home)
    bought = feed_in * (street["utility"]["buy_micro_per_kwh"] + fee)
    assert street["utility"]["deposit_cents"] * NANO_PER_CENT >= 2 * bought


@pytest.mark.sim
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("pvlib", "demandlib")),
    reason="the sim extra (pvlib, demandlib) is not installed",
)
class TestTheGenerator:
    def test_makes_the_committed_files_again_byte_for_byte(self, manifest: dict[str, Any], tmp_path: Path) -> None:
        subprocess.run([sys.executable, SCRIPT, "--out", tmp_path], check=True, capture_output=True)
        assert (tmp_path / TABLE.name).read_bytes() == TABLE.read_bytes()
        made = json.loads((tmp_path / "manifest.json").read_text())
        # Other releases of numpy or pandas are welcome as long as the numbers are the same; `--check` is stricter.
        assert made | {"packages": manifest["packages"]} == manifest

    def test_finds_what_it_has_written_itself_unchanged(self, tmp_path: Path) -> None:
        subprocess.run([sys.executable, SCRIPT, "--out", tmp_path], check=True, capture_output=True)
        check = subprocess.run([sys.executable, SCRIPT, "--check", "--out", tmp_path], capture_output=True, text=True)
        assert (check.returncode, check.stderr) == (0, "")

    def test_finds_one_altered_watt_hour_and_names_its_line(self, tmp_path: Path) -> None:
        subprocess.run([sys.executable, SCRIPT, "--out", tmp_path], check=True, capture_output=True)
        copy = tmp_path / TABLE.name
        lines = copy.read_text().splitlines(keepends=True)
        start, rest = lines[40].rsplit(",", 1)
        lines[40] = f"{start},{int(rest) + 1}\n"
        copy.write_text("".join(lines))
        check = subprocess.run([sys.executable, SCRIPT, "--check", "--out", tmp_path], capture_output=True, text=True)
        assert check.returncode == 1
        assert f"-{lines[40]}" in check.stderr

    def test_another_seed_makes_another_day(self, tmp_path: Path) -> None:
        subprocess.run([sys.executable, SCRIPT, "--seed", "7", "--out", tmp_path], check=True, capture_output=True)
        assert (tmp_path / TABLE.name).read_bytes() != TABLE.read_bytes()
