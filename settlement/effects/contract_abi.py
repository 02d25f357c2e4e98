"""A contract's interface, read from its compiled artifact: calldata, results of views, events.

Every argument, result and event field of our contracts is a static word, so a call is a selector and words. Addresses
and hashes are plain bytes. The encoding itself is eth-abi's, which refuses values that do not fit their type.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from contracts.artifacts import load
from contracts.evm import Evm
from identity.hashing import keccak
from settlement.effects.errors import NoSuchContract


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


class ContractAbi:
    """What one contract can be told and asked, and what it says."""

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        self._functions: dict[str, _Function] = {}
        self._events: dict[bytes, _Event] = {}
        for entry in entries:
            if entry["type"] == "function":
                inputs, outputs = _types(entry["inputs"]), _types(entry["outputs"])
                selector = keccak(f"{entry['name']}({','.join(inputs)})".encode())[:4]
                self._functions[entry["name"]] = _Function(selector, inputs, outputs)
            elif entry["type"] == "event":
                topic = keccak(f"{entry['name']}({','.join(_types(entry['inputs']))})".encode())
                fields = [(field["name"], field["type"], field["indexed"]) for field in entry["inputs"]]
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

    def ask(self, evm: Evm, address: bytes, name: str, *arguments: object, block: int | None = None) -> tuple[Any, ...]:
        """Call the view `name` of the contract at `address` on the state after `block`, and return its results.

        Raises `EvmError`, and `NoSuchContract` where the answer is none the contract would give.
        """
        returned = evm.call(address, self.calldata(name, *arguments), block=block)
        try:
            return tuple(_plain(value) for value in decode(self._functions[name].outputs, returned))
        except DecodingError as error:
            raise NoSuchContract(address, name) from error

    def event(self, topics: Sequence[bytes], data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Return the name and fields of a logged event, or None if this contract knows no such event."""
        event = self._events.get(topics[0]) if topics else None
        if event is None or len(topics) != 1 + len(event.indexed):
            return None
        fields: dict[str, Any] = {}
        for (name, kind), topic in zip(event.indexed, topics[1:], strict=True):
            fields[name] = _plain(decode([kind], topic)[0])
        try:
            values = decode([kind for _, kind in event.plain], data)
        except DecodingError:
            return None
        fields.update((name, _plain(value)) for (name, _), value in zip(event.plain, values, strict=True))
        return event.name, fields


@cache
def abi_of(name: str) -> ContractAbi:
    """Return the interface of the committed contract `name`."""
    return ContractAbi(load(name).abi)


def _types(fields: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(_type(field) for field in fields)


def _type(field: Mapping[str, Any]) -> str:
    kind = str(field["type"])
    if kind.startswith("tuple"):
        return f"({','.join(_types(field['components']))}){kind.removeprefix('tuple')}"
    return kind


def _plain(value: Any) -> Any:
    """Addresses come out of eth-abi as text; the house has them as bytes."""
    return bytes.fromhex(value[2:]) if isinstance(value, str) else value
