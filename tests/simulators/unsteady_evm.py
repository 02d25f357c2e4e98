"""A chain with moods, around a real one: it queues, loses, goes away, or turns under the reader's eyes."""

from collections.abc import Callable
from typing import Any

from sha3 import keccak_256

from contracts.errors import NodeUnreachable
from contracts.local_evm import LocalEvm


class UnsteadyEvm:
    """Answers as `inner` does, but for the mood it is in.

    `queueing`: transactions wait until `release`. `losing`: they are taken and forgotten. `away`: nothing is answered.
    `away_after`: it goes away when it has settled that many more batches and is asked to estimate another.
    `deaf_after_sending`: the transaction arrives, its answer does not. `before_logs` runs once, before the next logs
    are read.
    """

    def __init__(self, inner: LocalEvm) -> None:
        self.inner = inner
        self.queueing = False
        self.losing = False
        self.away = False
        self.away_after: int | None = None
        self.deaf_after_sending = False
        self.before_logs: Callable[[], None] | None = None
        self.queue: list[bytes] = []
        self.sent: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        if self.away:
            raise NodeUnreachable("http://127.0.0.1:8545", "it is away")
        return getattr(self.inner, name)

    def nonce(self, address: bytes, pending: bool = False) -> int:
        return self.inner.nonce(address) + (len(self.queue) if pending else 0)

    def estimate_gas(self, sender: bytes, to: bytes | None, data: bytes) -> int:
        if self.away or self.away_after == 0:
            self.away = True
            raise NodeUnreachable("http://127.0.0.1:8545", "it is away")
        return self.inner.estimate_gas(sender, to, data)

    def send_raw(self, raw: bytes) -> bytes:
        if self.away:
            raise NodeUnreachable("http://127.0.0.1:8545", "it is away")
        self.sent.append(raw)
        if self.losing:
            return keccak_256(raw).digest()
        if self.queueing:
            if raw not in self.queue:
                self.queue.append(raw)
            return keccak_256(raw).digest()
        tx_hash = self.inner.send_raw(raw)
        if self.away_after:
            self.away_after -= 1
        if self.deaf_after_sending:
            raise NodeUnreachable("http://127.0.0.1:8545", "the answer was lost")
        return tx_hash

    def logs(self, address: bytes, from_block: int, to_block: int) -> list[Any]:
        turn, self.before_logs = self.before_logs, None
        if turn is not None:
            turn()
        return self.inner.logs(address, from_block, to_block)

    def release(self) -> None:
        """Mine what waits, in order."""
        waiting, self.queue = self.queue, []
        for raw in waiting:
            self.inner.send_raw(raw)
