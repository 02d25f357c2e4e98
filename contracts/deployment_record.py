"""The record of a deployment that is published: `deployments/<chain id>.json`, to find and to check the contracts.

It says of each contract where it is, which transaction created it with which arguments, what it was compiled from, how
to talk to it (ABI), and the Keccak-256 of its code. Nothing in it is secret.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from contracts.artifacts import DEPLOYABLE, load
from contracts.chains import preset_of
from contracts.deployment import Creation, Deployment, creation_from_document, creation_to_document, encode_arguments
from contracts.errors import MalformedDeployment
from contracts.json_rpc import MalformedValue, read_data, to_data

FORMAT = 1
_BYTES = ("address", "deployer", "code_digest")
_TEXTS = ("name", "compiler", "evm_version", "source_digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRecord:
    """One contract as it was deployed. `arguments` are those of its constructor, ABI-encoded."""

    name: str
    address: bytes
    deployer: bytes
    creation: Creation
    arguments: bytes
    compiler: str
    evm_version: str
    source_digest: str
    code_digest: bytes
    abi: list[dict[str, Any]]

    def to_document(self) -> dict[str, Any]:
        """Return the record as plain values for JSON."""
        return {
            **{name: getattr(self, name) for name in _TEXTS},
            **{name: to_data(getattr(self, name)) for name in _BYTES},
            "creation": creation_to_document(self.creation),
            "constructor_arguments": to_data(self.arguments),
            "abi": self.abi,
        }

    @classmethod
    def from_document(cls, document: Any) -> Self:
        """Read what `to_document` wrote; raises `MalformedDeployment`."""
        fields = {*_TEXTS, *_BYTES, "creation", "constructor_arguments", "abi"}
        if not isinstance(document, dict) or document.keys() != fields:
            raise MalformedDeployment(f"the fields of a contract are not {', '.join(sorted(fields))}")
        if not all(isinstance(document[name], str) for name in _TEXTS) or document["name"] not in DEPLOYABLE:
            raise MalformedDeployment(f"{', '.join(_TEXTS)} are not text, or name no contract of this house")
        if not isinstance(document["abi"], list):
            raise MalformedDeployment("abi is not a list")
        try:
            return cls(
                name=document["name"],
                address=read_data(document["address"], 20),
                deployer=read_data(document["deployer"], 20),
                compiler=document["compiler"],
                evm_version=document["evm_version"],
                source_digest=document["source_digest"],
                code_digest=read_data(document["code_digest"], 32),
                abi=document["abi"],
                creation=creation_from_document(document["creation"]),
                arguments=read_data(document["constructor_arguments"]),
            )
        except MalformedValue as error:
            raise MalformedDeployment(str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRecord:
    """What was deployed on one chain."""

    chain_id: int
    contracts: tuple[ContractRecord, ...]

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        """Return the record of a deployment that was just made from the committed artifacts."""
        contracts = []
        for name, creation in sorted(deployment.creations.items()):
            artifact = load(name)
            assert artifact.source_digest == deployment.source_digest, "the artifacts are those that were deployed"
            contracts.append(
                ContractRecord(
                    name=name,
                    address=deployment.address_of(name),
                    deployer=deployment.deployer,
                    creation=creation,
                    arguments=encode_arguments(artifact, *deployment.arguments_of(name)),
                    compiler=artifact.compiler,
                    evm_version=artifact.evm_version,
                    source_digest=artifact.source_digest,
                    code_digest=deployment.code_digests[name],
                    abi=artifact.abi,
                )
            )
        return cls(chain_id=deployment.chain_id, contracts=tuple(contracts))

    def contract(self, name: str) -> ContractRecord | None:
        """Return the contract of this name, or None if it was not deployed along."""
        return next((contract for contract in self.contracts if contract.name == name), None)

    def path_in(self, folder: Path) -> Path:
        """Return where the record belongs in an exchange's folder."""
        return record_path(folder, self.chain_id)

    def to_document(self) -> dict[str, Any]:
        """Return the record as plain values for JSON."""
        return {
            "format": FORMAT,
            "chain_id": self.chain_id,
            "chain": preset_of(self.chain_id).name,
            "contracts": [contract.to_document() for contract in self.contracts],
        }

    def to_json(self) -> str:
        """Return the record as sorted, indented JSON; bytes are hex."""
        return json.dumps(self.to_document(), indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote; `MalformedDeployment` says what is wrong with anything else."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise MalformedDeployment(f"not JSON: {error}") from error
        if not isinstance(found, dict) or found.keys() != {"format", "chain_id", "chain", "contracts"}:
            raise MalformedDeployment("the fields are not format, chain_id, chain, contracts")
        if found["format"] != FORMAT:
            raise MalformedDeployment(f"its format is {found['format']!r}, which this version cannot read")
        if type(found["chain_id"]) is not int or found["chain_id"] <= 0 or not isinstance(found["contracts"], list):
            raise MalformedDeployment("chain_id is no chain id, or contracts is no list")
        contracts = tuple(ContractRecord.from_document(contract) for contract in found["contracts"])
        names = [contract.name for contract in contracts]
        if "Settlement" not in names or len(set(names)) != len(names):
            raise MalformedDeployment("Settlement is not in it, or a contract is named twice")
        return cls(chain_id=found["chain_id"], contracts=contracts)

    def write(self, folder: Path) -> Path:
        """Write the record into an exchange's folder and return its path."""
        path = self.path_in(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.to_json(), encoding="utf-8")
        return path


def record_path(folder: Path, chain_id: int) -> Path:
    """Return where the record of the deployment on this chain belongs in an exchange's folder."""
    return folder / "deployments" / f"{chain_id}.json"
