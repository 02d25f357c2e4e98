"""Preferences and ticks on the way that every order goes: from a community's file over HTTP to contract and audit."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.auditing import gather, judge
from app.client.client import MeritClient
from app.client.errors import Refused
from app.demo import Demo, prepare
from app.founding import Keys, member_key
from app.server import Serving, create_app
from app.wiring import keeper_of
from exchange.order import Side, SignedOrder
from exchange.preferences import Alternative, Preferences
from identity.claim_data import EnergyType
from tests.e2e.day import FIRST, VILLAGE

CLOSURE = FIRST - 300
BEFORE = CLOSURE - 1_300


@contextmanager
def village(folder, terms: str) -> Iterator[tuple[Demo, MeritClient]]:
    """The village on these terms, its gate open, and the consumer's client."""
    (folder / "village.csv").write_text(VILLAGE.with_name("village.csv").read_text())
    file = folder / "village.toml"
    file.write_text(VILLAGE.read_text().replace("[utility]", f"{terms}\n\n[utility]", 1))
    demo, _ = prepare(file, folder / "data")
    with demo, Serving(create_app(demo.house)) as server:
        demo.clock.set(BEFORE)
        keeper_of(demo.house, Keys.devnet().certifier).keep_now(BEFORE)
        demo.house.heartbeat.read_chain()
        with MeritClient(server.url, member_key("consumer")) as buyer:
            yield demo, buyer


def offered(demo, buyer, member, kind, energy, rate):
    """Offer as a member, and return the order's digest."""
    asset = demo.founded.member(member).assets[kind].identity
    seller = buyer.with_key(member_key(member))
    order = seller.order(Side.OFFER, energy, rate, asset="0x" + asset.hex(), delivery_start=FIRST)
    return seller.submit(order).digest


def trades_of(buyer, digest):
    with MeritClient(buyer._url, Keys.devnet().operator) as operator:
        return {trade["offer"]: trade for trade in operator.trades() if trade["bid"] == "0x" + digest.hex()}


def test_a_buyer_gets_the_sun_it_wished_for_and_the_grids_energy_for_the_rest(tmp_path):
    with village(tmp_path, "preferences = true") as (demo, buyer):
        roof = offered(demo, buyer, "producer", "pv", 400, 100_000)
        grid = offered(demo, buyer, "utility", "sell", 5_000, 200_000)
        sun_first = Preferences(
            (
                Alternative.of(energy_types=[EnergyType.PV], most_energy=150),
                Alternative.of(energy_types=[EnergyType.GRID], limit=250_000),
            )
        )
        signed = buyer.sign(buyer.order(Side.BID, 600, 300_000, delivery_start=FIRST), sun_first)
        with pytest.raises(Refused, match="preferences"):
            buyer.submit(SignedOrder(signed.order, signed.signature))
        digest = buyer.submit(signed).digest
        demo.clock.set(CLOSURE + 1)
        demo.house.heartbeat.beat(CLOSURE + 1)
        found = {offer: (trade["energy_wh"], trade["alternative"]) for offer, trade in trades_of(buyer, digest).items()}
        assert found == {"0x" + roof.hex(): (150, 0), "0x" + grid.hex(): (450, 1)}
        assert judge(gather(tmp_path / "data"), demo.evm).findings == ()


def test_orders_meet_at_a_tick_and_what_is_left_at_the_closure_and_all_is_settled_as_one(tmp_path):
    with village(tmp_path, 'mechanism = "pay-as-bid"\ntick_seconds = 600') as (demo, buyer):
        roof = offered(demo, buyer, "producer", "pv", 400, 100_000)
        digest = buyer.submit(buyer.order(Side.BID, 600, 300_000, delivery_start=FIRST)).digest
        demo.clock.set(CLOSURE - 300)
        demo.house.heartbeat.beat(CLOSURE - 300)
        state = buyer.order_state(digest)
        assert (state["status"], state["matched_wh"]) == ("open", 400)
        grid = offered(demo, buyer, "utility", "sell", 5_000, 200_000)
        demo.clock.set(CLOSURE + 1)
        demo.house.heartbeat.beat(CLOSURE + 1)
        found = {offer: trade["energy_wh"] for offer, trade in trades_of(buyer, digest).items()}
        assert found == {"0x" + roof.hex(): 400, "0x" + grid.hex(): 200}
        assert buyer.order_state(digest)["status"] == "settled"
        assert judge(gather(tmp_path / "data"), demo.evm).findings == ()
