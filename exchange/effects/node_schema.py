"""What goes over the wire about the nodes of the tree: their terms, as they are posted and as they are shown."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from exchange.effects.schema import HashText, SignatureText, StrictModel, raw
from exchange.notice_errors import TermsOutOfBounds
from exchange.terms import NodeTerms
from exchange.tree import Fee
from exchange.units import MAX_RATE, MicroPerKwh, Wh
from identity.signature import compact

_MOST_WH = (1 << 62) - 1

_EXAMPLE: dict[str, Any] = {
    "fee_micro_per_kwh": 12_000,
    "fee_ppm": 0,
    "import_limit_wh": 40_000,
    "export_limit_wh": None,
    "serial": 1,
}


class UnsignedTermsIn(StrictModel):
    """A node's fee and limits before they are signed: all of them, also what stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    fee_micro_per_kwh: int = Field(ge=0, le=MAX_RATE, description="a constant fee; none beside one in ppm")
    fee_ppm: int = Field(ge=0, le=1_000_000, description="millionths of what the seller gets")
    import_limit_wh: int | None = Field(ge=0, le=_MOST_WH, description="per shortest delivery period; none: no bound")
    export_limit_wh: int | None = Field(ge=0, le=_MOST_WH, description="per shortest delivery period; none: no bound")
    serial: int = Field(gt=0, lt=1 << 64, description="1 for the node's first change, and one more for each after it")

    def to_terms(self, node: int) -> NodeTerms:
        """Return the terms as the exchange knows them; refuses a fee of both kinds."""
        try:
            fee = Fee(constant=MicroPerKwh(self.fee_micro_per_kwh), ppm=self.fee_ppm)
        except ValueError as error:
            raise TermsOutOfBounds(str(error)) from error
        return NodeTerms(
            node=node,
            fee=fee,
            import_limit=None if self.import_limit_wh is None else Wh(self.import_limit_wh),
            export_limit=None if self.export_limit_wh is None else Wh(self.export_limit_wh),
            serial=self.serial,
        )


class TermsIn(UnsignedTermsIn):
    """A signed change of a node's terms: a signature of NodeTerms(…) by the node's grid operator."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE, "signature": "0x" + "5a" * 64}]})

    signature: SignatureText

    def compact(self) -> bytes:
        """Return the signature in its short form. Raises `BadSignature` for a high s or odd v."""
        return compact(raw(self.signature))


class HoldsFromOut(BaseModel):
    """The first delivery of one product for which something holds."""

    market: int
    title: str
    delivery_start: int
    gate_opening: int


class TermsOut(BaseModel):
    """What a node takes and lets through."""

    fee_micro_per_kwh: int
    fee_ppm: int
    import_limit_wh: int | None
    export_limit_wh: int | None


class TermsChangeOut(TermsOut):
    """One change of a node's terms: who signed it, when it was taken, and from which deliveries on it holds."""

    digest: HashText = Field(description="the change's name: what was signed")
    node: int
    serial: int
    signature: str
    signer: str
    at: int
    holds_from: list[HoldsFromOut] = Field(description="for each product, by market")


class NodeOut(BaseModel):
    """A node of the tree: what was founded, and its terms now and to come."""

    number: int
    name: str
    parent: int | None
    mechanism: str | None = Field(description="how orders meet here, where not as in the market")
    operator: str = Field(description="whose signature changes its terms, while it is the node's grid operator")
    fee_account: int = Field(description="the account that gets its fees and congestion rent")
    fee_cap_micro_per_kwh: int = Field(description="the most it may take: kept on the chain")
    in_force: TermsOut = Field(description="for the spot delivery that is under way")
    newest: TermsOut = Field(description="for every session whose gate is still to open")
    next_serial: int
    to_come: list[TermsChangeOut] = Field(description="what was changed too late for the delivery under way")


class NodesOut(BaseModel):
    """Every node of the tree, by number."""

    now: int
    slot_seconds: int = Field(description="what limits are for: the shortest delivery period")
    nodes: list[NodeOut]


class NodeTermsOut(BaseModel):
    """The terms of one node from the founding on, oldest first."""

    node: int
    founded: TermsOut
    changes: list[TermsChangeOut]
    next_serial: int
