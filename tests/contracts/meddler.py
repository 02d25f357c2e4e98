"""A contract that calls back, compiled once."""

from functools import cache
from pathlib import Path

from vyper.compiler import compile_code

from contracts.artifacts import Artifact


@cache
def meddler() -> Artifact:
    source = (Path(__file__).parent / "tokens" / "Meddler.vy").read_text(encoding="utf-8")
    compiled = compile_code(source, output_formats=["abi", "bytecode"])
    return Artifact(
        name="Meddler",
        abi=compiled["abi"],
        bytecode=bytes.fromhex(compiled["bytecode"][2:]),
        runtime_size=0,
        source_digest="",
        compiler="",
        evm_version="london",
    )
