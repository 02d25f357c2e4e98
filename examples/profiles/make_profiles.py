"""Make the profiles of the demo street: one midsummer day in whole watt-hours per quarter-hour.

    python examples/profiles/make_profiles.py            # writes the CSV and its manifest beside this file
    python examples/profiles/make_profiles.py --check    # makes them again and compares byte for byte

Needs the `sim` extra (pvlib, demandlib). The same seed and the same package versions give the same bytes; the street
itself (how many homes, how large, which roofs) is the table `HOMES` and does not depend on the seed.

A load is the BDEW 2025 household profile H25, scaled to the home's year. A standard profile is an average, so that
every home would have the same shape: each one is shifted in time and roughened by log-normal noise, both of which leave
the energy of the day, and so the home's share of its year, as it was.

A roof is the Ineichen clear sky through PVWatts. A year of clear skies would yield about half as much again as a real
one, so the sky is dimmed by a clearness factor for the whole day and by passing clouds. Homes of one street lie under
one sky: factor and clouds are the same for all roofs. A cloud dims beam and diffuse light alike, which is simpler than
true.
"""

# The packages of the sim extra carry no types, and need not be there for the rest to be checked:
# mypy: disable-error-code="import-untyped, import-not-found"

import argparse
import csv
import difflib
import hashlib
import io
import json
import math
import random
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

try:
    import pandas as pd
    from demandlib.bdew import H25
    from pvlib.location import Location
    from pvlib.modelchain import ModelChain
    from pvlib.pvsystem import Array, FixedMount, PVSystem
    from pvlib.temperature import TEMPERATURE_MODEL_PARAMETERS
except ImportError as missing:
    raise SystemExit(f"{missing}; the profiles need the sim extra: pip install 'merit[sim]'") from missing

DAY = "2026-06-21"
NEXT_DAY = "2026-06-22"
TIMEZONE = "Europe/Berlin"
LATITUDE, LONGITUDE, ALTITUDE_M = 52.52, 13.40, 34
PERIOD_SECONDS = 900
PERIODS = 96
CSV_NAME = f"street-{DAY}.csv"
MANIFEST_NAME = "manifest.json"

SHIFT_LIMIT = 6  # quarter-hours, either way
NOISE_SIGMA = 0.45  # of the logarithm of a quarter-hour's load
NOISE_MEMORY = 0.5  # how much of a quarter-hour's noise lasts into the next: an oven runs longer than 15 minutes

SKY_MINUTES = 5  # the sky's own step: a cloud passes faster than a quarter-hour
SKY_STEPS = 24 * 60 // SKY_MINUTES
AIR_CELSIUS, WIND_M_PER_S = 20.0, 1.0
GAMMA_PER_CELSIUS = -0.004


@dataclass(frozen=True, slots=True, kw_only=True)
class Roof:
    """A photovoltaic roof; azimuth in degrees clockwise from north, so that 180 faces south."""

    kwp: float
    tilt: int
    azimuth: int


@dataclass(frozen=True, slots=True)
class Home:
    """A home that uses `annual_kwh` a year, and may have a roof."""

    name: str
    annual_kwh: int
    roof: Roof | None = None

    def column(self, kind: str) -> str:
        """Return the name of this home's CSV column, unit last."""
        return f"{self.name.replace('-', '_')}_{kind}_wh"


HOMES = (
    Home("home-01", 3500, Roof(kwp=6.4, tilt=35, azimuth=180)),
    Home("home-02", 2100),
    Home("home-03", 4200, Roof(kwp=8.4, tilt=30, azimuth=95)),
    Home("home-04", 2900),
    Home("home-05", 5500, Roof(kwp=9.8, tilt=25, azimuth=225)),
    Home("home-06", 1800),
    Home("home-07", 3100, Roof(kwp=4.0, tilt=40, azimuth=135)),
    Home("home-08", 3900),
    Home("home-09", 2600, Roof(kwp=4.6, tilt=38, azimuth=265)),
    Home("home-10", 4700),
    Home("home-11", 3300, Roof(kwp=5.2, tilt=45, azimuth=195)),
    Home("home-12", 2400),
    Home("home-13", 4900, Roof(kwp=7.2, tilt=32, azimuth=115)),
    Home("home-14", 2000),
    Home("home-15", 3700, Roof(kwp=5.8, tilt=28, azimuth=250)),
    Home("home-16", 4400),
)


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud over the street: from sky step `start`, for `steps` of them, this share of the light comes through."""

    start: int
    steps: int
    transmittance: float


@dataclass(frozen=True, slots=True)
class Weather:
    """What the day leaves of a clear sky."""

    clearness: float
    clouds: tuple[Cloud, ...]

    def light(self) -> list[float]:
        """Return the share of the clear sky's light at each sky step; under two clouds the darker one counts."""
        shares = [1.0] * SKY_STEPS
        for cloud in self.clouds:
            for step in range(cloud.start, cloud.start + cloud.steps):
                shares[step] = min(shares[step], cloud.transmittance)
        return [self.clearness * share for share in shares]


def draw_weather(seed: int) -> Weather:
    """Draw a bright to middling day with a handful of clouds between six in the morning and eight in the evening."""
    dice = random.Random(f"{seed}/weather")
    clearness = round(dice.uniform(0.6, 0.95), 2)
    clouds = [
        Cloud(dice.randint(SKY_STEPS // 4, SKY_STEPS * 20 // 24), dice.randint(1, 5), round(dice.uniform(0.25, 0.7), 2))
        for _ in range(dice.randint(6, 10))
    ]
    return Weather(clearness, tuple(sorted(clouds, key=lambda cloud: cloud.start)))


def whole(parts: list[float]) -> list[int]:
    """Round `parts` to whole numbers whose sum is the rounded sum: the largest remainders are rounded up."""
    floors = [math.floor(part) for part in parts]
    missing = round(sum(parts)) - sum(floors)
    by_remainder = sorted(range(len(parts)), key=lambda i: (floors[i] - parts[i], i))
    for i in by_remainder[:missing]:
        floors[i] += 1
    return floors


def household_day() -> tuple[list[float], float]:
    """Return H25 on the day as shares of the day, and the day as a share of the year."""
    year = DAY[:4]
    quarter_hours = pd.date_range(
        f"{year}-01-01", f"{int(year) + 1}-01-01", freq="15min", tz=TIMEZONE, inclusive="left"
    )
    profile = H25(quarter_hours)
    day = [float(power) for power in profile.loc[DAY]]
    return [power / sum(day) for power in day], sum(day) / float(profile.sum())


def load(home: Home, seed: int, shape: list[float], share_of_year: float) -> tuple[list[int], int]:
    """Return the load of `home` in Wh per quarter-hour, and the quarter-hours it runs late (negative: early)."""
    dice = random.Random(f"{seed}/{home.name}")
    shift = dice.randint(-SHIFT_LIMIT, SHIFT_LIMIT)
    noise = dice.gauss(0, 1)
    rough = []
    for period in range(PERIODS):
        rough.append(shape[(period - shift) % PERIODS] * math.exp(NOISE_SIGMA * noise))
        noise = NOISE_MEMORY * noise + math.sqrt(1 - NOISE_MEMORY**2) * dice.gauss(0, 1)
    day_wh = home.annual_kwh * 1000 * share_of_year
    return whole([day_wh * part / sum(rough) for part in rough]), shift


def sky(weather: Weather) -> tuple[Any, Any]:
    """Return the place, and its weather at the middle of each sky step as the table pvlib reads."""
    place = Location(LATITUDE, LONGITUDE, tz=TIMEZONE, altitude=ALTITUDE_M)
    steps = pd.date_range(DAY, NEXT_DAY, freq=f"{SKY_MINUTES}min", tz=TIMEZONE, inclusive="left")
    table = place.get_clearsky(steps + pd.Timedelta(minutes=SKY_MINUTES / 2), model="ineichen")
    table = table.mul(weather.light(), axis="index")
    return place, table.assign(temp_air=AIR_CELSIUS, wind_speed=WIND_M_PER_S)


def generation(roof: Roof, place: Any, table: Any) -> list[int]:
    """Return what `roof` feeds in, in Wh per quarter-hour, as PVWatts (its standard losses included) sees it."""
    watts = roof.kwp * 1000
    array = Array(
        FixedMount(roof.tilt, roof.azimuth),
        module_parameters={"pdc0": watts, "gamma_pdc": GAMMA_PER_CELSIUS},
        temperature_model_parameters=TEMPERATURE_MODEL_PARAMETERS["sapm"]["close_mount_glass_glass"],
    )
    chain = ModelChain.with_pvwatts(PVSystem(arrays=[array], inverter_parameters={"pdc0": watts}), place)
    chain.run_model(table)
    power = [max(0.0, float(ac)) for ac in chain.results.ac]
    each = SKY_STEPS // PERIODS
    return [round(sum(power[i : i + each]) * SKY_MINUTES / 60) for i in range(0, SKY_STEPS, each)]


def write_csv(columns: dict[str, list[int]]) -> bytes:
    """Return the CSV: two columns of time, then one per asset."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["delivery_start", "delivery_start_seconds", *columns])
    starts = pd.date_range(DAY, NEXT_DAY, freq=f"{PERIOD_SECONDS}s", tz=TIMEZONE, inclusive="left")
    for start, *energies in zip(starts, *columns.values(), strict=True):
        rows.writerow([start.isoformat(), int(start.timestamp()), *energies])
    return out.getvalue().encode()


def describe(seed: int, weather: Weather, share_of_year: float, assets: list[dict[str, Any]], table: bytes) -> bytes:
    """Return the manifest: everything someone needs to make, read, cite or doubt the CSV."""
    manifest = {
        "title": f"Demo street, {DAY}: {len(HOMES)} homes and what their roofs generate. Modelled, not measured.",
        "csv": {"name": CSV_NAME, "sha256": hashlib.sha256(table).hexdigest(), "rows": PERIODS},
        "seed": seed,
        "packages": {name: version(name) for name in ("demandlib", "numpy", "pandas", "pvlib")},
        "place": {"timezone": TIMEZONE, "latitude": LATITUDE, "longitude": LONGITUDE, "altitude_m": ALTITUDE_M},
        "units": {
            "delivery_start": "ISO 8601, local time with offset; the period begins here",
            "delivery_start_seconds": "UTC seconds since 1970-01-01",
            "*_load_wh": f"Wh used in the {PERIOD_SECONDS} s from delivery_start, before own generation",
            "*_pv_wh": f"Wh generated (AC) in the {PERIOD_SECONDS} s from delivery_start, before own use",
        },
        "load_model": {
            "profile": "BDEW 2025 H25, dynamised, no public holidays",
            "day_share_of_year": round(share_of_year, 8),
            "shift_limit_quarter_hours": SHIFT_LIMIT,
            "noise": {"kind": "log-normal, AR(1)", "sigma": NOISE_SIGMA, "memory": NOISE_MEMORY},
        },
        "pv_model": {
            "sky": f"Ineichen clear sky, monthly Linke turbidity of pvlib, {SKY_MINUTES}-minute steps",
            "system": "PVWatts v5: Perez sky, physical AOI loss, SAPM close mount, 14 % losses, 96 % inverter",
            "air_celsius": AIR_CELSIUS,
            "wind_m_per_s": WIND_M_PER_S,
            "gamma_per_celsius": GAMMA_PER_CELSIUS,
            "clearness": weather.clearness,
            "clouds": [
                {
                    "from": f"{c.start * SKY_MINUTES // 60:02}:{c.start * SKY_MINUTES % 60:02}",
                    "minutes": c.steps * SKY_MINUTES,
                    "transmittance": c.transmittance,
                }
                for c in weather.clouds
            ],
        },
        "sources": [
            {"what": "demandlib, with the H25 table published by BDEW in 2025", "licence": "MIT"},
            {"what": "pvlib, with its Linke turbidity table", "licence": "BSD-3-Clause"},
            {"what": "clear sky: Ineichen and Perez, Solar Energy 73 (2002)", "licence": "method only"},
            {"what": "PVWatts Version 5 Manual: Dobos, NREL/TP-6A20-62641 (2014)", "licence": "method only"},
            {"what": f"this manifest and {CSV_NAME}", "licence": "Apache-2.0"},
        ],
        "assets": assets,
    }
    return (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()


def make(seed: int) -> dict[str, bytes]:
    """Return the two files by name."""
    shape, share_of_year = household_day()
    weather = draw_weather(seed)
    place, table = sky(weather)
    columns: dict[str, list[int]] = {}
    assets: list[dict[str, Any]] = []
    for home in HOMES:
        column = home.column("load")
        columns[column], shift = load(home, seed, shape, share_of_year)
        parameters: dict[str, Any] = {"annual_kwh": home.annual_kwh, "shift_quarter_hours": shift}
        assets.append({"column": column, **parameters, "day_wh": sum(columns[column])})
        if home.roof is not None:
            column = home.column("pv")
            columns[column] = generation(home.roof, place, table)
            parameters = {"kwp": home.roof.kwp, "tilt": home.roof.tilt, "azimuth": home.roof.azimuth}
            assets.append({"column": column, **parameters, "day_wh": sum(columns[column])})
    text = write_csv(columns)
    return {CSV_NAME: text, MANIFEST_NAME: describe(seed, weather, share_of_year, assets, text)}


def differences(name: str, there: bytes, made: bytes) -> list[str]:
    """Return the lines in which the file `there` differs from the one just made; none if the bytes are equal."""
    if there == made:
        return []
    old, new = (text.decode(errors="replace").splitlines() for text in (there, made))
    lines = list(difflib.unified_diff(old, new, f"{name} (there)", f"{name} (made again)", lineterm="", n=0))
    return lines or [f"{name}: the bytes differ, the lines do not (line endings?)"]


def main() -> int:
    """Write the files, or compare them with `--check`: exit 0 if equal, 1 if not."""
    options = argparse.ArgumentParser(description="Make the profiles of the demo street.")
    options.add_argument(
        "--seed", type=int, default=2026, help="of weather, time shifts and noise (default: %(default)s)"
    )
    options.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder (default: beside this script)")
    options.add_argument("--check", action="store_true", help="write nothing; compare with the files in the folder")
    chosen = options.parse_args()
    found: list[str] = []
    for name, made in make(chosen.seed).items():
        path = chosen.out / name
        if not chosen.check:
            path.write_bytes(made)
            print(f"wrote {path}, {len(made)} bytes")
        elif not path.exists():
            found.append(f"{path} is missing")
        else:
            found += differences(name, path.read_bytes(), made)
    print("\n".join(found), file=sys.stderr, end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
