"""The fields of plain documents, read one by one: what is missing, surplus or out of range is refused by its name."""

from collections.abc import Mapping
from typing import Any

from exchange.delivery import SessionKey
from exchange.errors import OrderMalformed
from exchange.forecast import Forecast
from exchange.preferences import Preferences, from_document
from exchange.terms import NodeTerms
from exchange.tree import Fee
from exchange.units import MicroPerKwh, Wh
from identity.address import Address
from identity.claim_data import EnergyType

Document = dict[str, Any]

_MOST_SIBLINGS = 64


def hexed(raw: bytes) -> str:
    """Return bytes as `0x` and lower-case hex."""
    return "0x" + raw.hex()


def raw_bytes(value: object, size: int, name: str) -> bytes:
    """Read bytes of a size from `0x` and lower-case hex; raises `OrderMalformed` naming them."""
    if not isinstance(value, str) or len(value) != 2 + 2 * size:
        raise OrderMalformed(f"{name} is not 0x and {2 * size} hex digits")
    try:
        raw = bytes.fromhex(value[2:])
    except ValueError as error:
        raise OrderMalformed(f"{name} is not 0x and {2 * size} hex digits") from error
    if hexed(raw) != value:  # one value has one text: no blanks, no capitals
        raise OrderMalformed(f"{name} is not 0x and {2 * size} lower-case hex digits")
    return raw


class Fields:
    """The fields of one document, taken out one by one, so that what is left over can be refused."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        if not isinstance(document, Mapping):
            raise OrderMalformed("this is not an object with named fields")
        self._rest = dict(document)

    def _take(self, name: str) -> Any:
        if name not in self._rest:
            raise OrderMalformed(f"{name} is missing")
        return self._rest.pop(name)

    def whole(self, name: str) -> int:
        value = self._take(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise OrderMalformed(f"{name} is not a whole number")
        return value

    def whole_or_none(self, name: str) -> int | None:
        if self._rest.get(name, ...) is None:
            del self._rest[name]
            return None
        return self.whole(name)

    def rate_or_none(self, name: str) -> MicroPerKwh | None:
        value = self.whole_or_none(name)
        return None if value is None else MicroPerKwh(value)

    def text(self, name: str) -> str:
        value = self._take(name)
        if not isinstance(value, str):
            raise OrderMalformed(f"{name} is not text")
        return value

    def raw(self, name: str, size: int) -> bytes:
        return raw_bytes(self._take(name), size, name)

    def terms(self) -> NodeTerms:
        """Take the fields of a change of a node's terms."""
        try:
            return NodeTerms(
                node=self.whole("node"),
                fee=Fee(constant=MicroPerKwh(self.whole("fee_micro_per_kwh")), ppm=self.whole("fee_ppm")),
                import_limit=self.limit("import_limit_wh"),
                export_limit=self.limit("export_limit_wh"),
                serial=self.whole("serial"),
            )
        except ValueError as error:
            raise OrderMalformed(str(error)) from error

    def forecast(self) -> Forecast:
        """Take the fields of a forecast."""
        try:
            return Forecast(
                asset=Address(self.raw("asset", 20)),
                start=self.whole("start"),
                seconds=self.whole("seconds"),
                consumption=Wh(self.whole("consumption_wh")),
                production=Wh(self.whole("production_wh")),
                serial=self.whole("serial"),
            )
        except ValueError as error:
            raise OrderMalformed(str(error)) from error

    def some(self, name: str) -> list[dict[str, Any]]:
        """Take a list of objects that is left out where there are none."""
        if name not in self._rest:
            return []
        some = self.mappings(name)
        if not some:
            raise OrderMalformed(f"{name} is left out where there are none")
        return some

    def limit(self, name: str) -> Wh | None:
        """Take a limit of a node; none is no bound."""
        value = self.whole_or_none(name)
        return None if value is None else Wh(value)

    def preferences(self, name: str) -> Preferences | None:
        """Take the alternatives of an order; none is no preferences."""
        value = self._take(name)
        return None if value is None else from_document({"alternatives": value})

    def holder(self, name: str) -> bytes:
        """Take an address, or nothing where none was written down."""
        value = self.text(name)
        return b"" if value == "0x" else raw_bytes(value, 20, name)

    def energy_type(self, name: str) -> EnergyType:
        """Take the name of an energy type."""
        try:
            return EnergyType[self.text(name).upper()]
        except KeyError as error:
            raise OrderMalformed(f"{name} is no energy type") from error

    def raw_or_none(self, name: str, size: int) -> bytes:
        """Take bytes of a size, or none, which is no bytes."""
        if self._rest.get(name, ...) is None:
            del self._rest[name]
            return b""
        return self.raw(name, size)

    def path(self, name: str) -> bytes:
        """Take hashes of 32 bytes, one after another; 64 of them lead through any tree."""
        value = self.text(name)
        hashes = min((len(value) - 2) >> 6, _MOST_SIBLINGS)
        return raw_bytes(value, 32 * hashes, name)

    def session(self, name: str) -> SessionKey:
        try:
            return SessionKey.of(self.whole(name))
        except ValueError as error:
            raise OrderMalformed(f"{name} is no session") from error

    def mapping(self, name: str) -> dict[str, Any]:
        value = self._take(name)
        if not isinstance(value, dict):
            raise OrderMalformed(f"{name} is not an object")
        return value

    def mappings(self, name: str) -> list[dict[str, Any]]:
        value = self._take(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise OrderMalformed(f"{name} is not a list of objects")
        return value

    def items(self, name: str) -> list[Any]:
        value = self._take(name)
        if not isinstance(value, list):
            raise OrderMalformed(f"{name} is not a list")
        return value

    def finish(self) -> None:
        if self._rest:
            raise OrderMalformed(f"there is no field {', '.join(sorted(self._rest))} here")
