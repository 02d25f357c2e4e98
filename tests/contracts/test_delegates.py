"""The holder signs, or an agent it named; authority is judged as of gate closure."""

from tests.contracts.orders import address_of
from tests.contracts.scenes import one_trade
from tests.contracts.town import GATE_CLOSURE, START, refused

CONSUMER, AGENT = "the consumer", "the agent"


def by_agent(town, **changes):
    return one_trade(town, orders=[town.bid(CONSUMER, signer=AGENT, **changes), town.offer("the producer")])


def name_agent(town, until):
    return town.send(CONSUMER, "name_delegate", town.accounts[CONSUMER], address_of(AGENT), until)


def revoke_agent(town):
    return town.send(CONSUMER, "revoke_delegate", town.accounts[CONSUMER], address_of(AGENT))


def test_an_agent_signs_up_to_the_second_it_was_named_for(town):
    outcome = name_agent(town, GATE_CLOSURE)
    agent = "0x" + address_of(AGENT).hex()
    fields = {"account": town.accounts[CONSUMER], "agent": agent, "until": GATE_CLOSURE}
    assert town.settlement.events(outcome) == [("AgentNamed", fields)]
    town.close_gate()
    town.settle(by_agent(town))


def test_an_agent_named_for_a_second_less_is_refused(town):
    name_agent(town, GATE_CLOSURE - 1)
    town.close_gate()
    with refused("orders: signer may not trade"):
        town.settle(by_agent(town))


def test_who_was_never_named_is_refused(town):
    town.close_gate()
    with refused("orders: signer may not trade"):
        town.settle(by_agent(town))
    town.settle(one_trade(town))


def test_an_agent_of_another_account_is_refused(town):
    town.send("the producer", "name_delegate", town.accounts["the producer"], address_of(AGENT), GATE_CLOSURE)
    town.close_gate()
    with refused("orders: signer may not trade"):
        town.settle(by_agent(town))


def test_an_agent_revoked_before_the_gate_closed_is_refused(town):
    name_agent(town, 2**40 - 1)
    town.move_to(GATE_CLOSURE)
    outcome = revoke_agent(town)
    until = GATE_CLOSURE - 1
    assert town.read("agent_until", town.accounts[CONSUMER], address_of(AGENT)) == until
    agent = "0x" + address_of(AGENT).hex()
    fields = {"account": town.accounts[CONSUMER], "agent": agent, "until": until}
    assert town.settlement.events(outcome) == [("AgentRevoked", fields)]
    with refused("orders: signer may not trade"):
        town.settle(by_agent(town))


def test_what_an_agent_signed_before_the_gate_closed_is_settled_after_its_dismissal(town):
    name_agent(town, 2**40 - 1)
    town.move_to(GATE_CLOSURE + 1)
    revoke_agent(town)
    town.settle(by_agent(town))


def test_revoking_never_lengthens(town):
    name_agent(town, town.machine.now)
    town.move_to(GATE_CLOSURE)
    revoke_agent(town)
    assert town.read("agent_until", town.accounts[CONSUMER], address_of(AGENT)) < GATE_CLOSURE - 1


def test_naming_does_not_reach_back(town):
    name_agent(town, town.machine.now)
    with refused("delegates: until is past"):
        name_agent(town, town.machine.now - 1)


def test_nobody_is_not_an_agent(town):
    with refused("delegates: agent is nobody"):
        town.send(CONSUMER, "name_delegate", town.accounts[CONSUMER], bytes(20), 2**40 - 1)


def test_only_the_holder_names_revokes_and_voids(town):
    number = town.accounts[CONSUMER]
    name_agent(town, 2**40 - 1)
    with refused("escrow: not the holder"):
        town.send(AGENT, "name_delegate", number, address_of("a friend"), 2**40 - 1)
    with refused("escrow: not the holder"):
        town.send(AGENT, "revoke_delegate", number, address_of(AGENT))
    with refused("escrow: not the holder"):
        town.send(AGENT, "void_orders", number)


# epochs


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


def test_an_agents_order_of_the_epoch_before_counts_as_the_holders_does(town):
    name_agent(town, 2**40 - 1)
    town.move_to(START)
    town.send(CONSUMER, "void_orders", town.accounts[CONSUMER])
    town.settle(by_agent(town))
