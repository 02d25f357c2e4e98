"""A street whose registries are shown over HTTP: the facts of its chain, told block by block, and a client."""

from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.problems import install
from identity.chronicle import Chronicle
from identity.effects.did_routes import did_router
from identity.effects.routes import identity_router
from identity.hashing import keccak
from identity.registry import Registry
from identity.resolution import Registry as DidRegistry
from tests.registries import ROLES

CHAIN_ID = 1337
BEGIN = 1_782_000_000
NOW = BEGIN + 10_000


class ShownStreet:
    """What the chain told, and what a client sees of it at `now`. Each fact stands in a block of its own."""

    def __init__(self) -> None:
        self.now = NOW
        self.registry, self.chronicle = Registry(ROLES), Chronicle()
        self.times: list[int] = []
        app = FastAPI()
        install(app)
        app.include_router(
            identity_router(
                chain_id=CHAIN_ID,
                registry=lambda: self.registry,
                chronicle=lambda: self.chronicle,
                clock=lambda: self.now,
            )
        )
        dids = DidRegistry(chain_id=CHAIN_ID, changes=self.chronicle.changes, block_time=self._block_time)
        app.include_router(did_router(dids, lambda: self.now))
        self.client = TestClient(app)

    def tell(self, *facts) -> None:
        for fact in facts:
            self.times.append(getattr(fact, "at", BEGIN))
            self.registry.apply(fact)
            self.chronicle.apply(len(self.times), fact)

    def got(self, path: str, **parameters):
        answer = self.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, path: str, **parameters):
        answer = self.client.get(path, params=parameters)
        return answer.status_code, answer.json()["code"]

    def _block_time(self, number: int) -> int | None:
        return self.times[number - 1] if 0 < number <= len(self.times) else None


def asset_at(number: int):
    """The address of an asset, as a contract's is: nobody has its key."""
    return keccak(f"asset {number}".encode())[12:]
