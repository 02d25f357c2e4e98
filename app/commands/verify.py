"""`merit verify`: one proof against any node."""

import json
import sys
from pathlib import Path

from app.auditing import VerificationFailed
from app.on_chain import differences_on_chain
from app.output import Output
from contracts.errors import EvmError
from contracts.rpc_evm import RpcEvm
from exchange.documents import hexed
from exchange.trade import Trade
from identity.address import parse_address, to_text
from settlement.effects.errors import SettlementEffectError
from settlement.errors import ProofMalformed
from settlement.proof import Proof, TradeProof, expected, verify
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
        problems += differences_on_chain(wanted, RpcEvm(rpc, expected_chain_id=wanted.chain_id))
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


def _fees(trade: Trade) -> str:
    return ", ".join(f"{share.rate} to node {share.node}" for share in trade.fees.shares)


def _sentence(proof: Proof) -> str:
    session = proof.place.session
    where = f"contract {to_text(proof.place.contract)} on chain {proof.place.chain_id}"
    if isinstance(proof, TradeProof):
        trade = proof.trade
        return (
            f"verified: {trade.energy} Wh at {trade.rate} µ/kWh (fees {trade.fee_rate} µ/kWh: {_fees(trade)}) were "
            f"paid in session {session} by {where}"
        )
    what = "cancelled order" if proof.cancelled else "order"
    return f"verified: the {what} {hexed(proof.receipt.order)} stands in session {session} of {where}"
