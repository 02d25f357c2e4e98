"""Everything a client says to an exchange, as talks (`talk.py`): what to sign, what to send, what to believe."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.client.answers import (
    Acknowledged,
    Expect,
    Meta,
    checked_challenge,
    read_acknowledged,
    read_meta,
    read_object,
    read_page,
    read_proof,
)
from app.client.errors import AnswerMalformed, ClientError, Refused
from app.client.talk import Answer, Patience, Request, Talk, ask, document_of
from exchange.documents import hexed, order_to_document
from exchange.order import Order, Side, SignedOrder, cancellation_digest
from exchange.parameters import Parameters
from exchange.preferences import Preferences
from exchange.units import MicroPerKwh, Wh
from identity.address import Address, parse_address, to_text
from identity.effects.grant_document import grant_from_document
from identity.errors import MalformedAddress
from identity.grants import revocation_digest
from identity.signature import Signer
from identity.siwe import personal_digest
from settlement.proof import Proof
from settlement.reading import SignedReading

Document = dict[str, Any]

_PAGE = 1_000
_OUTDATED = frozenset({"orders-voided", "unknown-asset", "asset-not-current", "not-authorised"})
_PUBLIC = frozenset({"/v1/meta", "/v1/health", "/v1/nodes"})


class Talks:
    """The talks of one client; they share what the exchange said of itself. `key` signs, and is none for a reader."""

    def __init__(
        self, url: str, key: bytes | None, expect: Expect, patience: Patience, random_bits: Callable[[int], int]
    ) -> None:
        self.url = url
        self.signer = None if key is None else Signer(key)
        self.expect = expect
        self.patience = patience
        self.known: Meta | None = None
        self._random_bits = random_bits
        self._accounts: list[Document] | None = None
        self._token: str | None = None

    # The exchange

    def meta(self) -> Talk[Meta]:
        """Ask anew what the exchange says of itself."""
        self.known = read_meta((yield from self._get("/v1/meta")), self.expect)
        return self.known

    def rules(self) -> Talk[Meta]:
        """Return what the exchange said of itself before, or ask."""
        return self.known if self.known is not None else (yield from self.meta())

    # Signing in

    def token(self) -> Talk[str | None]:
        """Return the token of the present sign-in, having signed in if there was none; none without a key."""
        if self._token is None and self.signer is not None:
            return (yield from self.sign_in())
        return self._token

    def sign_in(self) -> Talk[str]:
        """Sign in anew. Raises `WrongExchange` where what is to be signed is for another place than this one."""
        signer, meta = self.must_sign(), (yield from self.rules())
        asked = Request("POST", "/v1/sign-in/challenge", body={"address": to_text(signer.address)})
        challenge = read_object(document_of((yield from ask(asked, self.patience))))
        text = checked_challenge(challenge, self.url, signer.address, meta.parameters.domain.chain_id)
        signature = hexed(signer.sign(personal_digest(text)))
        signed = Request("POST", "/v1/sign-in", body={"message": text, "signature": signature})
        token = read_object(document_of((yield from ask(signed, self.patience)))).get("token")
        if not isinstance(token, str):
            raise AnswerMalformed("the exchange signs in without a token")
        self._token = token
        return token

    def is_over(self, answer: Answer, request: Request) -> bool:
        """Say whether a request was refused because its sign-in is over; then the next one signs in."""
        if answer.status != 401 or request.token is None or request.token != self._token:
            return False
        self._token = None
        return True

    # Grants

    def grant(
        self, *, scope: str, purpose: str, until: int, grantee: Address | None, role: str | None
    ) -> Talk[Document]:
        """Let somebody read something. Raises `MalformedGrant`."""
        signer, meta = self.must_sign(), (yield from self.rules())
        document = {
            "grantor": to_text(signer.address),
            "grantee": None if grantee is None else to_text(grantee),
            "role": role,
            "purpose": purpose,
            "scope": scope,
            "until": until,
            "salt": self._random_bits(64),
        }
        digest = grant_from_document(document).digest(meta.parameters.domain.separator())
        request = Request("POST", "/v1/grants", body=document | {"signature": hexed(signer.sign(digest))})
        return read_object(document_of((yield from ask(request, self.patience))))

    def revoke_grant(self, digest: bytes) -> Talk[Document]:
        """Take a grant back."""
        meta = yield from self.rules()
        signature = self.must_sign().sign(revocation_digest(digest, meta.parameters.domain.separator()))
        request = Request("POST", f"/v1/grants/{hexed(digest)}/revocation", body={"signature": hexed(signature)})
        return read_object(document_of((yield from ask(request, self.patience))))

    def get(self, path: str, query: Mapping[str, str | int]) -> Talk[Document]:
        """Read anything."""
        return read_object((yield from self._get(path, query)))

    # Readings

    def hand_in_readings(self, readings: Sequence[SignedReading]) -> Talk[list[Document]]:
        """Hand in signed readings; return the result of each, a problem among them where it was not taken."""
        results: list[Document] = []
        for first in range(0, len(readings), _PAGE):
            some = [signed.to_document() for signed in readings[first : first + _PAGE]]
            request = Request("POST", "/v1/readings/batch", body={"readings": some})
            page, _ = read_page(document_of((yield from ask(request, self.patience))), "results")
            if len(page) != len(some):
                raise AnswerMalformed("not every reading has its result")
            results += [read_object(result) for result in page]
        return results

    # Orders

    def order(
        self,
        side: Side,
        energy_wh: int,
        limit_micro_per_kwh: int,
        *,
        asset: str | None,
        delivery_start: int | None,
        salt: int | None,
        market: int | None = None,
    ) -> Talk[Order]:
        """Make an order of the key's own account; what is not given is its first asset, the next delivery, a new salt.

        `market` is the number of the product that is traded; without it, the spot market.

        A delegate, whose key holds no account, names the asset and the salt. Raises `ValueError` for values that no
        field can hold.
        """
        meta = (yield from self.meta()) if delivery_start is None else (yield from self.rules())
        product = meta.parameters.spot if market is None else meta.parameters.market_or_none(market)
        if product is None:
            raise ClientError(f"there is no market {market} here")
        start = delivery_start
        if start is None:
            taking = meta.open_by_market.get(product.number, ())
            if not taking:
                raise ClientError("no delivery takes orders now")
            start = taking[0]
        account: Document = {}
        if asset is None or salt is None:
            account = yield from self.own_account(asset)
        try:
            identity = parse_address(account["assets"][0]["asset"] if asset is None else asset)
            salt = account["epoch"] << 32 | self._random_bits(32) if salt is None else salt
        except (KeyError, TypeError, IndexError, MalformedAddress) as error:
            raise AnswerMalformed(f"this account cannot be used: {error!r}") from error
        return Order(
            asset=identity,
            market=product.number,
            product=product.product,
            side=side,
            delivery_start=start,
            energy=Wh(energy_wh),
            limit=MicroPerKwh(limit_micro_per_kwh),
            valid_until=start,
            salt=salt,
        )

    def sign(self, order: Order, preferences: Preferences | None = None) -> Talk[SignedOrder]:
        """Sign an order under the exchange's domain, with preferences where there are some."""
        meta = yield from self.rules()
        return self._signed(order, meta.parameters, preferences)

    def submit(self, given: Order | SignedOrder) -> Talk[Acknowledged]:
        """Hand in one order, and sign it before if it is not. Raises `Refused`, and `ReceiptUnsound`."""
        parameters = (yield from self.rules()).parameters
        signed = self._signed(given, parameters)
        digest = signed.order.digest(parameters.domain.separator())
        try:
            answer = yield from ask(Request("POST", "/v1/orders", body=order_to_document(signed)), self.patience)
        except Refused as refused:
            self._doubt_accounts(refused)
            raise
        return read_acknowledged(document_of(answer), digest, parameters, answer.status)

    def submit_many(self, given: Sequence[Order | SignedOrder]) -> Talk[list[Acknowledged | Refused]]:
        """Hand in orders, as many at once as the exchange takes; each is answered for itself, in the order given."""
        meta = yield from self.rules()
        signed = [self._signed(each, meta.parameters) for each in given]
        answered: list[Acknowledged | Refused] = []
        for first in range(0, len(signed), meta.most_orders_at_once):
            part = signed[first : first + meta.most_orders_at_once]
            request = Request("POST", "/v1/orders/batch", body={"orders": [order_to_document(each) for each in part]})
            results, _ = read_page(document_of((yield from ask(request, self.patience))), "results")
            if len(results) != len(part):
                raise AnswerMalformed(f"{len(part)} orders were handed in, {len(results)} were answered")
            for each, result in zip(part, results, strict=True):
                digest = each.order.digest(meta.parameters.domain.separator())
                status, problem = read_object(result).get("status"), result.get("problem")
                if problem is None:
                    answered.append(read_acknowledged(result, digest, meta.parameters, status))
                    continue
                refused = Refused(status if isinstance(status, int) else 0, read_object(problem))
                self._doubt_accounts(refused)
                answered.append(refused)
        return answered

    def cancel(self, digest: bytes) -> Talk[Document]:
        """Take an order back before its gate closes. Taking it back again is harmless."""
        meta = yield from self.rules()
        signature = self.must_sign().sign(cancellation_digest(digest, meta.parameters.domain.separator()))
        request = Request("POST", f"/v1/orders/{hexed(digest)}/cancellation", body={"signature": hexed(signature)})
        return read_object(document_of((yield from ask(request, self.patience))))

    # What became of it

    def proof(self, kind: str, name: bytes) -> Talk[Proof]:
        """Fetch a proof (of "trades" by leaf, of "orders" by digest) and verify it. Raises `ProofUnsound`."""
        parameters = (yield from self.rules()).parameters
        return read_proof((yield from self._get(f"/v1/proofs/{kind}/{hexed(name)}")), name, parameters)

    def accounts(self, holder: Address | None) -> Talk[list[Document]]:
        """Return the accounts of a holder; without one, of the key's."""
        whose = self.must_sign().address if holder is None else holder
        return (yield from self._pages("/v1/accounts", "accounts", {"holder": to_text(whose)}))

    def trades(self, query: Mapping[str, str | int]) -> Talk[list[Document]]:
        """Return the trades of a session, an account, both or all."""
        return (yield from self._pages("/v1/trades", "trades", query))

    def statement(self, account: int, begin: int, end: int) -> Talk[Document]:
        """Return an account's statement with all its lines."""
        path = f"/v1/accounts/{account}/statement"
        query: dict[str, str | int] = {"from": begin, "to": end}
        first: dict[str, str | int] = {**query, "limit": 1}  # for the sums
        whole = read_object((yield from self._get(path, first)))
        whole["lines"] = yield from self._pages(path, "lines", query)
        whole["next"] = None
        return whole

    def _pages(self, path: str, name: str, query: Mapping[str, str | int]) -> Talk[list[Document]]:
        found: list[Document] = []
        cursor: str | int | None = None
        while True:
            asked: dict[str, str | int] = {**query, "limit": _PAGE}
            if cursor is not None:
                asked["cursor"] = cursor
            items, cursor = read_page((yield from self._get(path, asked)), name)
            found += items
            if cursor is None:
                return found

    def _get(self, path: str, query: Mapping[str, str | int] | None = None) -> Talk[Any]:
        """Read; with a key, signed in, and once more where the sign-in was over."""
        token = None if path in _PUBLIC or path.startswith("/v1/nodes/") else (yield from self.token())
        try:
            return document_of((yield from ask(Request("GET", path, query or {}, token=token), self.patience)))
        except Refused as refused:
            if refused.status != 401 or token is None:
                raise
        self._token = None
        request = Request("GET", path, query or {}, token=(yield from self.token()))
        return document_of((yield from ask(request, self.patience)))

    def own_account(self, asset: str | None) -> Talk[Document]:
        """Return the account of the key that an asset is enrolled under, or else its first that has any."""
        before = () if self._accounts is None else (self._accounts,)
        for known in (*before, None):  # what was enrolled since is not known yet
            self._accounts = (yield from self.accounts(None)) if known is None else known
            for account in self._accounts:
                assets = [str(each["asset"]).lower() for each in account["assets"]]
                if asset.lower() in assets if asset is not None else assets:
                    return account
        what = "any asset" if asset is None else f"the asset {asset}"
        raise ClientError(f"no account of {to_text(self.must_sign().address)} has {what}; a delegate names its salt")

    def _doubt_accounts(self, refused: Refused) -> None:
        """Have the accounts read anew for the next order, where what is known of them was the reason."""
        if refused.code in _OUTDATED:
            self._accounts = None

    def _signed(
        self, given: Order | SignedOrder, parameters: Parameters, preferences: Preferences | None = None
    ) -> SignedOrder:
        if isinstance(given, SignedOrder):
            return given
        if preferences is not None:
            given = replace(given, preferences=preferences.hash())
        signature = self.must_sign().sign(given.digest(parameters.domain.separator()))
        return SignedOrder(given, signature, preferences)

    def must_sign(self) -> Signer:
        """Return what signs, or refuse where this client has no key."""
        if self.signer is None:
            raise ClientError("this client has no key, and only reads")
        return self.signer
