"""A community as a file: who lives there, on which terms they trade, and what they draw and feed in.

TOML, one model, unknown keys refused by name. Amounts and energies are whole numbers with their unit in the key.
"""

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class CommunityRefused(Exception):
    """The community's file or its profiles cannot be used; the message names the place."""

    code = "community-refused"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Terms(_Model):
    """On which terms the community's market node trades. Times in seconds, the fee in millionths per kWh."""

    name: str = Field(min_length=1, max_length=80)
    market_id: int = Field(gt=0, lt=1 << 32)
    node: str = Field(min_length=1, max_length=80)
    currency: str = Field(pattern="^[A-Z]{3}$")
    profiles: str | None = None
    period_seconds: int = Field(gt=0, le=86_400)
    opening_seconds: int = Field(gt=0)
    lead_seconds: int = Field(ge=0)
    window_seconds: int = Field(gt=0)
    fee_micro_per_kwh: int = Field(ge=0, lt=1 << 47)


class Utility(_Model):
    """Who sells what is missing and buys what is left over."""

    name: str = "utility"
    sell_micro_per_kwh: int
    buy_micro_per_kwh: int
    capacity_wh: int = Field(gt=0)
    deposit_cents: int = Field(ge=0)


class Home(_Model):
    """A home: the columns of its load and, if it has a roof, of its generation."""

    name: str = Field(min_length=1, max_length=80)
    load: str
    pv: str | None = None
    deposit_cents: int = Field(ge=0)


class Community(_Model):
    """A community as its file describes it."""

    community: Terms
    utility: Utility
    homes: tuple[Home, ...] = Field(min_length=1, strict=False)


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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CommunityRefused(f"{path}: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise CommunityRefused(f"{path}: {mistakes}") from error
    names = [home.name for home in community.homes] + [community.utility.name]
    if len(set(names)) != len(names):
        raise CommunityRefused(f"{path}: two members have one name")
    if not community.community.opening_seconds > community.community.lead_seconds:
        raise CommunityRefused(f"{path}: the gate must open before it closes")
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
                if starts[-1] % terms.period_seconds or min(values[-1] for values in columns.values()) < 0:
                    raise CommunityRefused(f"{path}, line {number}: no delivery start, or energy below zero")
    except OSError as error:
        raise CommunityRefused(f"{path}: {error.strerror}") from error
    if sorted(set(starts)) != starts:
        raise CommunityRefused(f"{path}: delivery periods are not in ascending order")
    return Profiles(tuple(starts), {column: tuple(values) for column, values in columns.items()})
