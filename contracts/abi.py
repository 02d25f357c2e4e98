"""A contract's interface, read from its compiled artifact: calldata, what calls return, events.

Addresses and hashes are plain bytes, text stays text. The encoding itself is eth-abi's, which refuses values that do
not fit their type.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from sha3 import keccak_256

from contracts.artifacts import load
from contracts.errors import NoSuchContract
from contracts.evm import Evm


@dataclass(frozen=True, slots=True)
class _Function:
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Event:
    name: str
    indexed: tuple[tuple[str, str], ...]
    plain: tuple[tuple[str, str], ...]


class Abi:
    """What one contract can be told and asked, and what it says."""

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        self._functions: dict[str, _Function] = {}
        self._events: dict[bytes, _Event] = {}
        for entry in entries:
            if entry["type"] == "function":
                inputs, outputs = _types(entry["inputs"]), _types(entry["outputs"])
                selector = _keccak(f"{entry['name']}({','.join(inputs)})")[:4]
                self._functions[entry["name"]] = _Function(selector, inputs, outputs)
            elif entry["type"] == "event":
                topic = _keccak(f"{entry['name']}({','.join(_types(entry['inputs']))})")
                fields = [(field["name"], _type(field), field["indexed"]) for field in entry["inputs"]]
                self._events[topic] = _Event(
                    entry["name"],
                    tuple((name, kind) for name, kind, indexed in fields if indexed),
                    tuple((name, kind) for name, kind, indexed in fields if not indexed),
                )

    @property
    def event_names(self) -> set[str]:
        """The names of all events the contract can log."""
        return {event.name for event in self._events.values()}

    def calldata(self, name: str, *arguments: object) -> bytes:
        """Return the calldata that calls the function `name`; eth-abi refuses arguments that do not fit."""
        function = self._functions[name]
        return function.selector + encode(function.inputs, arguments)

    def results(self, name: str, returned: bytes) -> tuple[Any, ...]:
        """Return what a call of the function `name` returned; eth-abi's `DecodingError` where it returns no such."""
        outputs = self._functions[name].outputs
        values = decode(_wire(outputs), returned)
        return tuple(_plain(kind, value) for kind, value in zip(outputs, values, strict=True))

    def ask(self, evm: Evm, address: bytes, name: str, *arguments: object, block: int | None = None) -> tuple[Any, ...]:
        """Call the view `name` of the contract at `address` on the state after `block`, and return its results.

        Raises `EvmError`, of which `NoSuchContract` where the answer is none the contract would give.
        """
        returned = evm.call(address, self.calldata(name, *arguments), block=block)
        try:
            return self.results(name, returned)
        except DecodingError as error:
            raise NoSuchContract(address, name) from error

    def event(self, topics: Sequence[bytes], data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Return the name and fields of a logged event, or None if this contract knows no such event.

        Indexed fields are words; an indexed text would be its hash, and no contract here has one.
        """
        event = self._events.get(topics[0]) if topics else None
        if event is None or len(topics) != 1 + len(event.indexed):
            return None
        fields: dict[str, Any] = {}
        try:
            for (name, kind), topic in zip(event.indexed, topics[1:], strict=True):
                fields[name] = _plain(kind, decode([kind], topic)[0])
            values = decode(_wire(kind for _, kind in event.plain), data)
        except DecodingError:
            return None
        fields.update((name, _plain(kind, value)) for (name, kind), value in zip(event.plain, values, strict=True))
        return event.name, fields


@cache
def abi_of(name: str) -> Abi:
    """Return the interface of the committed contract `name`."""
    return Abi(load(name).abi)


def _keccak(text: str) -> bytes:
    digest: bytes = keccak_256(text.encode()).digest()
    return digest


def _types(fields: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(_type(field) for field in fields)


def _type(field: Mapping[str, Any]) -> str:
    kind = str(field["type"])
    if kind.startswith("tuple"):
        return f"({','.join(_types(field['components']))}){kind.removeprefix('tuple')}"
    return kind


def _wire(kinds: Iterable[str]) -> list[str]:
    """Return the types to decode as. Text is read as bytes first: eth-abi would stumble over what is no UTF-8."""
    return ["bytes" if kind == "string" else kind for kind in kinds]


def _plain(kind: str, value: Any) -> Any:
    """Addresses come out of eth-abi as text; the house has them as bytes. Inside structs nothing is changed.

    Text may be anybody's, and need not be any: what is no UTF-8 becomes the replacement character.
    """
    if kind == "string":
        return value.decode(errors="replace")
    if kind == "address":
        return bytes.fromhex(value[2:])
    if kind.startswith("address["):
        return tuple(_plain(kind.rpartition("[")[0], each) for each in value)
    return value
