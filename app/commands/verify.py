"""`merit verify`: one proof against any node."""

import json
import sys
from pathlib import Path

from app.auditing import VerificationFailed
from app.output import Output
from contracts.rpc_evm import RpcEvm
from exchange.documents import hexed
from identity.address import parse_address, to_text
from settlement.effects.settlement_contract import SettlementContract
from settlement.errors import ProofMalformed
from settlement.proof import Expected, Proof, TradeProof, expected, verify
from settlement.proof_document import proof_from_document


def run(path: Path, *, rpc: str, contract: str | None, as_json: bool) -> None:
    """Verify a proof; raises `VerificationFailed` where anything is wrong with it or the chain says otherwise."""
    output = Output(as_json=as_json)
    proof = _read(path)
    problems = [str(finding) for finding in verify(proof)]
    wanted = expected(proof)
    if contract is not None and parse_address(contract) != wanted.contract:
        problems.append(f"the proof is about {to_text(wanted.contract)}, not about {contract}")
    problems += _ask_chain(wanted, rpc)
    output.result({"sound": not problems, "problems": problems, "contract": to_text(wanted.contract)})
    for problem in problems:
        output.text(f"  ✗ {problem}")
    if problems:
        raise VerificationFailed(f"{len(problems)} problems")
    output.text(_sentence(proof))


def _read(path: Path) -> Proof:
    text = sys.stdin.read() if str(path) == "-" else path.read_text()
    try:
        return proof_from_document(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise ProofMalformed(f"{path} is not JSON: {error}") from error


def _ask_chain(wanted: Expected, rpc: str) -> list[str]:
    """Return where the node's answers are not what the proof needs."""
    evm = RpcEvm(rpc, expected_chain_id=wanted.chain_id)
    contract = SettlementContract(evm, wanted.contract)
    problems = []
    word = contract.session(wanted.session)
    if not word.parts_settled:
        return [f"the contract holds no session {wanted.session}"]
    if not wanted.commitment.startswith(word.commitment):
        problems.append("the contract holds other order root or parameters for the session")
    if wanted.part is not None:
        root = contract.trade_root(wanted.session, wanted.part)
        if root != wanted.trade_root:
            held = "none" if root is None else hexed(root)
            problems.append(f"the contract holds {held} as the trade root of part {wanted.part}")
    return problems


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
