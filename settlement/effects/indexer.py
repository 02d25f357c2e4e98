"""The index: follows the chain block by block, keeps what the contracts logged, and folds it into a state.

Checkpoints remember the hashes of blocks that were read. Where the chain no longer has them, everything from the fork
on is forgotten and read again: replaced, never appended. The cursor moves in the transaction that writes the facts.
"""

from dataclasses import dataclass
from typing import ClassVar

from contracts.errors import EvmError
from settlement.chain_state import ChainState
from settlement.effects.chain_reader import SPAN, read_range
from settlement.effects.errors import ChainMoved, UnreadableBatch
from settlement.effects.settlement_contract import SettlementContract
from settlement.effects.store import Checkpoint, Store, StoredFact
from settlement.errors import CalldataMalformed
from settlement.facts import Witnessed


@dataclass(frozen=True, slots=True)
class DeepReorg:
    """Blocks that were read as lasting were replaced: those above block `kept` (-1: all), up to block `read`.

    A finding for the operator. Either the chain reorganises deeper than `confirmations`, or the node is not to be
    trusted, or it has fallen behind by more than that.
    """

    kept: int
    read: int
    confirmations: int

    code: ClassVar[str] = "deep-reorg"

    def __str__(self) -> str:
        return (
            f"blocks {self.kept + 1} to {self.read} were replaced, though each was read under at least "
            f"{self.confirmations} others"
        )


@dataclass(frozen=True, slots=True)
class Advance:
    """What is new: the facts read in this step, and whether others were taken back before.

    After `rolled_back`, `Indexer.state` is another object, and what was made of facts is to be made again from
    `Store.facts`. Since only lasting blocks are read, that is then a `deep_reorg`, and somebody should be told.
    """

    facts: tuple[Witnessed, ...]
    deep_reorg: DeepReorg | None = None

    @property
    def rolled_back(self) -> bool:
        """Whether facts may have been taken back."""
        return self.deep_reorg is not None


class Indexer:
    """Follows one settlement contract and the registries it names, from `start_block`: where the first was created, or
    an earlier block.

    Only blocks under at least `confirmations` others are read. `state` is what all facts read so far add up to; it is
    built from the store at the start and changes in place as facts come in.
    """

    state: ChainState
    _known: Checkpoint | None

    def __init__(
        self, store: Store, contract: SettlementContract, *, confirmations: int = 0, start_block: int = 0
    ) -> None:
        """Raises `StoreOfAnotherChain` and `EvmError`."""
        store.bind(contract.evm.chain_id, contract.address)
        self._store = store
        self._contract = contract
        self._confirmations = confirmations
        self._start_block = start_block
        self._scale = contract.scale()
        self._separator = contract.domain_separator()
        self._sources, self._roles = contract.sources(), contract.required_roles()
        self._rebuild()

    def advance(self) -> Advance:
        """Read what the chain has on top of the cursor; what is returned is on disk and in `state`.

        Where the chain moves or the node fails on the way, what was read until then is returned and the next call goes
        on. Raises `EvmError` where nothing could be read at all; `UnknownEvent`, `UnreadableBatch` and `LedgerRefused`
        where the contract is not the one it is taken for.
        """
        left: DeepReorg | None = None
        facts: list[Witnessed] = []
        try:
            left = self._leave_fork()
            horizon = self._contract.evm.head().number - self._confirmations
            while (batch := self._read_on(horizon)) is not None:
                facts += batch
        except ChainMoved:
            pass
        except EvmError:
            if not facts and left is None:
                raise
        return Advance(tuple(facts), left)

    def _leave_fork(self) -> DeepReorg | None:
        """Go back to the newest checkpoint that the chain still has; say how far back, if that was a step back."""
        cursor = known = self._store.cursor()
        while known is not None:
            block = self._contract.evm.block(known.number)
            if block is not None and block.hash == known.hash:
                break
            known = self._store.checkpoint_below(known.number)
        if cursor is None or known == cursor:
            return None
        kept = -1 if known is None else known.number
        self._store.roll_back(kept)
        self._rebuild()
        return DeepReorg(kept, cursor.number, self._confirmations)

    def reload(self) -> None:
        """Build `state` anew from the store, which another process wrote to."""
        self._rebuild()

    def follow(self) -> bool:
        """Take in what another process read since; false where it took something back.

        Then `state` is another object, and what was made of facts is to be made again from `facts`.
        """
        cursor, known = self._store.cursor(), self._known
        if cursor == known:
            return True
        if cursor is None or (known is not None and self._store.checkpoint_below(known.number + 1) != known):
            self._rebuild()
            return False
        for fact in self._store.facts(above=self.read_to, up_to=cursor.number):
            self._apply(fact, self.state)
        self._known = cursor
        return True

    @property
    def read_to(self) -> int:
        """The block up to which `state` knows everything; -1 where it knows nothing yet."""
        return -1 if self._known is None else self._known.number

    def facts(self, above: int = -1) -> list[StoredFact]:
        """Return the facts that `state` adds up to, those in blocks above `above`, in the order of the chain."""
        return self._store.facts(above, self.read_to)

    def _read_on(self, horizon: int) -> list[Witnessed] | None:
        """Read the next range up to the block `horizon`; None when there is nothing to read."""
        cursor = self._store.cursor()
        begin = self._start_block if cursor is None else cursor.number + 1
        if begin > horizon:
            return None
        end = min(begin + SPAN - 1, horizon)
        parent = None if cursor is None else cursor.hash
        reading = read_range(self._sources, begin, end, scale=self._scale, parent=parent)
        try:
            for fact in reading.facts:
                self._apply(fact, self.state)
            self._store.extend(reading.blocks, reading.facts)
            self._known = self._store.cursor()
        except BaseException:
            self._rebuild()  # the state never knows more than the store
            raise
        return [fact.witnessed for fact in reading.facts]

    def _rebuild(self) -> None:
        known = self._store.cursor()
        state = ChainState(self._separator, self._roles, self._scale)
        for fact in self._store.facts(-1, -1 if known is None else known.number):
            self._apply(fact, state)
        # only now: whoever asks meanwhile must not see a role again whose revocation is yet to come
        self.state, self._known = state, known

    def _apply(self, fact: StoredFact, state: ChainState) -> None:
        try:
            state.apply(fact.witnessed.fact, fact.calldata)
        except CalldataMalformed as error:
            raise UnreadableBatch(fact.witnessed.tx_hash, error.why) from error
        state.chronicle.apply(fact.witnessed.block_number, fact.witnessed.fact)
