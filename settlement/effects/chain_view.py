"""What the chain alone says of the contract: the auditor's side, from any node and without a database of ours."""

from exchange.units import Nano
from settlement.chain_view import ChainView
from settlement.effects.chain_reader import SPAN, read_range
from settlement.effects.errors import ChainMoved
from settlement.effects.escrow_token import EscrowToken
from settlement.effects.settlement_contract import SettlementContract
from settlement.effects.store import StoredFact
from settlement.facts import BatchSettled


def read_chain(contract: SettlementContract, *, start_block: int = 0, end_block: int | None = None) -> ChainView:
    """Read everything from `start_block`, in which the first of the contracts was created or before, to `end_block`
    (the head).

    Logs, calldata, credits and tokens are all of one chain as it stood after the last block; raises `ChainMoved` where
    that was replaced meanwhile (read again), `UnknownEvent`, `NoSuchContract` and `EvmError`. What counts as held is
    what the contract counts, or what the token says it has where that is less.
    """
    evm = contract.evm
    last = evm.head() if end_block is None else evm.block(end_block)
    if last is None:
        raise ChainMoved(end_block or 0)
    scale, sources = contract.scale(), contract.sources()
    facts: list[StoredFact] = []
    times: dict[int, int] = {}
    parent = None
    for begin in range(start_block, last.number + 1, SPAN):
        reading = read_range(sources, begin, min(begin + SPAN - 1, last.number), scale=scale, parent=parent)
        facts += reading.facts
        times |= {block.number: block.timestamp for block in reading.blocks}
        parent = reading.blocks[-1].hash
    counted = contract.tokens_held(last.number)
    token = EscrowToken(evm, contract.token())
    held = min(counted, token.balance_of(contract.address, last.number))
    numbers = range(1, contract.account_count(last.number) + 1)
    credits_now = {number: contract.credit_of(number, last.number) for number in numbers}
    if parent not in (None, last.hash) or evm.block(last.number) != last:
        raise ChainMoved(last.number)
    return ChainView(
        chain_id=evm.chain_id,
        contract=contract.address,
        roles=contract.required_roles(),
        facts=tuple(fact.witnessed for fact in facts),
        calldata={
            (fact.witnessed.fact.session, fact.witnessed.fact.part): fact.calldata
            for fact in facts
            if isinstance(fact.witnessed.fact, BatchSettled) and fact.calldata is not None
        },
        credits=credits_now,
        tokens_held=Nano(held * scale),
        block_times=times,
    )
