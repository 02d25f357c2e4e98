"""The digest the contract checks is the one every EIP-712 wallet signs."""

from eth_account.messages import encode_typed_data
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.machine import CHAIN_ID, Revm
from tests.contracts.orders import Order, domain, keccak
from tests.contracts.scenes import bid_and_offer, one_trade
from tests.contracts.town import Town, refused

FIELDS = {
    "asset": "address",
    "market": "uint32",
    "product": "uint8",
    "side": "uint8",
    "deliveryStart": "uint40",
    "energyWh": "uint48",
    "limitMicroPerKwh": "int48",
    "preferences": "bytes32",
    "validUntil": "uint40",
    "salt": "uint64",
}


def unsigned(bits):
    return st.integers(0, 2**bits - 1)


ORDERS = st.builds(
    lambda identity, market, product, side, start, energy, limit, preferences, valid_until, salt: Order(
        identity=identity, asset=0, signer="nobody", side=side, energy=energy, limit=limit, market=market,
        product=product, start=start, valid_until=valid_until, salt=salt, preferences=preferences, domain=bytes(32),
    ),
    st.binary(min_size=20, max_size=20), unsigned(32), unsigned(8), unsigned(1), unsigned(40), unsigned(48),
    st.integers(-(2**47), 2**47 - 1), st.binary(min_size=32, max_size=32), unsigned(40), unsigned(64),
)  # fmt: skip


def typed(order, contract):
    values = (
        "0x" + order.identity.hex(), order.market, order.product, order.side, order.start, order.energy, order.limit,
        order.preferences, order.valid_until, order.salt,
    )  # fmt: skip
    domain_data = {"name": "Merit", "version": "1", "chainId": CHAIN_ID, "verifyingContract": "0x" + contract.hex()}
    types = {"Order": [{"name": name, "type": kind} for name, kind in FIELDS.items()]}
    message = dict(zip(FIELDS, values, strict=True))
    signable = encode_typed_data(domain_data=domain_data, message_types=types, message_data=message)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


@given(order=ORDERS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_contract_wallet_and_our_own_digest_agree(town, order):
    mine = order.but(domain=domain(CHAIN_ID, town.settlement.address))
    asked = town.read(
        "digest_of", mine.identity, mine.market, mine.product, mine.side, mine.start, mine.energy, mine.limit,
        mine.preferences, mine.valid_until, mine.salt,
    )  # fmt: skip
    assert asked == mine.digest() == typed(mine, town.settlement.address)


def test_the_domain_is_this_contracts_on_this_chain(town):
    assert town.read("domain_separator") == domain(CHAIN_ID, town.settlement.address)


def test_after_a_fork_of_the_chain_old_orders_are_dead_there(town):
    forked = Town(Revm(chain_id=77))
    forked.open("the producer")
    forked.open("the consumer")
    assert forked.settlement.address == town.settlement.address
    # what was built into the code when it was deployed still names the old chain
    forked.machine.put_code(forked.settlement.address, town.machine.code(town.settlement.address))
    forked.close_gate()
    domain_there = domain(77, forked.settlement.address)
    assert forked.read("domain_separator") == domain_there
    with refused("orders: signer may not trade"):
        forked.settle(one_trade(forked))
    forked.settle(one_trade(forked, orders=bid_and_offer(forked, domain=domain_there)))
