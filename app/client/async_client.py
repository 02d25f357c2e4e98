"""The client for programs that run in an event loop: the same talks as `client.py`, awaited."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Self

import httpx2

from app.client.answers import Acknowledged, Expect, Meta
from app.client.client import answer_of, patient
from app.client.errors import Refused
from app.client.following import Event, Following
from app.client.forecast_talks import forecast, hand_in
from app.client.node_talks import TermsChange, set_terms
from app.client.talk import Answer, Lost, Patience, Pause, Request, T, Talk
from app.client.talks import Document, Talks
from app.clock import WallClock
from exchange.forecast import Forecast
from exchange.order import Order, Side, SignedOrder
from exchange.preferences import Preferences
from identity.address import Address, to_text
from settlement.proof import Proof
from settlement.reading import SignedReading


class AsyncMeritClient:
    """As `MeritClient`, for an event loop."""

    def __init__(
        self,
        url: str,
        key: bytes | None = None,
        *,
        expect: Expect | None = None,
        patience: Patience | None = None,
        timeout: float = 10.0,  # of the transport, which has one for each of its steps
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        self._own = http is None
        self._http = httpx2.AsyncClient(timeout=timeout) if http is None else http
        self._url = url.rstrip("/")
        self._talks = Talks(self._url, key, expect or Expect(), patience or Patience(), secrets.randbits)

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """Let go of the connections, if they are its own."""
        if self._own:
            await self._http.aclose()

    def with_key(self, key: bytes) -> "AsyncMeritClient":
        """Return a client for another key, on the same connections and with the same knowledge of the exchange."""
        talks = self._talks
        other = AsyncMeritClient(self._url, key, expect=talks.expect, patience=talks.patience, http=self._http)
        other._talks.known = talks.known  # its own kind
        return other

    async def meta(self) -> Meta:
        """Return what the exchange says of itself now. Raises `WrongExchange`."""
        return await self._hold(self._talks.meta())

    async def skew(self) -> int:
        """Return by how many seconds this machine's clock is ahead of the exchange's; behind is negative."""
        return WallClock()() - (await self.meta()).now

    async def get(self, path: str, **query: str | int) -> Document:
        """Read anything, such as `/v1/sessions/1-spot-1782000000`."""
        return await self._hold(self._talks.get(path, query))

    async def sign_in(self) -> str:
        """Sign in with the key, and return the token, for others to read with: this client signs in by itself."""
        return await self._hold(self._talks.sign_in())

    async def hand_in_readings(self, readings: Sequence[SignedReading]) -> list[Document]:
        """Hand in signed readings; return the result of each, a problem among them where it was not taken."""
        return await self._hold(self._talks.hand_in_readings(readings))

    async def grant(
        self,
        *,
        scope: str,
        purpose: str,
        until: int,
        grantee: Address | None = None,
        role: str | None = None,
    ) -> Document:
        """Let somebody read something of the key's: one reader, or the holders of a role. Raises `MalformedGrant`."""
        return await self._hold(
            self._talks.grant(scope=scope, purpose=purpose, until=until, grantee=grantee, role=role)
        )

    async def grants(self) -> Document:
        """Return what the key granted (`given`), and what it was granted (`received`, `by_role`)."""
        return await self._hold(self._talks.get("/v1/grants", {}))

    async def revoke_grant(self, digest: bytes) -> Document:
        """Take a grant back. Taking it back again is harmless."""
        return await self._hold(self._talks.revoke_grant(digest))

    async def reads(self, **query: str | int) -> Document:
        """Return who read what of the key's, newest first, a page at a time."""
        return await self._hold(self._talks.get("/v1/reads", query))

    async def order(
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
        return await self._hold(
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

    async def sign(self, order: Order, preferences: Preferences | None = None) -> SignedOrder:
        """Sign an order under the exchange's domain, with preferences where there are some."""
        return await self._hold(self._talks.sign(order, preferences))

    async def submit(self, order: Order | SignedOrder) -> Acknowledged:
        """Hand in one order. Raises `Refused`, and `ReceiptUnsound` where the exchange's word is worth nothing."""
        return await self._hold(self._talks.submit(order))

    async def submit_many(self, orders: Sequence[Order | SignedOrder]) -> list[Acknowledged | Refused]:
        """Hand in many orders; each is answered for itself, in the order given."""
        return await self._hold(self._talks.submit_many(orders))

    async def cancel(self, digest: bytes) -> Document:
        """Take an order back before its gate closes."""
        return await self._hold(self._talks.cancel(digest))

    async def order_state(self, digest: bytes) -> Document:
        """Return an order with everything that happened to it."""
        return await self._hold(self._talks.get(f"/v1/orders/0x{digest.hex()}", {}))

    async def accounts(self, holder: Address | None = None) -> list[Document]:
        """Return the accounts of a holder; without one, of the key's."""
        return await self._hold(self._talks.accounts(holder))

    async def trades(self, **query: str | int) -> list[Document]:
        """Return trades, by `session` and by `account`."""
        return await self._hold(self._talks.trades(query))

    async def statement(self, account: int, begin: int = 0, end: int = (1 << 40) - 1) -> Document:
        """Return an account's statement from `begin` up to `end` (unix seconds), with all its lines."""
        return await self._hold(self._talks.statement(account, begin, end))

    async def positions(self, asset: Address, begin: int = 0, end: int = (1 << 40) - 1) -> Document:
        """Return what an asset has bought and sold in each slot from `begin` up to `end`, over all products."""
        return await self._hold(self._talks.get(f"/v1/assets/{to_text(asset)}/positions", {"from": begin, "to": end}))

    async def forecast(
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
        return await self._hold(
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

    async def set_forecasts(self, forecasts: Sequence[Forecast]) -> list[Document | Refused]:
        """Sign and hand in forecasts; each is answered for itself, in the order given."""
        return await self._hold(hand_in(self._talks, forecasts))

    async def proof_of_trade(self, leaf: bytes) -> Proof:
        """Fetch the proof of a trade and verify it. Raises `ProofUnsound`."""
        return await self._hold(self._talks.proof("trades", leaf))

    async def proof_of_order(self, digest: bytes) -> Proof:
        """Fetch the proof that an order is in the committed set, and verify it. Raises `ProofUnsound`."""
        return await self._hold(self._talks.proof("orders", digest))

    async def nodes(self) -> list[Document]:
        """Return the nodes of the tree: fees and limits in force and to come, operators and fee accounts."""
        nodes: list[Document] = (await self._hold(self._talks.get("/v1/nodes", {})))["nodes"]
        return nodes

    async def node_terms(self, node: int) -> Document:
        """Return the terms of a node from the founding on, with every signed change."""
        return await self._hold(self._talks.get(f"/v1/nodes/{node}/terms", {}))

    async def set_terms(self, node: int, change: TermsChange) -> Document:
        """Change what a node takes and lets through, as its grid operator. Raises `Refused`."""
        return await self._hold(set_terms(self._talks, node, change))

    async def events(
        self, topics: Sequence[str] = (), *, account: int | None = None, after: str | None = None
    ) -> AsyncIterator[Event]:
        """Yield events without end, each once; see `MeritClient.events`."""
        following = Following(topics, account, after)
        while True:
            request = following.request(await self._hold(self._talks.token()))
            try:
                async with self._stream(request) as response:
                    if response.status_code != 200:
                        await response.aread()
                        answer = answer_of(response)
                        over = self._talks.is_over(answer, request)
                        wait = following.pause() if over else following.refused(answer)
                    else:
                        async for chunk in response.aiter_bytes():
                            for event in following.feed(chunk):
                                yield event
                        wait = following.pause()
            except httpx2.RequestError:
                wait = following.pause()
            await asyncio.sleep(wait)

    def _stream(self, request: Request) -> Any:
        timeout = patient(self._http.timeout)
        return self._http.stream(
            request.method,
            self._url + request.path,
            params=dict(request.query),
            headers=request.headers,
            timeout=timeout,
        )

    async def _hold(self, talk: Talk[T]) -> T:
        heard: Answer | Lost | None = None
        while True:
            try:
                step = talk.send(heard)
            except StopIteration as end:
                result: T = end.value
                return result
            heard = await self._do(step)

    async def _do(self, step: Request | Pause) -> Answer | Lost | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return answer_of(
                await self._http.request(
                    step.method, self._url + step.path, params=dict(step.query), json=step.body, headers=step.headers
                )
            )
        except httpx2.RequestError as error:
            return Lost(str(error) or type(error).__name__)
