"""A contract on a machine, called by the names of its functions, and a refusal by its sentence."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import pytest
from eth_abi import decode, encode

from contracts.artifacts import Artifact
from tests.contracts.machine import Machine, Outcome, Refused
from tests.contracts.orders import keccak


@contextmanager
def refused(reason: str) -> Iterator[None]:
    """The block's call reverts with exactly this sentence."""
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.reason == reason


class Contract:
    """A deployed contract, called by the names of its functions."""

    def __init__(self, machine: Machine, artifact: Artifact, sender: str, *arguments: Any) -> None:
        constructor = next((entry for entry in artifact.abi if entry["type"] == "constructor"), {"inputs": []})
        code = artifact.bytecode + encode(_kinds(constructor["inputs"]), arguments)
        self._stands(machine, artifact, machine.create(sender, code))

    @classmethod
    def at(cls, machine: Machine, artifact: Artifact, address: bytes) -> Self:
        """A contract that is there already."""
        found = cls.__new__(cls)
        found._stands(machine, artifact, address)
        return found

    def _stands(self, machine: Machine, artifact: Artifact, address: bytes) -> None:
        self.machine, self.address = machine, address
        self._functions = {entry["name"]: entry for entry in artifact.abi if entry["type"] == "function"}
        self._events = {selector_of(entry): entry for entry in artifact.abi if entry["type"] == "event"}

    def send(self, sender: str, name: str, *arguments: Any) -> Outcome:
        return self.machine.send(sender, self.address, self.calldata(name, *arguments))

    def read(self, name: str, *arguments: Any) -> Any:
        kinds = _kinds(self._functions[name]["outputs"])
        values = decode(kinds, self.machine.read(self.address, self.calldata(name, *arguments)))
        return values[0] if len(values) == 1 else values

    def calldata(self, name: str, *arguments: Any) -> bytes:
        function = self._functions[name]
        return self.selector(name) + encode(_kinds(function["inputs"]), arguments)

    def selector(self, name: str) -> bytes:
        return selector_of(self._functions[name])[:4]

    def events(self, outcome: Outcome) -> list[tuple[str, dict[str, Any]]]:
        """The events of this contract, by name and fields."""
        found = []
        for topics, data in outcome.logs:
            event = self._events.get(topics[0])
            if event is None:
                continue
            indexed = [field for field in event["inputs"] if field["indexed"]]
            plain = [field for field in event["inputs"] if not field["indexed"]]
            fields: dict[str, Any] = {
                field["name"]: decode([field["type"]], word)[0] for field, word in zip(indexed, topics[1:], strict=True)
            }
            fields |= zip([field["name"] for field in plain], decode(_kinds(plain), data), strict=True)
            found.append((event["name"], fields))
        return found


def _kinds(fields: Sequence[dict[str, Any]]) -> list[str]:
    return [_kind(field) for field in fields]


def _kind(field: dict[str, Any]) -> str:
    if not field["type"].startswith("tuple"):
        return str(field["type"])
    return f"({','.join(_kinds(field['components']))}){field['type'].removeprefix('tuple')}"


def selector_of(entry: dict[str, Any]) -> bytes:
    return keccak(f"{entry['name']}({','.join(_kinds(entry['inputs']))})".encode())
