"""Whether a chain holds what a proof says: asked of any node, without this server and its database."""

from collections.abc import Iterator

from contracts.evm import Evm
from exchange.delivery import SessionKey
from exchange.documents import hexed
from identity.address import to_text
from settlement.calldata import decode as read_call
from settlement.effects.contract_log import decode
from settlement.effects.settlement_contract import SettlementContract
from settlement.errors import CalldataMalformed
from settlement.facts import BatchSettled
from settlement.proof import Expected


def differences_on_chain(wanted: Expected, evm: Evm) -> Iterator[str]:
    """Yield where the node's answers are not what the proof needs.

    Raises `EvmError` where the node does not answer, and `SettlementEffectError` where there is no such contract.
    """
    contract = SettlementContract(evm, wanted.contract)
    record = contract.record(wanted.session, wanted.part)
    if record is None:
        yield f"the contract holds no part {wanted.part} of session {wanted.session}"
        return
    if record != wanted.record:
        yield f"the contract holds {hexed(record)} of the session: other trades, orders or parameters were committed"
    yield from _check_transaction(wanted, evm)
    yield from _check_signers(wanted, contract)


def _check_transaction(wanted: Expected, evm: Evm) -> Iterator[str]:
    """Yield where the transaction that the proof names did not settle the session."""
    name, receipt = hexed(wanted.transaction), evm.receipt(wanted.transaction)
    if receipt is None:
        yield f"the node knows no transaction {name}; one that keeps the whole history may"
        return
    if receipt.block_number != wanted.block_number:
        yield f"transaction {name} stands in block {receipt.block_number}, not in {wanted.block_number}"
    facts = [decode(entry, scale=1, block_time=0) for entry in receipt.logs if entry.address == wanted.contract]
    settled = [(fact.session, fact.part) for fact in facts if isinstance(fact, BatchSettled)]
    if (wanted.session, wanted.part) not in settled:
        yield f"transaction {name} did not settle it"


def _check_signers(wanted: Expected, contract: SettlementContract) -> Iterator[str]:
    """Yield orders whose signer could not act for the asset when the gate closed.

    An asset may have been sold and enrolled anew since, so the enrolment that counts is the one in the transaction.
    """
    key = SessionKey.of(wanted.session)
    terms = contract.market(key.market)
    closure = key.delivery_start - (0 if terms is None else terms.lead)
    enrolments = {contract.asset(number).identity: number for number in _enrolments_settled(wanted, contract.evm)}
    for asset, signer in wanted.signers:
        number = enrolments.get(asset)
        if number is None:
            yield f"the transaction settled no order of asset {to_text(asset)}"
            continue
        if signer == contract.account(contract.asset(number).account).holder:
            continue
        # a delegation is never shortened to a time before now, so it still shows
        if contract.delegated_until(number, signer) <= closure:
            yield f"{to_text(signer)} could not sign for asset {to_text(asset)}"


def _enrolments_settled(wanted: Expected, evm: Evm) -> set[int]:
    """Return the numbers of the assets whose orders the transaction settled; none where it is no such transaction."""
    calldata = evm.calldata(wanted.transaction)
    try:
        return set() if calldata is None else {order.terms >> 208 for order in read_call(calldata).orders}
    except CalldataMalformed:
        return set()
