"""A client of an exchange, for programs that may block: it signs, hands in, follows, and believes nothing unchecked.

with MeritClient("http://127.0.0.1:8080", key) as client:
    acknowledged = client.submit(client.order(Side.BID, energy_wh=500, limit_micro_per_kwh=305_000))
    for event in client.events(topics=["sessions"]):
        ...
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import httpx2

from app.client.answers import Acknowledged, Expect, Meta
from app.client.errors import ProofUnsound, Refused
from app.client.following import Event, Following
from app.client.forecast_talks import forecast, hand_in
from app.client.node_talks import TermsChange, set_terms
from app.client.talk import Answer, Lost, Patience, Pause, Request, T, Talk
from app.client.talks import Document, Talks
from app.clock import WallClock
from app.on_chain import differences_on_chain
from contracts.rpc_evm import RpcEvm
from exchange.forecast import Forecast
from exchange.order import Order, Side, SignedOrder
from exchange.preferences import Preferences
from identity.address import Address, to_text
from settlement.proof import Proof, expected
from settlement.reading import SignedReading

READ_SECONDS = 45.0
"""How long a stream may be silent: the exchange gives a sign of life every 15 s."""


class MeritClient:
    """One exchange, as the holder of `key` sees it; without a key it only reads.

    `expect` names the chain and contract it must be on: without it, whatever the exchange says is what is signed for.
    `http` is for who shares connections; it is not closed here.
    """

    def __init__(
        self,
        url: str,
        key: bytes | None = None,
        *,
        expect: Expect | None = None,
        patience: Patience | None = None,
        timeout: float = 10.0,
        http: httpx2.Client | None = None,
    ) -> None:
        self._own = http is None
        self._http = httpx2.Client(timeout=timeout) if http is None else http
        self._url = url.rstrip("/")
        self._talks = Talks(self._url, key, expect or Expect(), patience or Patience(), secrets.randbits)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Let go of the connections, if they are its own."""
        if self._own:
            self._http.close()

    def with_key(self, key: bytes) -> "MeritClient":
        """Return a client for another key, on the same connections and with the same knowledge of the exchange."""
        talks = self._talks
        other = MeritClient(self._url, key, expect=talks.expect, patience=talks.patience, http=self._http)
        other._talks.known = talks.known  # its own kind
        return other

    # The exchange

    def meta(self) -> Meta:
        """Return what the exchange says of itself now. Raises `WrongExchange`."""
        return self._hold(self._talks.meta())

    def skew(self) -> int:
        """Return by how many seconds this machine's clock is ahead of the exchange's; behind is negative."""
        return WallClock()() - self.meta().now

    def get(self, path: str, **query: str | int) -> Document:
        """Read anything, such as `/v1/sessions/1-spot-1782000000`."""
        return self._hold(self._talks.get(path, query))

    def sign_in(self) -> str:
        """Sign in with the key, and return the token, for others to read with: this client signs in by itself."""
        return self._hold(self._talks.sign_in())

    # Readings

    def hand_in_readings(self, readings: Sequence[SignedReading]) -> list[Document]:
        """Hand in signed readings; return the result of each, a problem among them where it was not taken."""
        return self._hold(self._talks.hand_in_readings(readings))

    # Grants

    def grant(
        self,
        *,
        scope: str,
        purpose: str,
        until: int,
        grantee: Address | None = None,
        role: str | None = None,
    ) -> Document:
        """Let somebody read something of the key's: one reader, or the holders of a role. Raises `MalformedGrant`."""
        return self._hold(self._talks.grant(scope=scope, purpose=purpose, until=until, grantee=grantee, role=role))

    def grants(self) -> Document:
        """Return what the key granted (`given`), and what it was granted (`received`, `by_role`)."""
        return self._hold(self._talks.get("/v1/grants", {}))

    def revoke_grant(self, digest: bytes) -> Document:
        """Take a grant back. Taking it back again is harmless."""
        return self._hold(self._talks.revoke_grant(digest))

    def reads(self, **query: str | int) -> Document:
        """Return who read what of the key's, newest first, a page at a time."""
        return self._hold(self._talks.get("/v1/reads", query))

    # Orders

    def order(
        self,
        side: Side,
        energy_wh: int,
        limit_micro_per_kwh: int,
        *,
        asset: str | None = None,
        delivery_start: int | None = None,
        salt: int | None = None,
        market: int | None = None,
    ) -> Order:
        """Make an order: of the key's first asset, for the next delivery that takes orders, unless said otherwise.

        `market` is the number of a product of the calendar; without it, the spot market.
        """
        return self._hold(
            self._talks.order(
                side,
                energy_wh,
                limit_micro_per_kwh,
                asset=asset,
                delivery_start=delivery_start,
                salt=salt,
                market=market,
            )
        )

    def sign(self, order: Order, preferences: Preferences | None = None) -> SignedOrder:
        """Sign an order under the exchange's domain, with preferences where there are some."""
        return self._hold(self._talks.sign(order, preferences))

    def submit(self, order: Order | SignedOrder) -> Acknowledged:
        """Hand in one order. Raises `Refused`, and `ReceiptUnsound` where the exchange's word is worth nothing."""
        return self._hold(self._talks.submit(order))

    def submit_many(self, orders: Sequence[Order | SignedOrder]) -> list[Acknowledged | Refused]:
        """Hand in many orders; each is answered for itself, in the order given."""
        return self._hold(self._talks.submit_many(orders))

    def cancel(self, digest: bytes) -> Document:
        """Take an order back before its gate closes."""
        return self._hold(self._talks.cancel(digest))

    def order_state(self, digest: bytes) -> Document:
        """Return an order with everything that happened to it."""
        return self._hold(self._talks.get(f"/v1/orders/0x{digest.hex()}", {}))

    # What became of it

    def accounts(self, holder: Address | None = None) -> list[Document]:
        """Return the accounts of a holder; without one, of the key's."""
        return self._hold(self._talks.accounts(holder))

    def trades(self, **query: str | int) -> list[Document]:
        """Return trades, by `session` and by `account`."""
        return self._hold(self._talks.trades(query))

    def statement(self, account: int, begin: int = 0, end: int = (1 << 40) - 1) -> Document:
        """Return an account's statement from `begin` up to `end` (unix seconds), with all its lines."""
        return self._hold(self._talks.statement(account, begin, end))

    def positions(self, asset: Address, begin: int = 0, end: int = (1 << 40) - 1) -> Document:
        """Return what an asset has bought and sold in each slot from `begin` up to `end`, over all products."""
        return self._hold(self._talks.get(f"/v1/assets/{to_text(asset)}/positions", {"from": begin, "to": end}))

    def forecast(
        self,
        asset: Address,
        start: int,
        seconds: int,
        *,
        consumption_wh: int = 0,
        production_wh: int = 0,
        serial: int | None = None,
    ) -> Forecast:
        """Make a forecast of an asset: what it will draw and feed in from `start` on for so many seconds."""
        return self._hold(
            forecast(
                self._talks,
                asset,
                start,
                seconds,
                consumption_wh=consumption_wh,
                production_wh=production_wh,
                serial=serial,
            )
        )

    def set_forecasts(self, forecasts: Sequence[Forecast]) -> list[Document | Refused]:
        """Sign and hand in forecasts; each is answered for itself, in the order given."""
        return self._hold(hand_in(self._talks, forecasts))

    def proof_of_trade(self, leaf: bytes) -> Proof:
        """Fetch the proof of a trade and verify it. Raises `ProofUnsound`."""
        return self._hold(self._talks.proof("trades", leaf))

    def proof_of_order(self, digest: bytes) -> Proof:
        """Fetch the proof that an order is in the committed set, and verify it. Raises `ProofUnsound`."""
        return self._hold(self._talks.proof("orders", digest))

    # Nodes

    def nodes(self) -> list[Document]:
        """Return the nodes of the tree: fees and limits in force and to come, operators and fee accounts."""
        nodes: list[Document] = (self._hold(self._talks.get("/v1/nodes", {})))["nodes"]
        return nodes

    def node_terms(self, node: int) -> Document:
        """Return the terms of a node from the founding on, with every signed change."""
        return self._hold(self._talks.get(f"/v1/nodes/{node}/terms", {}))

    def set_terms(self, node: int, change: TermsChange) -> Document:
        """Change what a node takes and lets through, as its grid operator. Raises `Refused`."""
        return self._hold(set_terms(self._talks, node, change))

    def events(
        self, topics: Sequence[str] = (), *, account: int | None = None, after: str | None = None
    ) -> Iterator[Event]:
        """Yield events without end, each once: a broken connection is taken up again where it broke.

        Without `topics`, all that the key may hear; without a key, what is public.

        `after` is the id of an event seen before, "0" the beginning, none what comes from now on. Raises `Refused`.
        """
        following = Following(topics, account, after)
        while True:
            request = following.request(self._hold(self._talks.token()))
            try:
                with self._stream(request) as response:
                    if response.status_code != 200:
                        response.read()
                        answer = answer_of(response)
                        over = self._talks.is_over(answer, request)
                        wait = following.pause() if over else following.refused(answer)
                    else:
                        for chunk in response.iter_bytes():
                            yield from following.feed(chunk)
                        wait = following.pause()
            except httpx2.RequestError:
                wait = following.pause()
            time.sleep(wait)

    def _stream(self, request: Request) -> Any:
        timeout = patient(self._http.timeout)
        return self._http.stream(
            request.method,
            self._url + request.path,
            params=dict(request.query),
            headers=request.headers,
            timeout=timeout,
        )

    def _hold(self, talk: Talk[T]) -> T:
        heard: Answer | Lost | None = None
        while True:
            try:
                step = talk.send(heard)
            except StopIteration as end:
                result: T = end.value
                return result
            heard = self._do(step)

    def _do(self, step: Request | Pause) -> Answer | Lost | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return answer_of(
                self._http.request(
                    step.method, self._url + step.path, params=dict(step.query), json=step.body, headers=step.headers
                )
            )
        except httpx2.RequestError as error:
            return Lost(str(error) or type(error).__name__)


def patient(timeout: httpx2.Timeout) -> httpx2.Timeout:
    """Return a timeout as it is, but for a stream that may be silent for a while."""
    return httpx2.Timeout(connect=timeout.connect, read=READ_SECONDS, write=timeout.write, pool=timeout.pool)


def answer_of(response: httpx2.Response) -> Answer:
    """Return a response as a talk takes it."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


def check_on_chain(proof: Proof, rpc: str) -> None:
    """Ask a node whether the contract holds what a verified proof leads to.

    Raises `ProofUnsound` where it does not, and the errors of the chain where the node does not say.
    """
    wanted = expected(proof)
    findings = list(differences_on_chain(wanted, RpcEvm(rpc, expected_chain_id=wanted.chain_id)))
    if findings:
        raise ProofUnsound(findings)
