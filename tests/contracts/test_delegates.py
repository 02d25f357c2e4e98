"""The holder signs, or a trade delegate that the asset has in the DID registry, as of gate closure."""

from eth_abi import encode

from contracts.artifacts import load
from tests.contracts.orders import address_of, keccak
from tests.contracts.registries import TRADE
from tests.contracts.scenes import one_trade
from tests.contracts.town import GATE_CLOSURE, START, Contract, refused

CONSUMER, PRODUCER, AGENT = "the consumer", "the producer", "the agent"
LONG = 2**32  # seconds


def by_agent(town, **changes):
    return one_trade(town, orders=[town.bid(CONSUMER, signer=AGENT, **changes), town.offer(PRODUCER)])


def delegate(town, seconds=LONG, **changes):
    return town.registries.delegate(town.identities[CONSUMER], CONSUMER, AGENT, seconds, **changes)


def dismiss(town):
    return town.registries.dismiss(town.identities[CONSUMER], CONSUMER, AGENT)


def test_a_delegate_signs_for_gates_that_close_before_its_time_ends(town):
    delegate(town, GATE_CLOSURE + 1 - town.machine.now)
    town.close_gate()
    town.settle(by_agent(town))


def test_a_delegate_whose_time_ends_as_the_gate_closes_is_refused(town):
    delegate(town, GATE_CLOSURE - town.machine.now)
    town.close_gate()
    with refused("orders: signer may not trade"):
        town.settle(by_agent(town))


def test_who_was_never_named_is_refused(town):
    town.close_gate()
    with refused("orders: signer may not trade"):
        town.settle(by_agent(town))
    town.settle(one_trade(town))


def test_a_delegate_of_another_asset_is_refused(town):
    town.registries.delegate(town.identities[PRODUCER], PRODUCER, AGENT, LONG)
    town.close_gate()
    with refused("orders: signer may not trade"):
        town.settle(by_agent(town))
    by_producers_agent = [town.bid(CONSUMER), town.offer(PRODUCER, signer=AGENT)]
    town.settle(one_trade(town, orders=by_producers_agent))


def test_a_delegate_of_one_asset_is_none_of_the_owners_other_assets(town):
    """Delegation is by asset; the account's other assets are none of the agent's business."""
    delegate(town)
    town.enrol(CONSUMER, "the heat pump")
    town.close_gate()
    with refused("orders: signer may not trade"):
        town.settle(one_trade(town, orders=[town.bid("the heat pump", signer=AGENT), town.offer(PRODUCER)]))
    town.settle(by_agent(town))


def test_a_delegate_for_another_purpose_is_refused(town):
    delegate(town, purpose=keccak(b"merit.data.meter.v1"))
    town.close_gate()
    with refused("orders: signer may not trade"):
        town.settle(by_agent(town))


def test_a_delegate_dismissed_as_the_gate_closes_is_refused(town):
    delegate(town)
    town.close_gate()
    dismiss(town)
    with refused("orders: signer may not trade"):
        town.settle(by_agent(town))


def test_what_a_delegate_signed_is_settled_when_it_is_dismissed_the_second_after_the_gate_closed(town):
    delegate(town)
    town.move_to(GATE_CLOSURE + 1)
    dismiss(town)
    town.settle(by_agent(town))


def test_nobody_signs_by_what_is_no_signature_even_where_nobody_is_a_delegate(town):
    """An asset's shell names nobody, but over a registry that the shell does not know the settlement must see to it."""
    naive = Contract(town.machine, load("DidRegistry"), "the deployer")
    there = town.another(did_registry=naive.address)
    for member in (CONSUMER, PRODUCER):
        there.open_account(member, 10)
        there.enrol_again(member, member)
    kind = keccak(encode(["bytes32", "uint256"], [TRADE, 1]))
    for agent in (bytes(20), address_of(AGENT)):
        named = naive.calldata("addDelegate", town.identities[CONSUMER], kind, agent, LONG)
        town.registries.shell(town.identities[CONSUMER]).send(CONSUMER, "sendTransaction", naive.address, named, 0)
    there.close_gate()
    bid, offer = there.bid(CONSUMER, signer=AGENT), there.offer(PRODUCER)
    with refused("orders: signer may not trade"):
        there.settle(one_trade(there, orders=[bid.but(signature=bytes(64)), offer]))
    there.settle(one_trade(there, orders=[bid, offer]))


# a sale ends it


def test_the_sellers_delegate_does_not_trade_for_the_buyer(town):
    town.open("the buyer", 10)
    delegate(town)
    town.move_to(GATE_CLOSURE)
    town.registries.sell(town.identities[CONSUMER], CONSUMER, "the buyer")
    number = town.enrol_again("the buyer", CONSUMER)
    orders = [town.bid(CONSUMER, signer=AGENT).but(asset=number), town.offer(PRODUCER)]
    with refused("orders: signer may not trade"):
        town.settle(one_trade(town, orders=orders))
    town.registries.delegate(town.identities[CONSUMER], "the buyer", AGENT, LONG)
    town.settle(one_trade(town, orders=orders))


def test_the_sellers_delegate_does_not_trade_by_the_sellers_enrolment(town):
    delegate(town)
    town.close_gate()
    town.registries.sell(town.identities[CONSUMER], CONSUMER, "the buyer")
    town.refresh(town.assets[CONSUMER])
    with refused("assets: not current"):
        town.settle(by_agent(town))


def test_what_the_sellers_delegate_signed_for_a_gate_that_closed_before_the_sale_is_settled(town):
    delegate(town)
    town.move_to(GATE_CLOSURE + 1)
    town.registries.sell(town.identities[CONSUMER], CONSUMER, "the buyer")
    town.refresh(town.assets[CONSUMER])
    town.settle(by_agent(town))


def test_the_seller_does_not_delegate_in_the_buyers_name_beforehand(town):
    """A delegation of an epoch to come, or the DID itself, would outlive the sale; neither can be given away."""
    asset = town.registries.shell(town.identities[CONSUMER])
    coming = keccak(encode(["bytes32", "uint256"], [TRADE, 2]))
    dids = town.registries.dids
    early = dids.calldata("addDelegate", asset.address, coming, address_of(AGENT), LONG)
    with refused("identity: use delegate"):
        asset.send(CONSUMER, "sendTransaction", dids.address, early, 0)
    with refused("identity: DID stays its own"):
        taken = dids.calldata("changeOwner", asset.address, address_of(CONSUMER))
        asset.send(CONSUMER, "sendTransaction", dids.address, taken, 0)


def test_a_registry_of_dids_without_code_is_refused(town):
    with refused("delegates: registry has no code"):
        Contract(town.machine, load("Settlement"), "the deployer", *town.arguments(did_registry=b"\x01" * 20))


# epochs


def test_only_the_holder_voids(town):
    delegate(town)
    with refused("escrow: not the holder"):
        town.send(AGENT, "void_orders", town.accounts[CONSUMER])
    town.send(CONSUMER, "void_orders", town.accounts[CONSUMER])


def test_voiding_begins_an_epoch(town):
    number, credit = town.accounts[CONSUMER], town.credit(CONSUMER)
    outcome = town.send(CONSUMER, "void_orders", number)
    assert town.read("account", number) == ("0x" + address_of(CONSUMER).hex(), credit, 1)
    assert town.read("epoch_ended", number, 0) == town.machine.now
    assert town.read("epoch_ended", number, 1) == 0
    assert town.settlement.events(outcome) == [("OrdersVoided", {"account": number, "epoch": 1})]


def test_an_order_of_a_voided_epoch_is_refused(town):
    town.move_to(GATE_CLOSURE - 1)
    town.send(CONSUMER, "void_orders", town.accounts[CONSUMER])
    town.close_gate()
    with refused("orders: epoch is void"):
        town.settle(one_trade(town))
    fresh = [town.bid(CONSUMER, salt=1 << 32 | 1), town.offer("the producer")]
    town.settle(one_trade(town, orders=fresh))


def test_what_was_closed_before_the_voiding_stays_closed(town):
    town.close_gate()
    town.send(CONSUMER, "void_orders", town.accounts[CONSUMER])
    town.settle(one_trade(town))


def test_what_was_closed_stays_closed_however_often_its_signer_voids(town):
    town.close_gate()
    for _ in range(3):
        town.send(CONSUMER, "void_orders", town.accounts[CONSUMER])
    town.settle(one_trade(town))


def test_an_order_of_an_epoch_that_never_was_is_refused(town):
    town.close_gate()
    orders = [town.bid(CONSUMER, salt=1 << 32), town.offer("the producer")]
    with refused("orders: epoch is void"):
        town.settle(one_trade(town, orders=orders))


def test_an_epoch_yet_to_come_is_refused(town):
    town.close_gate()
    early = [town.bid(CONSUMER, salt=1 << 32 | 1), town.offer("the producer")]
    with refused("orders: epoch is void"):
        town.settle(one_trade(town, orders=early))
    last = [town.bid(CONSUMER, salt=(2**32 - 1) << 32 | 1), town.offer("the producer")]
    with refused("orders: epoch is void"):
        town.settle(one_trade(town, orders=last))


def test_a_delegates_order_of_the_epoch_before_counts_as_the_holders_does(town):
    delegate(town)
    town.move_to(START)
    town.send(CONSUMER, "void_orders", town.accounts[CONSUMER])
    town.settle(by_agent(town))
