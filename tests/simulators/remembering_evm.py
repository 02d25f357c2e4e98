"""A local chain that executes no block twice in one process.

To execute the village's day anew takes a second of py-evm, and scores of tests begin with it. What a block leads to
follows from its parent, its time and its transactions alone, so what the first execution gave is kept; a block that is
read from a recording is held against the hash written there all the same. That a recording leads to what it states
when it is executed is for the tests of the recording, of commands in processes of their own, and of the sound day.
"""

from collections.abc import Iterable
from threading import Lock
from typing import Any

from eth.abc import BlockHeaderAPI, SignedTransactionAPI

from contracts.local_chain import Machine, Mined
from contracts.local_evm import LocalEvm


class RememberingMachine:
    """A machine, what it has read and what it has mined; all chains that begin with the same block share one."""

    _all: dict[tuple[int, bytes], "RememberingMachine"] = {}

    def __init__(self, inner: Machine) -> None:
        self._inner = inner
        self._lock = Lock()
        self._decoded: dict[bytes, SignedTransactionAPI] = {}
        self._mined: dict[tuple[bytes, int, tuple[bytes, ...]], Mined] = {}

    @classmethod
    def before(cls, machine: Machine) -> "RememberingMachine":
        return cls._all.setdefault((machine.chain_id, bytes(machine.genesis.hash)), cls(machine))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def decode(self, raw: bytes) -> SignedTransactionAPI:
        if raw not in self._decoded:
            self._decoded[raw] = self._inner.decode(raw)
        return self._decoded[raw]

    def mine(self, parent: BlockHeaderAPI, timestamp: int, transactions: Iterable[SignedTransactionAPI]) -> Mined:
        taken = tuple(transactions)
        what = bytes(parent.hash), timestamp, tuple(bytes(transaction.hash) for transaction in taken)
        with self._lock:
            if what not in self._mined:
                self._mined[what] = self._inner.mine(parent, timestamp, taken)
            return self._mined[what]


class RememberingEvm(LocalEvm):
    """A `LocalEvm` in every other respect."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._machine = RememberingMachine.before(self._machine)
