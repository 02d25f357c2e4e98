"""A delivery period that balances, from the community's file over the registry and the desk to the contract."""

import pytest

from app.auditing import gather, judge
from app.demo import prepare
from app.founding import NEED, Keys, member_key
from app.registering import Registering
from exchange.balancing_agents import BalancingMarkets, power_plant
from exchange.balancing_need import Need, Seen, SpotFollowing, followed
from exchange.delivery import BALANCING, Product
from exchange.effects.taken import Taken
from exchange.order import Order, SignedOrder
from exchange.session import SessionState
from exchange.units import MicroPerKwh, Wh
from identity.address import Address
from identity.claim_data import BalancingRates
from identity.energy_roles import EnergyRole
from identity.names import community_label
from identity.signature import sign
from settlement.effects import settlement_contract
from tests.e2e.day import FIRST, VILLAGE, order_of, signed_by

RATES = BalancingRates(demand_micro_per_kwh=20_000, supply_micro_per_kwh=150_000)
KEYS = Keys.devnet()


@pytest.fixture
def demo(tmp_path):
    """The village with a balancing market, on a chain in this process; the producer's roof is a balancing provider."""
    path = tmp_path / "village.toml"
    table = "[balancing]\nenable_balancing_market = true\ndeposit_cents = 1_000\n\n[utility]"
    path.write_text(VILLAGE.read_text().replace("[utility]", table))
    (tmp_path / "village.csv").write_text(VILLAGE.with_name("village.csv").read_text())
    demo, _ = prepare(path, tmp_path / "data")
    with demo:
        roof = demo.founded.member("producer").assets["pv"]
        registering = Registering(demo.evm, demo.founded.deployment, demo.house.preset)
        registering.claim(
            EnergyRole.BALANCING_PROVIDER,
            roof.identity,
            label=community_label("Test village"),
            subject_key=member_key("producer"),
            issuer_key=KEYS.certifier,
            expiry=FIRST + 86_400,
            data=RATES.pack(),
        )
        contract = Address(demo.founded.deployment.settlement)
        registering.tell(KEYS.certifier, contract, settlement_contract.refresh([roof.number]))
        yield demo


def beat(demo, now):
    demo.clock.set(now)
    demo.house.heartbeat.beat(now)


def submit(demo, orders: list[Order], key: bytes) -> None:
    separator = demo.founded.parameters.domain.separator()
    results = demo.house.desk.submit([SignedOrder(order, sign(order.digest(separator), key)) for order in orders])
    assert all(isinstance(result, Taken) for result in results), results


def test_a_need_that_follows_spot_is_met_settled_and_audited(demo, tmp_path):
    founded, desk = demo.founded, demo.house.desk
    parameters, start = founded.parameters, FIRST
    node, roof = founded.member("village"), founded.member("producer").assets["pv"].identity
    before = demo.house.contract.credit_of(node.account)
    beat(demo, start - 2_000)
    traded = [
        signed_by(founded, "consumer", order_of(founded, "consumer", "load", 1_000, 250_000, start=start)),
        signed_by(founded, "producer", order_of(founded, "producer", "pv", 1_000, 90_000, start=start)),
    ]
    assert all(isinstance(result, Taken) for result in desk.submit(traded))
    beat(demo, start - 299)

    spot = desk.book(parameters.spot.session(start))
    nodes = {accepted.digest: parameters.node_of(accepted.signed.order.asset) for accepted in spot.orders}
    energy = followed(spot.cleared.clearing, nodes, [parameters.tree.root.number], parameters.tree)
    wanted = SpotFollowing().wanted(Seen(followed=energy[parameters.tree.root.number]))
    assert wanted.need == (200, 200)
    markets = BalancingMarkets.of(parameters, start, salt=1)
    submit(demo, markets.offers(roof, power_plant(Need(up=Wh(150))), RATES), member_key("producer"))
    submit(demo, markets.bids(node.assets[NEED].identity, wanted.need, MicroPerKwh(200_000)), KEYS.grid_operator)
    for seconds in (-59, 60, 120, 240):
        beat(demo, start + seconds)

    keys = [market.session(start) for market in parameters.markets]
    states = desk.look(lambda market, _: {key.product: market.session(key).state for key in keys})
    assert set(states.values()) == {SessionState.SETTLED}, states
    up, down = (desk.book(key) for key in keys if key.product in BALANCING)
    (trade,) = up.cleared.clearing.trades
    assert (up.key.product, trade.energy, trade.rate) == (Product.BALANCING_UP, 150, 150_000)
    assert not down.cleared.clearing.trades
    assert wanted.less(Need(up=trade.energy)).need == (50, 200)
    paid = before - demo.house.contract.credit_of(node.account)
    assert paid == trade.value - spot.cleared.clearing.trades[0].fee, "its own fee goes to itself"
    verdict = judge(gather(tmp_path / "data"), demo.evm)
    assert not verdict.findings
