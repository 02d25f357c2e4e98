"""A chain with a mempool, around a real one: it mines when told, charges what it likes, forgets, forks and lies.

Transactions are taken by geth's rules: the next nonce or a later one, a replacement only for a tenth more. Blocks are
executed by the chain inside; what they cost is the simulator's whim. Asking the contract is always honest: a node that
lies about state cannot be told from the truth by anybody.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from contracts.errors import NodeUnreachable, Refusal, TransactionRefused
from contracts.evm import Receipt
from contracts.local_evm import LocalEvm

GWEI = 10**9
LIES = ("hidden", "flipped", "elsewhere", "invented", "invented-failure")


@dataclass(frozen=True)
class Waiting:
    """A transaction in the mempool."""

    raw: bytes
    transaction: Any

    @property
    def fees(self) -> tuple[int, int]:
        """What it offers, in all and as a tip (wei per gas)."""
        return self.transaction.max_fee_per_gas, self.transaction.max_priority_fee_per_gas


class MempoolEvm:
    """Answers as `inner` does, but for what was said above.

    `away`: nothing is answered. `deaf`: what is sent arrives, the answer does not. `losing`: what is sent is taken
    and forgotten. `base` and `least_tip` are what miners ask for (wei per gas), `suggested_tip` what the node says
    they do. `lie` is how receipts are falsified. `interrupt` runs once, before the next answer.
    """

    def __init__(self, inner: LocalEvm, clock: Any) -> None:
        self.inner = inner
        self.clock = clock
        self.pool: dict[tuple[bytes, int], Waiting] = {}
        self.away = self.deaf = self.losing = False
        self.base = self.least_tip = self.suggested_tip = GWEI
        self.lie: str | None = None
        self.interrupt: Callable[[], None] | None = None
        self.offers: list[tuple[int, int]] = []

    def __getattr__(self, name: str) -> Any:
        if self.interrupt is not None:
            self.interrupt, interrupt = None, self.interrupt
            interrupt()
        if self.away:
            raise NodeUnreachable("http://127.0.0.1:8545", "timed out")
        return getattr(self.inner, name)

    def behave(self) -> None:
        """Answer, take, mine and tell the truth from now on, at a modest price."""
        self.away = self.deaf = self.losing = False
        self.lie = self.interrupt = None
        self.base = self.least_tip = self.suggested_tip = GWEI

    # the node

    @property
    def chain_id(self) -> int:
        return self.inner.chain_id  # asked once, when the node was met

    def nonce(self, address: bytes, pending: bool = False) -> int:
        nonce = self.__getattr__("nonce")(address)
        while pending and (address, nonce) in self.pool:
            nonce += 1
        return nonce

    def base_fee(self) -> int:
        return self.__getattr__("base_fee")() and self.base

    def priority_fee(self) -> int:
        return self.__getattr__("priority_fee")() and self.suggested_tip

    def gas_price(self) -> int:
        return self.base_fee() + self.priority_fee()

    def send_raw(self, raw: bytes) -> bytes:
        arrive = self.__getattr__("_machine").decode
        transaction = arrive(raw)
        new = Waiting(raw, transaction)
        self.offers.append(new.fees)
        if not self.losing:
            self._admit(new)
        if self.deaf:
            raise NodeUnreachable("http://127.0.0.1:8545", "the answer was lost")
        return bytes(transaction.hash)

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        found = self.__getattr__("receipt")(tx_hash)
        return self._falsified(tx_hash, found) if self.lie else found

    def _admit(self, new: Waiting) -> None:
        transaction = new.transaction
        place = (bytes(transaction.sender), transaction.nonce)
        old = self.pool.get(place)
        if old is not None and old.raw == new.raw:
            raise TransactionRefused("already known", Refusal.ALREADY_KNOWN)
        if transaction.nonce < self.inner.nonce(place[0]):
            raise TransactionRefused("nonce too low", Refusal.NONCE_TOO_LOW)
        if old is not None and any(10 * now < 11 * before for now, before in zip(new.fees, old.fees, strict=True)):
            raise TransactionRefused("replacement transaction underpriced", Refusal.UNDERPRICED)
        self.pool[place] = new

    def _falsified(self, tx_hash: bytes, found: Receipt | None) -> Receipt | None:
        if found is None:
            if self.lie not in {"invented", "invented-failure"}:
                return None
            head = self.inner.head()
            return Receipt(
                tx_hash=tx_hash,
                block_number=max(0, head.number - 10),
                block_hash=self.inner.block(max(0, head.number - 10)).hash,
                ok=self.lie == "invented",
                gas_used=1,
                contract_address=None,
                logs=(),
            )
        match self.lie:
            case "hidden":
                return None
            case "flipped":
                return replace(found, ok=not found.ok)
            case "elsewhere":
                return replace(found, block_hash=b"\xfe" * 32)
        return found

    # the chain

    def mine(self, blocks: int = 1) -> None:
        """Mine blocks, each with every waiting transaction that pays enough and whose turn it is."""
        for _ in range(blocks):
            taken = self._block()
            self.clock.now += 1
            self.inner._mine(self.inner._next_time(), [t.transaction for t in taken], [t.raw for t in taken])

    def _block(self) -> list[Waiting]:
        taken, due = [], {}
        for (sender, nonce), waiting in sorted(self.pool.items()):
            due.setdefault(sender, self.inner.nonce(sender))
            max_fee, tip = waiting.fees
            if nonce == due[sender] and min(tip, max_fee - self.base) >= self.least_tip:
                taken.append(waiting)
                due[sender] += 1
        self.pool = {place: waiting for place, waiting in self.pool.items() if place[1] >= due[place[0]]}
        return taken

    def fork(self, depth: int, *, reinject: bool) -> None:
        """Replace the newest `depth` blocks by one more; what was in them waits again, or is forgotten."""
        mark = self.inner.snapshot() - depth
        for number in range(mark, self.inner.snapshot()):
            for transaction in self.inner.mined(number).transactions:
                if reinject:
                    place = (bytes(transaction.sender), transaction.nonce)
                    self.pool.setdefault(place, Waiting(transaction.encode(), transaction))
        self.inner.revert(mark)
        self.clock.now += 1
        # other miners, who had heard of nothing: a later time makes other blocks
        self.inner.mine(depth + 1)
        self.pool = {place: waiting for place, waiting in self.pool.items() if place[1] >= self.inner.nonce(place[0])}

    def forget(self) -> None:
        """Lose the mempool, as a node that is started again does."""
        self.pool.clear()
