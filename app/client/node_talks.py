"""What a grid operator says to an exchange: the new terms of its node, signed."""

from dataclasses import dataclass
from typing import Any

from app.client.answers import read_object
from app.client.errors import AnswerMalformed
from app.client.talk import Request, Talk, ask, document_of
from app.client.talks import Talks
from exchange.documents import terms_to_document
from exchange.terms import NodeTerms
from exchange.tree import Fee
from exchange.units import MicroPerKwh, Wh

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsChange:
    """What of a node's terms is to change: what is none stays as it is. A limit of -1 takes the bound away.

    A constant fee (µ/kWh) replaces one in ppm, and the other way round.
    """

    fee_micro_per_kwh: int | None = None
    fee_ppm: int | None = None
    import_limit_wh: int | None = None
    export_limit_wh: int | None = None

    def after(self, newest: Document, node: int, serial: int) -> NodeTerms:
        """Return the whole terms, given the newest of the node. Raises `ValueError` for what no node can have."""
        constant, ppm = self.fee_micro_per_kwh, self.fee_ppm
        if constant is None and ppm is None:
            constant, ppm = newest["fee_micro_per_kwh"], newest["fee_ppm"]
        return NodeTerms(
            node=node,
            fee=Fee(constant=MicroPerKwh(constant or 0), ppm=ppm or 0),
            import_limit=_limit(self.import_limit_wh, newest["import_limit_wh"]),
            export_limit=_limit(self.export_limit_wh, newest["export_limit_wh"]),
            serial=serial,
        )


def set_terms(talks: Talks, node: int, change: TermsChange) -> Talk[Document]:
    """Sign and hand in new terms of a node, as the next after those the exchange holds. Raises `Refused`."""
    signer, meta = talks.must_sign(), (yield from talks.rules())
    path = f"/v1/nodes/{node}/terms"
    held = yield from talks.get(path, {})
    try:
        newest = held["changes"][-1] if held["changes"] else held["founded"]
        terms = change.after(newest, node, held["next_serial"])
    except (KeyError, TypeError, IndexError) as error:
        raise AnswerMalformed(f"these are no terms of a node: {error!r}") from error
    signature = signer.sign(terms.digest(meta.parameters.domain.separator()))
    body = terms_to_document(terms, signature)
    del body["node"]
    return read_object(document_of((yield from ask(Request("POST", path, body=body), talks.patience))))


def _limit(wanted: int | None, before: int | None) -> Wh | None:
    limit = before if wanted is None else wanted
    return None if limit is None or limit == -1 else Wh(limit)
