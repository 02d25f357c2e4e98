"""Readings from CSV: what flowed in each slot, or what a cumulative register showed; and their signatures.

    asset,start,net_wh[,version]         one line a slot; net is what was fed in minus what was drawn
    asset,at,drawn_wh,fed_in_wh          one line each time the register was read, at the begin of a slot

An asset is named by its address. The first line names the columns, in this order; versions are 1 where none are given.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from exchange.units import Wh
from identity.address import Address, parse_address
from identity.errors import MalformedAddress
from identity.signature import Signer
from settlement.metering_errors import ReadingMalformed
from settlement.reading import Reading, SignedReading
from settlement.registers import RegisterReading, deltas

_DELTAS = ["asset", "start", "net_wh"]
_VERSIONED = [*_DELTAS, "version"]
_REGISTER = ["asset", "at", "drawn_wh", "fed_in_wh"]


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A reading to be signed, and whether its value was spread over a gap."""

    reading: Reading
    estimated: bool = False

    def signed(self, signer: Signer, separator: bytes) -> SignedReading:
        """Return it with the signature of the meter's key."""
        return SignedReading(self.reading, signer.sign(self.reading.digest(separator)), self.estimated)


def read_meter_file(path: Path, slot: int, *, version: int = 1, rolls_over_at: int | None = None) -> list[Unsigned]:
    """Return the readings in a file, in either form, by line or by slot.

    `version` is that of readings made from a register. Raises `ReadingMalformed`, and `RegisterRefused` where a
    register gives no deltas.
    """
    with path.open(newline="") as file:
        rows = csv.reader(file)
        columns = next(rows, [])
        if columns == _REGISTER:
            return list(_from_registers(path, rows, slot, version, rolls_over_at))
        if columns in (_DELTAS, _VERSIONED):
            return [Unsigned(_delta(path, number, row, slot)) for number, row in enumerate(rows, 2) if row]
    known = " or ".join(",".join(names) for names in (_VERSIONED, _REGISTER))
    raise ReadingMalformed(f"{path}: the first line is {known}")


def _delta(path: Path, number: int, row: list[str], slot: int) -> Reading:
    try:
        asset, start, net, *version = row
        return Reading(
            asset=parse_address(asset),
            start=int(start),
            seconds=slot,
            net=Wh(int(net)),
            version=int(version[0]) if version else 1,
        )
    except (ValueError, MalformedAddress) as error:
        raise ReadingMalformed(f"{path}, line {number}: {error}") from error


def _from_registers(
    path: Path, rows: Iterator[list[str]], slot: int, version: int, rolls_over_at: int | None
) -> Iterator[Unsigned]:
    shown: dict[Address, list[RegisterReading]] = {}
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        try:
            asset, at, drawn, fed_in = row
            reading = RegisterReading(int(at), Wh(int(drawn)), Wh(int(fed_in)))
            shown.setdefault(parse_address(asset), []).append(reading)
        except (ValueError, MalformedAddress) as error:
            raise ReadingMalformed(f"{path}, line {number}: {error}") from error
    for identity, readings in sorted(shown.items()):
        for delta in deltas(readings, slot, None if rolls_over_at is None else Wh(rolls_over_at)):
            try:
                made = Reading(asset=identity, start=delta.start, seconds=slot, net=delta.net, version=version)
            except ValueError as error:
                raise ReadingMalformed(f"{path}: {error}") from error
            yield Unsigned(made, delta.estimated)
