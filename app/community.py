"""A community as a file: who lives there, on which terms they trade, and what they draw and feed in.

TOML, one model, unknown keys refused by name. Amounts and energies are whole numbers with their unit in the key.
"""

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exchange.units import MAX_ENERGY, MAX_RATE, MIN_RATE
from identity.claim_data import AssetKind, AssetProperties, EnergyType

_ADDRESS = "^0x[0-9a-fA-F]{40}$"
_NAME = r"^[^/\\\x00-\x1f]+$"
"""A name also names a file: no slashes, nothing that cannot be seen."""

_MOST_SECONDS = 366 * 24 * 3600
_MOST_CENTS = 1_000_000_000


class CommunityRefused(Exception):
    """The community's file or its profiles cannot be used; the message names the place."""

    code = "community-refused"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Terms(_Model):
    """On which terms the community's market node trades. Times in seconds, the fee in millionths per kWh.

    `mechanism` says how a session is cleared: docs/mechanisms.md.
    """

    name: str = Field(min_length=1, max_length=80)
    market_id: int = Field(gt=0, lt=1 << 32)
    node: str = Field(min_length=1, max_length=80, pattern=_NAME)
    currency: str = Field(pattern="^[A-Z]{3}$")
    mechanism: Literal["pay-as-offer", "pay-as-bid", "pay-as-clear"] = "pay-as-clear"
    profiles: str | None = None
    period_seconds: int = Field(gt=0, le=86_400)
    opening_seconds: int = Field(gt=0, le=_MOST_SECONDS)
    lead_seconds: int = Field(ge=0, le=_MOST_SECONDS)
    window_seconds: int = Field(gt=0, le=_MOST_SECONDS)
    fee_micro_per_kwh: int = Field(ge=0, le=MAX_RATE)


class Utility(_Model):
    """Who sells what is missing and buys what is left over, with this rated power.

    `holder` is the address that holds its account; without one it is made up, which is for play.
    """

    name: str = Field("utility", min_length=1, max_length=80, pattern=_NAME)
    sell_micro_per_kwh: int = Field(ge=MIN_RATE, le=MAX_RATE)
    buy_micro_per_kwh: int = Field(ge=MIN_RATE, le=MAX_RATE)
    capacity_wh: int = Field(gt=0, le=MAX_ENERGY)
    power_w: int = Field(1_000_000, gt=0, lt=1 << 64)
    deposit_cents: int = Field(ge=0, le=_MOST_CENTS)
    holder: str | None = Field(None, pattern=_ADDRESS)

    def assets(self) -> dict[str, tuple[str | None, AssetProperties]]:
        """Return its two sides, as assets of their own: which column of the profiles (none), what is certified."""
        properties = AssetProperties(AssetKind.MARKET_MAKER, EnergyType.GRID, self.power_w)
        return {"sell": (None, properties), "buy": (None, properties)}


class Home(_Model):
    """A home: the columns of its load and, if it has a roof, of its generation, with their rated power.

    `holder` is the address that holds its account; without one it is made up, which is for play.
    """

    name: str = Field(min_length=1, max_length=80, pattern=_NAME)
    load: str
    pv: str | None = None
    load_power_w: int = Field(15_000, gt=0, lt=1 << 64)
    pv_power_w: int = Field(10_000, gt=0, lt=1 << 64)
    deposit_cents: int = Field(ge=0, le=_MOST_CENTS)
    holder: str | None = Field(None, pattern=_ADDRESS)

    def assets(self) -> dict[str, tuple[str | None, AssetProperties]]:
        """Return what the home has, by what it does: its column of the profiles, and what is certified of it."""
        load = AssetProperties(AssetKind.LOAD, EnergyType.NONE, self.load_power_w)
        if self.pv is None:
            return {"load": (self.load, load)}
        return {
            "load": (self.load, load),
            "pv": (self.pv, AssetProperties(AssetKind.PV, EnergyType.PV, self.pv_power_w)),
        }


class Story(_Model):
    """What `merit demo` lets happen: which homes let an aggregator trade for them, and which is sold at noon."""

    aggregated: tuple[str, ...] = Field(default=(), strict=False)
    sold: str | None = None


class Community(_Model):
    """A community as its file describes it."""

    community: Terms
    utility: Utility
    homes: tuple[Home, ...] = Field(min_length=1, strict=False)
    demo: Story = Story()


@dataclass(frozen=True, slots=True)
class Profiles:
    """What every asset draws or feeds in, in Wh by delivery period."""

    starts: tuple[int, ...]
    columns: Mapping[str, tuple[int, ...]]


def read_community(path: Path) -> Community:
    """Read a community's file; raises `CommunityRefused` with every mistake in it."""
    try:
        community = Community.model_validate(tomllib.loads(path.read_text()))
    except OSError as error:
        raise CommunityRefused(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommunityRefused(f"{path}: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise CommunityRefused(f"{path}: {mistakes}") from error
    terms, utility = community.community, community.utility
    names = [home.name for home in community.homes] + [utility.name, terms.node]
    if len(set(names)) != len(names):
        raise CommunityRefused(f"{path}: two members have one name (the node is a member, too)")
    story = {*community.demo.aggregated, *([] if community.demo.sold is None else [community.demo.sold])}
    if story - {home.name for home in community.homes}:
        raise CommunityRefused(f"{path}: the demo speaks of homes that are not there")
    if not terms.opening_seconds > terms.lead_seconds:
        raise CommunityRefused(f"{path}: the gate must open before it closes")
    if utility.buy_micro_per_kwh >= utility.sell_micro_per_kwh:
        raise CommunityRefused(f"{path}: the utility buys at no less than it sells for, and so would trade with itself")
    if utility.sell_micro_per_kwh + terms.fee_micro_per_kwh > MAX_RATE:
        raise CommunityRefused(f"{path}: the utility's rate and the fee are together more than any limit")
    return community


def read_profiles(community: Community, beside: Path) -> Profiles:
    """Read the profiles a community names, from the folder of its file; raises `CommunityRefused` by row."""
    terms = community.community
    if terms.profiles is None:
        raise CommunityRefused("the community names no profiles")
    path = beside / terms.profiles
    if not path.exists():
        path = beside / Path(terms.profiles).name
    wanted = {column for home in community.homes for column in (home.load, home.pv) if column is not None}
    starts: list[int] = []
    columns: dict[str, list[int]] = {column: [] for column in sorted(wanted)}
    try:
        with path.open(newline="") as file:
            rows = csv.DictReader(file)
            missing = wanted - set(rows.fieldnames or ())
            if missing or "delivery_start_seconds" not in (rows.fieldnames or ()):
                raise CommunityRefused(
                    f"{path}: columns missing: {', '.join(sorted(missing)) or 'delivery_start_seconds'}"
                )
            for number, row in enumerate(rows, start=2):
                try:
                    starts.append(int(row["delivery_start_seconds"]))
                    for column, values in columns.items():
                        values.append(int(row[column]))
                except (TypeError, ValueError) as error:
                    raise CommunityRefused(f"{path}, line {number}: {error}") from error
                if starts[-1] % terms.period_seconds or not 0 <= starts[-1] < 1 << 40:
                    raise CommunityRefused(f"{path}, line {number}: no delivery starts at {starts[-1]}")
                if not all(0 <= values[-1] <= MAX_ENERGY for values in columns.values()):
                    raise CommunityRefused(f"{path}, line {number}: energy below zero, or more than an order can name")
    except OSError as error:
        raise CommunityRefused(f"{path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise CommunityRefused(f"{path}: {error}") from error
    if not starts:
        raise CommunityRefused(f"{path}: there is no delivery period in it")
    if sorted(set(starts)) != starts:
        raise CommunityRefused(f"{path}: delivery periods are not in ascending order")
    return Profiles(tuple(starts), {column: tuple(values) for column, values in columns.items()})
