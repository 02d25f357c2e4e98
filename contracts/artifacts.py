"""Compiled contracts: committed as JSON, and rebuilt from the sources by a test.

`load` reads what is committed and needs no compiler; `build` compiles. `python -m contracts.artifacts` rewrites the
JSON.
"""

import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
DEPLOYABLE = ("Settlement", "TestEuro", "DidRegistry", "AssetIdentity", "AssetRegistry", "RoleRegistry", "Imbalance")
EVM_VERSION = "london"  # the newest rules that Energy Web Chain and Volta know


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A compiled contract, and what it was compiled from.

    `bytecode` runs the constructor (its arguments are appended, ABI-encoded); `runtime_size` is in bytes, without
    immutables. `source_digest` is the SHA-256 over the names and texts of all sources, in order of name.
    """

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    runtime_size: int
    source_digest: str
    compiler: str
    evm_version: str

    def to_json(self) -> str:
        """Return the committed form: sorted, indented, bytecode as hex, newline at the end."""
        return json.dumps(asdict(self) | {"bytecode": "0x" + self.bytecode.hex()}, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Artifact":
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        return cls(**fields | {"bytecode": bytes.fromhex(fields["bytecode"].removeprefix("0x"))})


def path_of(name: str) -> Path:
    """Return where the artifact `name` is committed."""
    return ROOT / "artifacts" / f"{name}.json"


@cache
def load(name: str) -> Artifact:
    """Return the committed artifact; `KeyError` when there is no contract of that name."""
    if name not in DEPLOYABLE:
        raise KeyError(f"no contract is called {name}; there are {', '.join(DEPLOYABLE)}")
    return Artifact.from_json(path_of(name).read_text(encoding="utf-8"))


def build(name: str) -> Artifact:
    """Compile `contracts/<name>.vy` and return the artifact; needs vyper."""
    from vyper import __version__
    from vyper.compiler import compile_from_file_input
    from vyper.compiler.input_bundle import FilesystemInputBundle
    from vyper.compiler.settings import Settings

    bundle = FilesystemInputBundle([ROOT.parent])
    source = bundle.load_file(ROOT.relative_to(ROOT.parent) / f"{name}.vy")
    compiled = compile_from_file_input(
        source,
        input_bundle=bundle,
        output_formats=["abi", "bytecode", "bytecode_runtime"],
        settings=Settings(evm_version=EVM_VERSION),
    )
    return Artifact(
        name=name,
        abi=compiled["abi"],
        bytecode=bytes.fromhex(compiled["bytecode"].removeprefix("0x")),
        runtime_size=len(bytes.fromhex(compiled["bytecode_runtime"].removeprefix("0x"))),
        source_digest=_digest_of_sources(),
        compiler=f"vyper {__version__}",
        evm_version=EVM_VERSION,
    )


def _digest_of_sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(ROOT.glob("*.vy")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def main() -> None:
    """Rewrite the committed artifacts."""
    for name in DEPLOYABLE:
        artifact = build(name)
        path_of(name).write_text(artifact.to_json(), encoding="utf-8")
        sys.stdout.write(f"{name}: {artifact.runtime_size} bytes of code\n")


if __name__ == "__main__":
    main()
