"""Reading one range of the chain: the facts of our contracts in it, and the blocks they were in."""

from dataclasses import dataclass

from contracts.evm import Block, Evm
from settlement.effects.contract_log import fact_in
from settlement.effects.errors import ChainMoved
from settlement.effects.sources import Sources
from settlement.effects.store import Checkpoint, StoredFact
from settlement.facts import BatchSettled, Witnessed

SPAN = 1_000
"""Blocks read at once: few enough for public nodes and for a chain in this process."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a range of blocks holds: the range's last block and every block with a fact, and the facts, in order."""

    blocks: tuple[Checkpoint, ...]
    facts: tuple[StoredFact, ...]


def read_range(sources: Sources, from_block: int, to_block: int, *, scale: int, parent: bytes | None = None) -> Reading:
    """Read the blocks `from_block` to `to_block`, both included; the first must follow the block with hash `parent`.

    Facts stand in the order of the chain, whichever contract logged them. All is of one chain: raises `ChainMoved`
    where a block was replaced meanwhile, or does not follow. Raises `UnknownEvent` where a contract is not the one it
    is taken for, and `EvmError`. A settled batch is without its calldata where the node does not know the transaction.
    """
    evm = sources.evm
    last = _block(evm, to_block)
    first = last if from_block == to_block else _block(evm, from_block)
    if parent is not None and first.parent_hash != parent:
        raise ChainMoved(from_block)
    blocks = {to_block: last}
    facts = []
    for entry in sources.logs(from_block, to_block):
        if entry.block_number not in blocks:
            blocks[entry.block_number] = _block(evm, entry.block_number)
        block = blocks[entry.block_number]
        if block.hash != entry.block_hash:
            raise ChainMoved(entry.block_number)
        fact = fact_in(entry, sources, scale=scale, block_time=block.timestamp)
        if fact is None:
            continue
        calldata = evm.calldata(entry.tx_hash) if isinstance(fact, BatchSettled) else None
        witnessed = Witnessed(fact, entry.block_number, entry.block_hash, entry.tx_hash, entry.index)
        facts.append(StoredFact(witnessed, block.timestamp, calldata))
    if _block(evm, to_block).hash != last.hash:
        raise ChainMoved(to_block)
    return Reading(
        tuple(Checkpoint(number, block.hash, block.timestamp) for number, block in sorted(blocks.items())),
        tuple(facts),
    )


def _block(evm: Evm, number: int) -> Block:
    block = evm.block(number)
    if block is None:
        raise ChainMoved(number)
    return block
