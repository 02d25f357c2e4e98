"""No order counts that its trader did not sign for this session. Each lie is refused beside the truth it stands for."""

import pytest

from tests.contracts.machine import CHAIN_ID
from tests.contracts.orders import domain
from tests.contracts.scenes import bid_and_offer, one_trade, trade
from tests.contracts.town import GATE_CLOSURE, PERIOD, START, refused


@pytest.fixture
def closed(town):
    town.close_gate()
    return town


def told(town, **lie):
    """A batch whose bid says in the calldata what its trader did not sign."""
    bid, offer = bid_and_offer(town)
    words = bid.words()
    signature = words[2] + words[3]
    return town.batch([bid.but(signature=signature, **lie), offer], [trade()])


@pytest.mark.parametrize(
    "lie",
    [
        {"energy": 1_001},
        {"limit": 300_001},
        {"limit": -1},
        {"valid_until": START + 1},
        {"salt": 2},
        {"preferences": b"\x01" * 32},
    ],
    ids=lambda lie: next(iter(lie)),
)
def test_an_order_whose_terms_were_altered_is_refused(closed, lie):
    with refused("orders: signer may not trade"):
        closed.settle(told(closed, **lie))
    closed.settle(told(closed))


def test_a_bid_that_is_told_as_an_offer_is_refused(closed):
    bid, offer = bid_and_offer(closed)
    _, _, r, vs = bid.words()
    swapped = bid.but(side=1, signature=r + vs)
    with refused("orders: signer may not trade"):
        closed.settle(closed.batch([swapped, offer], []))
    closed.settle(closed.batch([bid, offer], []))


def test_an_order_of_one_asset_is_not_an_order_of_another(closed):
    closed.enrol("the consumer", "the heat pump")
    bid, offer = bid_and_offer(closed)
    _, _, r, vs = bid.words()
    other = bid.but(asset=closed.assets["the heat pump"], identity=closed.identities["the heat pump"], signature=r + vs)
    with refused("orders: signer may not trade"):
        closed.settle(closed.batch([other, offer], [trade()]))
    own = closed.bid("the heat pump", signer="the consumer")
    closed.settle(closed.batch([own, offer], [trade()]))


@pytest.mark.parametrize(
    "elsewhere",
    [{"market": 2}, {"product": 2}, {"start": START + PERIOD}],
    ids=["another market", "another product", "another period"],
)
def test_an_order_for_another_session_is_refused(closed, elsewhere):
    with refused("orders: signer may not trade"):
        closed.settle(closed.batch(sorted_as_told(closed, elsewhere), [trade(bid=0, offer=1)]))
    closed.settle(one_trade(closed))


def sorted_as_told(town, elsewhere):
    """Orders signed for elsewhere, in the order of what the contract will take their digests for."""
    honest = bid_and_offer(town)
    signed = bid_and_offer(town, **elsewhere)
    return [here.but(signature=there.words()[2] + there.words()[3]) for here, there in zip(honest, signed, strict=True)]


def test_an_order_for_another_contract_is_refused(closed):
    foreign = domain(CHAIN_ID, b"\x01" * 20)
    with refused("orders: signer may not trade"):
        closed.settle(closed.batch(sorted_as_told(closed, {"domain": foreign}), [trade()]))
    closed.settle(one_trade(closed))


def test_an_order_for_another_chain_is_refused(closed):
    foreign = domain(CHAIN_ID + 1, closed.settlement.address)
    with refused("orders: signer may not trade"):
        closed.settle(closed.batch(sorted_as_told(closed, {"domain": foreign}), [trade()]))
    closed.settle(one_trade(closed))


def test_a_signature_of_somebody_else_is_refused(closed):
    with refused("orders: signer may not trade"):
        closed.settle(
            one_trade(closed, orders=[closed.bid("the consumer", signer="the operator"), closed.offer("the producer")])
        )


@pytest.mark.parametrize("signature", [bytes(64), b"\x00" * 32 + b"\x01" * 32], ids=["nothing", "no point"])
def test_what_is_no_signature_is_refused(closed, signature):
    bid, offer = bid_and_offer(closed)
    with refused("orders: signer may not trade"):
        closed.settle(closed.batch([bid.but(signature=signature), offer], [trade()]))


def test_the_higher_form_of_a_signature_is_refused(closed):
    bid, offer = bid_and_offer(closed)
    _, _, r, _ = bid.words()
    half = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
    with refused("orders: s is high"):
        closed.settle(closed.batch([bid.but(signature=r + (half + 1).to_bytes(32)), offer], [trade()]))
    with refused("orders: signer may not trade"):  # low enough, but a guess
        closed.settle(closed.batch([bid.but(signature=r + half.to_bytes(32)), offer], [trade()]))
    closed.settle(closed.batch([bid, offer], [trade()]))


def test_an_order_that_is_there_twice_is_refused(closed):
    bid, offer = bid_and_offer(closed)
    batch = closed.batch([bid, offer], [trade()])
    for twice in ([batch.orders[0], *batch.orders], [*batch.orders, batch.orders[1]]):
        with refused("orders: not ascending"):
            closed.settle(batch.but(orders=twice, trades=[]))
    closed.settle(batch)


def test_orders_out_of_order_are_refused(closed):
    batch = closed.batch(bid_and_offer(closed), [])
    with refused("orders: not ascending"):
        closed.settle(batch.but(orders=list(reversed(batch.orders))))
    closed.settle(batch)


def test_an_order_is_valid_up_to_its_last_second(closed):
    with refused("orders: expired"):
        closed.settle(one_trade(closed, orders=bid_and_offer(closed, valid_until=GATE_CLOSURE - 1)))
    closed.settle(one_trade(closed, orders=bid_and_offer(closed, valid_until=GATE_CLOSURE)))


def test_an_order_for_no_energy_is_refused(closed):
    with refused("orders: energy is zero"):
        closed.settle(closed.batch(bid_and_offer(closed, energy=0), []))
    closed.settle(closed.batch(bid_and_offer(closed, energy=1), []))


@pytest.mark.parametrize("bits", [1, 0x8000, 0xFFFF])
def test_bits_that_mean_nothing_are_refused(closed, bits):
    with refused("orders: unused bits are set"):
        closed.settle(closed.batch(bid_and_offer(closed, high_bits=bits), []))
    closed.settle(closed.batch(bid_and_offer(closed), []))


@pytest.mark.parametrize("side", [2, 3, 128, 255])
def test_there_are_two_sides(closed, side):
    with refused("orders: unused bits are set"):
        closed.settle(closed.batch([closed.order("the consumer", side, 1_000, 300_000)], []))


@pytest.mark.parametrize("number", [0, 99, 2**32 - 1])
def test_an_asset_that_was_never_enrolled_is_refused(closed, number):
    nobody = closed.bid("the consumer").but(asset=number, identity=bytes(20))
    with refused("assets: not current"):
        closed.settle(closed.batch([nobody], []))


def test_the_largest_number_of_orders_is_512(closed):
    # one too many is refused before any is looked at, so they need not be good ones
    batch = closed.batch(bid_and_offer(closed), [])
    with refused("orders: too many"):
        closed.settle(batch.but(orders=[batch.orders[0]] * 513))
    with refused("orders: not ascending"):
        closed.settle(batch.but(orders=[batch.orders[0]] * 512))


def test_calldata_that_ends_too_soon_is_refused(closed):
    calldata = closed.settle_calldata(closed.batch(bid_and_offer(closed), []))
    at = 4 + 32 * 7
    offset = int.from_bytes(calldata[at : at + 32])
    for wrong in (len(calldata) - 4 - 31, 2**32, 2**256 - 1):
        with refused("settle: calldata is short"):
            closed.machine.send(
                "the operator", closed.settlement.address, calldata[:at] + wrong.to_bytes(32) + calldata[at + 32 :]
            )
    # the orders come before the trades; say there are more than follow
    count = 4 + offset
    with refused("settle: calldata is short"):
        closed.machine.send(
            "the operator", closed.settlement.address, calldata[:count] + (3).to_bytes(32) + calldata[count + 32 :]
        )
    closed.machine.send("the operator", closed.settlement.address, calldata)
