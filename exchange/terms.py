"""A change of a node's fee or limits, as its grid operator signs it, and the rules that it makes.

Typed data (EIP-712) under the domain of the settlement contract. Changes of a node are numbered by `serial`, from 1 on
and without a gap: so none can be repeated or put in another order. A change holds for every session whose gate opens
in a later second than it was taken in; sessions that are open keep the rules they were opened with.
"""

from dataclasses import dataclass, replace

from exchange.parameters import Parameters
from exchange.tree import Fee, Node, Tree
from exchange.units import MicroPerKwh, Wh
from identity.hashing import keccak
from identity.typed_data import digest, word

TERMS_TYPE = (
    "NodeTerms(uint32 node,uint48 feeMicroPerKwh,uint32 feePpm,uint64 importLimitWh,uint64 exportLimitWh,uint64 serial)"
)
NO_LIMIT = (1 << 64) - 1
"""What stands in a limit's field where there is no bound."""

_TERMS_TYPE_HASH = keccak(TERMS_TYPE.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTerms:
    """What a node takes and lets through from the next gate opening on. Limits are Wh per delivery period."""

    node: int
    fee: Fee
    import_limit: Wh | None
    export_limit: Wh | None
    serial: int

    def __post_init__(self) -> None:
        if not 0 < self.node < 1 << 32 or not 0 < self.serial < 1 << 64:
            raise ValueError("a node has 32 bits, a serial 64, and both are positive")
        for limit in (self.import_limit, self.export_limit):
            if limit is not None and not 0 <= limit < 1 << 62:
                raise ValueError("a node's limit is not negative, and has at most 62 bits")

    def digest(self, separator: bytes) -> bytes:
        """Return what is signed under the domain with this separator."""
        limits = (NO_LIMIT if limit is None else limit for limit in (self.import_limit, self.export_limit))
        fields = (self.node, self.fee.constant, self.fee.ppm, *limits, self.serial)
        return digest(separator, keccak(_TERMS_TYPE_HASH + b"".join(map(word, fields))))

    def of(self, node: Node) -> Node:
        """Return the node under these terms. Raises `ValueError` for a fee beyond the cap."""
        return replace(node, fee=self.fee, import_limit=self.import_limit, export_limit=self.export_limit)


def under(parameters: Parameters, terms: NodeTerms) -> Parameters:
    """Return the rules with a node's new terms. Raises `ValueError` where these rules cannot have them."""
    nodes = (terms.of(node) if node.number == terms.node else node for node in parameters.tree.nodes)
    changed = replace(parameters, tree=Tree(tuple(nodes)))
    if changed.tree[terms.node].fee.at(MicroPerKwh(parameters.highest_limit)) > changed.tree[terms.node].fee_cap:
        raise ValueError("the fee of the dearest trade is above the cap")
    return changed
