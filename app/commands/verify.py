"""`merit verify`: one proof against any node."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from app.auditing import VerificationFailed
from app.output import Output
from contracts.errors import EvmError
from contracts.evm import Evm
from contracts.rpc_evm import RpcEvm
from exchange.delivery import SessionKey
from exchange.documents import hexed
from identity.address import parse_address, to_text
from settlement.effects.contract_log import decode
from settlement.effects.errors import SettlementEffectError
from settlement.effects.settlement_contract import SettlementContract
from settlement.errors import ProofMalformed
from settlement.facts import BatchSettled
from settlement.proof import Expected, Proof, TradeProof, expected, verify
from settlement.proof_document import proof_from_document


def run(path: Path, *, rpc: str, contract: str | None, as_json: bool) -> None:
    """Verify a proof; raises `VerificationFailed` where anything is wrong with it or the chain says otherwise."""
    output = Output(as_json=as_json)
    proof = _read(path)
    trusted = None if contract is None else parse_address(contract)
    problems = [str(finding) for finding in verify(proof)]
    wanted = expected(proof)
    if trusted is not None and trusted != wanted.contract:
        problems.append(f"the proof is about {to_text(wanted.contract)}, not about {to_text(trusted)}")
    try:
        problems += _ask_chain(wanted, RpcEvm(rpc, expected_chain_id=wanted.chain_id))
    except SettlementEffectError as error:
        problems.append(f"{to_text(wanted.contract)} is no settlement contract: {error}")
    except EvmError as error:
        if not problems:
            raise
        problems.append(f"the chain could not be asked: {error}")  # what is wrong already stays wrong
    output.result({"sound": not problems, "problems": problems, "contract": to_text(wanted.contract)})
    for problem in problems:
        output.text(f"  ✗ {problem}")
    if problems:
        raise VerificationFailed(f"{len(problems)} problems")
    output.text(_sentence(proof))


def _read(path: Path) -> Proof:
    raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    try:
        return proof_from_document(json.loads(raw))
    except (ValueError, RecursionError) as error:
        raise ProofMalformed(f"{path} is not JSON: {error}") from error


def _ask_chain(wanted: Expected, evm: Evm) -> Iterator[str]:
    """Yield where the node's answers are not what the proof needs."""
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
    """Yield orders whose signer could not act for the asset when the gate closed."""
    key = SessionKey.of(wanted.session)
    terms = contract.market(key.market)
    closure = key.delivery_start - (0 if terms is None else terms.lead)
    for asset, signer in wanted.signers:
        number = contract.asset_of(asset)
        if not number:
            yield f"the contract knows no asset {to_text(asset)}"
            continue
        account = contract.asset(number).account
        # a delegation is never shortened to a time before now, so it still shows
        if signer != contract.account(account).holder and contract.delegation(account, signer) < closure:
            yield f"{to_text(signer)} could not sign for asset {to_text(asset)}"


def _sentence(proof: Proof) -> str:
    session = proof.place.session
    where = f"contract {to_text(proof.place.contract)} on chain {proof.place.chain_id}"
    if isinstance(proof, TradeProof):
        trade = proof.trade
        return (
            f"verified: {trade.energy} Wh at {trade.rate} µ/kWh (fee {trade.fee_rate} µ/kWh) were paid in session "
            f"{session} by {where}"
        )
    what = "cancelled order" if proof.cancelled else "order"
    return f"verified: the {what} {hexed(proof.receipt.order)} stands in session {session} of {where}"
