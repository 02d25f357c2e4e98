"""Python and the contract on generated sessions of a tree: the same bytes, the same leaves, the same money."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.delivery import Product, SessionKey
from exchange.order import Order, Side
from exchange.trade import Trade
from exchange.units import MicroPerKwh, Nano, Wh
from identity.address import Address
from identity.facts import AccountOpened, AssetEnrolled
from identity.registry import Registry
from settlement.batch import Batch, SealedOrder
from settlement.calldata import pack, read_settle, settle_calldata
from settlement.errors import CreditShort
from settlement.facts import MarketOpened
from settlement.ledger import Ledger
from tests.contracts.caller import refused
from tests.contracts.orders import Row
from tests.contracts.test_settle_properties import NODES, honest, new_town
from tests.registries import ROLES
from tests.strategies import fee_row


def registry_of(town):
    known = Registry(ROLES)
    for number in town.accounts.values():
        known.apply(AccountOpened(number, Address(town.read("account", number)[0])))
    for number in town.assets.values():
        identity, account, until, _ = town.read("asset", number)
        known.apply(AssetEnrolled(number, Address(bytes.fromhex(identity[2:])), account, 1, until, 0))
    return known


def markets_of(town):
    found = {}
    for number in NODES:
        tree, fee_account, fee_cap, period, lead, window, uniform = town.read("market", number)
        found[number] = MarketOpened(
            market=number,
            tree=tree,
            fee_account=fee_account,
            fee_cap=MicroPerKwh(fee_cap),
            period=period,
            lead=lead,
            window=window,
            uniform=uniform,
        )
    return found


def sealed(order):
    terms = Order(
        asset=Address(order.identity),
        market=order.market,
        product=Product(order.product),
        side=Side(order.side),
        delivery_start=order.start,
        energy=Wh(order.energy),
        limit=MicroPerKwh(order.limit),
        valid_until=order.valid_until,
        salt=order.salt,
        preferences=order.preferences,
    )
    _, _, r, vs = order.words()
    return SealedOrder(asset=order.asset, order=terms, signature=r + vs, digest=terms.digest(order.domain))


def ours(batch, chance):
    """The batch as the settlement room has it, its trades by their leaf; on a walk, each trade has rates of its own."""
    session = SessionKey(batch.market, Product(batch.product), batch.start)
    orders = [sealed(order) for order in batch.orders]
    walk = chance.random() < 0.3
    trades = []
    for number, trade in enumerate(batch.trades):
        row: Row = trade.row_in(batch.market)
        spare = batch.orders[trade.bid].limit - trade.rate - row.fee
        more = number if walk and number <= spare else 0
        shares = [(node, rate + (more if node == row.top else 0)) for node, rate in row.shares]
        trades.append(
            Trade(
                session=session,
                bid=orders[trade.bid].digest,
                offer=orders[trade.offer].digest,
                energy=Wh(trade.energy),
                rate=MicroPerKwh(trade.rate),
                fees=fee_row(row.top, *shares),
            )
        )
    return session, orders, trades


def parts_of(batch, chance):
    """The session in one part or several: all orders in each, the trades cut anywhere."""
    session, orders, trades = ours(batch, chance)
    size = max(1, chance.choice((len(trades), len(trades) // 2, 3)))
    cuts = [trades[at : at + size] for at in range(0, len(trades), size)] or [[]]
    return [
        Batch(
            session=session,
            part=part,
            parts=len(cuts),
            order_root=batch.order_root,
            parameters=batch.parameters,
            orders=tuple(orders),
            trades=tuple(sorted(cut, key=Trade.leaf)),
        )
        for part, cut in enumerate(cuts)
    ]


@given(chance=st.integers(0, 2**64 - 1).map(Random), uniform=st.booleans())
@settings(max_examples=40, deadline=None)
def test_what_python_seals_the_contract_settles_and_both_have_the_same_money(chance, uniform):
    with new_town(uniform=uniform) as (town, facts):
        parts = parts_of(honest(chance, town, facts), chance)
        registry, markets = registry_of(town), markets_of(town)
        ledger = Ledger(scale=1)
        for number in town.accounts.values():
            if credit := town.read("credit_of", number):
                ledger.deposit(number, Nano(credit))
        separator = town.read("domain_separator")
        for batch in parts:
            calldata = settle_calldata(batch)
            assert read_settle(calldata, registry, separator) == batch
            try:
                ledger.settle(batch, registry, markets)
            except CreditShort:
                with refused("money: credit is short"):
                    town.machine.send("the operator", town.settlement.address, calldata)
                return
            outcome = town.machine.send("the operator", town.settlement.address, calldata)
            [(_, fields)] = town.settlement.events(outcome)
            told = [fields[name] for name in ("trade_root", "energy_wh", "value_nano", "fee_nano")]
            assert told == [batch.trade_root, batch.energy, batch.value, batch.fee]
            assert outcome.gas <= pack(batch).estimated_gas
        for number in town.accounts.values():
            assert ledger.credit(number) == town.read("credit_of", number)
