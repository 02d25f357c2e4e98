"""What a member says to an exchange of what its asset will draw and feed in, signed."""

from collections.abc import Sequence
from typing import Any

from app.client.answers import read_page
from app.client.errors import AnswerMalformed, Refused
from app.client.talk import Request, Talk, ask, document_of
from app.client.talks import Talks
from exchange.documents import forecast_to_document
from exchange.forecast import Forecast
from exchange.units import Wh
from identity.address import Address, to_text

Document = dict[str, Any]

_AT_ONCE = 200


def forecast(
    talks: Talks,
    asset: Address,
    start: int,
    seconds: int,
    *,
    consumption_wh: int,
    production_wh: int,
    serial: int | None,
) -> Talk[Forecast]:
    """Make a forecast; without a serial, with one of the account's epoch and the exchange's clock: later ones count.

    A delegate, whose key holds no account, names the serial. Raises `ValueError` for values that no field can hold.
    """
    if serial is None:
        meta = yield from talks.meta()
        account = yield from talks.own_account(to_text(asset))
        serial = account["epoch"] << 32 | meta.now
    return Forecast(
        asset=asset,
        start=start,
        seconds=seconds,
        consumption=Wh(consumption_wh),
        production=Wh(production_wh),
        serial=serial,
    )


def hand_in(talks: Talks, forecasts: Sequence[Forecast]) -> Talk[list[Document | Refused]]:
    """Sign and hand in forecasts; each is answered for itself, in the order given."""
    signer, meta = talks.must_sign(), (yield from talks.rules())
    separator = meta.parameters.domain.separator()
    answered: list[Document | Refused] = []
    for first in range(0, len(forecasts), _AT_ONCE):
        part = forecasts[first : first + _AT_ONCE]
        bodies = [forecast_to_document(each, signer.sign(each.digest(separator))) for each in part]
        request = Request("POST", "/v1/forecasts/batch", body={"forecasts": bodies})
        results, _ = read_page(document_of((yield from ask(request, talks.patience))), "results")
        if len(results) != len(part):
            raise AnswerMalformed(f"{len(part)} forecasts were handed in, {len(results)} were answered")
        for result in results:
            problem = result.get("problem")
            answered.append(result["forecast"] if problem is None else Refused(result["status"], problem))
    return answered
