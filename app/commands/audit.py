"""`merit audit`: check everything again."""

from pathlib import Path

from app.auditing import VerificationFailed, audit_folder
from app.output import Output
from app.storage import storage_of
from app.verdict_view import show_verdict


def run(data: Path, *, rpc: str | None, as_json: bool, storage: str | None = None) -> None:
    """Audit a folder and print every finding; raises `VerificationFailed` where there is one."""
    output = Output(as_json=as_json)
    output.say(f"auditing {data} …")
    verdict = audit_folder(data, rpc=rpc, storage=storage_of(storage, data))
    output.result(verdict.to_document())
    show_verdict(output, verdict)
    if not verdict.sound:
        raise VerificationFailed(f"{len(verdict.findings)} findings")
