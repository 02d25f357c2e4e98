"""The audit: silent about an honest world, and with the right finding for every single lie in one."""

import json
from dataclasses import replace
from itertools import islice

import pytest

from exchange.book import book_from_document
from exchange.clearing import Held, OwnUse
from exchange.delivery import Mechanism, SessionKey
from exchange.errors import OrderMalformed
from exchange.order import SignedOrder
from exchange.tree import Fee, Tree
from exchange.units import MAX_RATE, MicroPerKwh, Nano, Wh
from identity.claim_data import EnergyType
from identity.facts import AssetEnrolled
from settlement.audit import audit
from settlement.batch import seal
from settlement.calldata import settle_calldata
from settlement.facts import BatchSettled, Deposited, MarketOpened, Withdrawn
from settlement.findings import CODES, Finding
from tests.registries import delegation
from tests.settlement.generated import with_clearing
from tests.settlement.mutations import mutations
from tests.settlement.test_audit_changes import LIES as LIES_OF_THE_TREE
from tests.settlement.test_audit_of_lies import LIES
from tests.settlement.world import AGENT, DOMAIN, FEE, FIRST, FLAT, GRID, MARKET, PARAMETERS, honest_world, settled
from tests.strategies import one_fee

WORLD = honest_world()


def codes(world, **options):
    return {finding.code for finding in audit(world.books, world.chain, **options)}


def flip(raw, at=-1):
    """The bytes with one bit of one of them changed."""
    changed = bytearray(raw)
    changed[at] ^= 1
    return bytes(changed)


# Changing the world in one place


def accepted(place, **changes):
    """The world in which the first book's order at `place` was noted otherwise."""
    orders = list(WORLD.books[0].orders)
    orders[place] = replace(orders[place], **changes)
    return WORLD.with_book(0, orders=tuple(orders))


def ordered(place, **changes):
    """The world in which the first book's order at `place` says something else."""
    signed = WORLD.books[0].orders[place].signed
    return accepted(place, signed=replace(signed, order=replace(signed.order, **changes)))


def receipted(place, **changes):
    return accepted(place, receipt=replace(WORLD.books[0].orders[place].receipt, **changes))


def cancelled(**changes):
    return WORLD.with_book(0, cancellations=(replace(WORLD.books[0].cancellations[0], **changes),))


def cleared(**changes):
    book = WORLD.books[0]
    return WORLD.with_book(0, cleared=replace(book.cleared, **changes))


def clearing(**changes):
    return WORLD.with_book(0, cleared=with_clearing(WORLD.books[0], **changes).cleared)


def traded(**changes):
    """The world in which the first trade of the first book is another."""
    first, *rest = WORLD.books[0].cleared.clearing.trades
    return clearing(trades=(replace(first, **changes), *rest))


def marketed(**changes):
    return WORLD.with_book(0, parameters=replace(PARAMETERS, markets=(replace(MARKET, **changes),)))


def at_the_node(**changes):
    tree = Tree((replace(PARAMETERS.tree.root, **changes),))
    return WORLD.with_book(0, parameters=replace(PARAMETERS, tree=tree))


def logged(kind, **changes):
    """The world in which the first fact of that kind was told otherwise."""
    facts = list(WORLD.chain.facts)
    at = next(place for place, witnessed in enumerate(facts) if isinstance(witnessed.fact, kind))
    facts[at] = replace(facts[at], fact=replace(facts[at].fact, **changes))
    return WORLD.with_chain(facts=tuple(facts))


def unlogged(kind):
    at = next(place for place, witnessed in enumerate(WORLD.chain.facts) if isinstance(witnessed.fact, kind))
    return WORLD.with_chain(facts=(*WORLD.chain.facts[:at], *WORLD.chain.facts[at + 1 :]))


def logged_again(kind):
    (first, *_) = (witnessed for witnessed in WORLD.chain.facts if isinstance(witnessed.fact, kind))
    return WORLD.with_chain(facts=(*WORLD.chain.facts, first))


def sent(change):
    """The world in which the first batch went out as other bytes."""
    name = (WORLD.books[0].key.number, 0)
    return WORLD.with_chain(calldata={**WORLD.chain.calldata, name: change(WORLD.chain.calldata[name])})


def mined_at(instant):
    block = next(w.block_number for w in WORLD.chain.facts if isinstance(w.fact, BatchSettled))
    return WORLD.with_chain(block_times={**WORLD.chain.block_times, block: instant})


ORDER = WORLD.books[0].orders[0]
TRADE = WORLD.books[0].cleared.clearing.trades[0]
OWN = WORLD.books[0].cleared.clearing.own_uses[0]
OTHER_DOMAIN = replace(PARAMETERS, domain=replace(DOMAIN, chain_id=1))
BOOK = WORLD.books[0]
ORDERS = BOOK.orders
CANCELLATION = BOOK.cancellations[0]
LEFT_OUT = BOOK.cleared.excluded
ROOTS = {"order-root"}
CALL = {"calldata"}
NAMED = {"order-digest", "order-signature"}

CHANGES = {
    "a digest": (
        accepted(0, digest=flip(ORDER.digest)),
        {"order-digest", "receipt-mismatch", "trade-unknown-order", *ROOTS, *CALL},
    ),
    "an order's energy": (ordered(1, energy=Wh(3_001)), {*NAMED, "admission", "clearing-trades"}),
    "an order's limit": (ordered(4, limit=MicroPerKwh(300_001)), {*NAMED, "admission"}),
    "an order's signature": (
        accepted(4, signed=SignedOrder(ORDERS[4].signed.order, flip(ORDERS[4].signed.signature))),
        {"order-signature", "admission"},
    ),
    "a signature that is none": (
        accepted(4, signed=SignedOrder(ORDERS[4].signed.order, b"\xff" * 64)),
        {"order-signature"},
    ),
    "a signer": (accepted(4, signer=flip(ORDERS[4].signer)), {"order-signature"}),
    "an account": (accepted(4, account=2), {"order-account"}),
    "an asset": (accepted(4, asset=2), {"order-account"}),
    "an energy type": (accepted(4, energy_type=EnergyType.WIND), {"order-energy-type"}),
    "a receipt's order": (receipted(4, order=flip(ORDER.digest)), {"receipt-mismatch", "receipt-signature"}),
    "a receipt's number": (
        receipted(7, sequence=9),
        {"receipt-signature", "sequence-gap", "sequence-order", *ROOTS, *CALL},
    ),
    "a receipt's time": (receipted(7, received_at=FIRST - 3_000), {"receipt-signature", *ROOTS, *CALL}),
    "a receipt's signature": (receipted(7, signature=flip(bytes(64))), {"receipt-signature"}),
    "the credit that was free": (accepted(1, free=Nano(3_000 * 240_000 - 1)), {"collateral"}),
    "the order of the orders": (WORLD.with_book(0, orders=ORDERS[::-1]), {"sequence-order"}),
    "an order dropped": (WORLD.with_book(0, orders=ORDERS[:4] + ORDERS[5:]), {"sequence-gap"}),
    "an order doubled": (WORLD.with_book(0, orders=(*ORDERS, ORDERS[4])), {"order-twice", "sequence-order"}),
    "an order moved to another book": (
        WORLD.with_book(1, orders=(*WORLD.books[1].orders, ORDER)),
        {"order-twice", "order-session"},
    ),
    "a cancellation's signature": (cancelled(signature=flip(CANCELLATION.signature, 3)), {"cancellation-signature"}),
    "a cancellation's order": (cancelled(digest=flip(CANCELLATION.digest)), {"cancellation"}),
    "a cancellation's time": (cancelled(at=FIRST), {"cancellation"}),
    "a cancellation before the order": (cancelled(at=FIRST - 3_600), {"cancellation"}),
    "a cancellation dropped": (WORLD.with_book(0, cancellations=()), {*ROOTS, "clearing-trades"}),
    "a cancellation doubled": (WORLD.with_book(0, cancellations=BOOK.cancellations * 2), {"cancellation"}),
    "nobody left out": (cleared(excluded=()), {"admission", "clearing-trades"}),
    "left out for another reason": (cleared(excluded=((LEFT_OUT[0][0], "orders-voided"),)), {"excluded-wrongly"}),
    "left out for nothing": (cleared(excluded=(*LEFT_OUT, (ORDERS[4].digest, "not-authorised"))), {"excluded-wrongly"}),
    "a stranger left out": (cleared(excluded=(*LEFT_OUT, (bytes(32), "not-authorised"))), {"excluded-wrongly"}),
    "the hash of the parameters": (cleared(parameters=bytes(32)), {"parameters-hash", *CALL}),
    "the fee": (at_the_node(fee=Fee(constant=FEE + 1)), {"parameters-changed", "parameters-hash", "trade-fee"}),
    "a fee beyond any limit": (
        at_the_node(fee=Fee(constant=MAX_RATE), fee_cap=MAX_RATE),
        {"parameters-hash", "clearing-rate", "terms"},
    ),
    "a fee that is a share": (at_the_node(fee=Fee(ppm=1)), {"parameters-hash", "trade-fee"}),
    "the fee cap": (at_the_node(fee_cap=FEE), {"parameters-hash", "terms"}),
    "the lead": (marketed(lead=61), {"parameters-hash", "terms"}),
    "the mechanism": (
        marketed(mechanism=Mechanism.PAY_AS_BID),
        {"parameters-hash", "terms", "clearing-rate", "clearing-trades"},
    ),
    "the fee account": (at_the_node(fee_account=2), {"parameters-hash", "terms"}),
    "a node's mechanism": (
        at_the_node(mechanism=Mechanism.PAY_AS_BID),
        {"parameters-hash", "terms", "clearing-rate", "clearing-trades"},
    ),
    "an operator": (at_the_node(operator=AGENT.address), {"parameters-changed", "parameters-hash"}),
    "the chain of the book": (
        WORLD.with_book(0, parameters=OTHER_DOMAIN),
        {"wrong-domain", "parameters-hash", "order-digest"},
    ),
    "in whose turn it was cleared": (cleared(turn=WORLD.books[1].cleared.turn), {"sequence-order"}),
    "when it was cleared": (cleared(at=FIRST - 61), {"cleared-early"}),
    "the rate": (clearing(rate=MicroPerKwh(80_001)), {"clearing-rate"}),
    "the interval": (clearing(low=MicroPerKwh(1)), {"clearing-rate"}),
    "own energy": (clearing(own_uses=(replace(OWN, energy=Wh(OWN.energy + 1)),)), {"clearing-own-use"}),
    "own energy left out": (clearing(own_uses=()), {"clearing-own-use"}),
    "own energy twice": (clearing(own_uses=(OWN, OWN)), {"clearing-own-use"}),
    "own energy of nobody": (
        clearing(own_uses=(OWN, OwnUse(bid=bytes(32), offer=bytes(32), energy=Wh(1)))),
        {"clearing-own-use"},
    ),
    "a lapsed order": (clearing(lapsed=(ORDER.digest,)), {"clearing-lapsed"}),
    "a trade's energy": (traded(energy=Wh(TRADE.energy + 1)), {"clearing-trades", "trade-root", "totals", *CALL}),
    "a trade's rate": (
        traded(rate=MicroPerKwh(TRADE.rate - 50_000)),
        {"clearing-trades", "trade-beyond-limit", "trade-root", *CALL},
    ),
    "a trade's fee": (
        traded(fees=one_fee(MARKET.number, FEE + 1)),
        {"clearing-trades", "trade-fee", "trade-root", *CALL},
    ),
    "the node of a trade's fee": (
        traded(fees=one_fee(MARKET.number + 1, FEE)),
        {"clearing-trades", "trade-fee", "trade-root"},
    ),
    "what a node came to": (clearing(nodes=()), {"clearing-nodes"}),
    "an order held back": (
        clearing(held=(Held(order=ORDER.digest, node=MARKET.number, energy=Wh(1)),)),
        {"clearing-nodes"},
    ),
    "a trade's bid": (traded(bid=flip(TRADE.bid)), {"clearing-trades", "trade-unknown-order", "trade-root", *CALL}),
    "a trade's sides": (
        traded(bid=TRADE.offer, offer=TRADE.bid),
        {"clearing-trades", "trade-beyond-limit", "trade-root"},
    ),
    "a trade's impossible energy": (
        traded(energy=Wh(1 << 48)),
        {"clearing-trades", "trade-beyond-limit", "trade-root", *CALL},
    ),
    "a trade dropped": (clearing(trades=BOOK.cleared.clearing.trades[1:]), {"clearing-trades", "trade-root", *CALL}),
    "the order of the trades": (clearing(trades=BOOK.cleared.clearing.trades[::-1]), {"clearing-trades"}),
    "a book doubled": (replace(WORLD, books=(*WORLD.books, WORLD.books[2])), {"book-twice", "sequence-order"}),
    "a book dropped": (replace(WORLD, books=WORLD.books[:2]), {"unknown-on-chain"}),
    "a book in the middle dropped": (replace(WORLD, books=WORLD.books[::2]), {"unknown-on-chain", "sequence-gap"}),
    "the chain of the view": (WORLD.with_chain(chain_id=1), {"wrong-domain"}),
    "the order root on the chain": (logged(BatchSettled, order_root=bytes(32)), ROOTS),
    "the trade root on the chain": (logged(BatchSettled, trade_root=bytes(32)), {"trade-root"}),
    "the parameters on the chain": (logged(BatchSettled, parameters=bytes(32)), {"parameters-hash"}),
    "the parts on the chain": (logged(BatchSettled, parts=2), {"parts", "not-on-chain"}),
    "the energy on the chain": (logged(BatchSettled, energy=Wh(1)), {"totals"}),
    "the fees on the chain": (logged(BatchSettled, fee=Nano(1)), {"totals"}),
    "a session gone from the chain": (unlogged(BatchSettled), {"not-on-chain", "money"}),
    "a session twice on the chain": (logged_again(BatchSettled), {"twice-on-chain", "money"}),
    "a byte of the calldata": (sent(lambda calldata: flip(calldata, 500)), CALL),
    "another function's calldata": (sent(lambda calldata: b"\0" * 4 + calldata[4:]), {*CALL, "money"}),
    "a trade in the calldata": (sent(lambda calldata: flip(calldata, -17)), {*CALL, "money"}),
    "calldata gone": (WORLD.with_chain(calldata={}), {*CALL, "money"}),
    "settled too soon": (mined_at(FIRST - 61), {"settled-early"}),
    "settled too late": (mined_at(FIRST + 7_201), {"settled-late"}),
    "the period of the market": (logged(MarketOpened, period=1_800), {"terms"}),
    "the window of the market": (logged(MarketOpened, window=1), {"terms"}),
    "the market's promise of one rate": (logged(MarketOpened, uniform=False), {"terms"}),
    "the fee cap of the market": (logged(MarketOpened, fee_cap=MicroPerKwh(1)), {"terms"}),
    "no market": (unlogged(MarketOpened), {"terms", *CALL, "money"}),
    "a deposit": (logged(Deposited, amount=Nano(51_000_000_000)), {"money"}),
    "a deposit of nothing": (logged(Deposited, amount=Nano(-1)), {"chain-log", "money"}),
    "a withdrawal nobody asked for": (logged_again(Withdrawn), {"chain-log"}),
    "an asset of no account": (logged(AssetEnrolled, account=99), {"chain-log"}),
    "an account's credit": (
        WORLD.with_chain(credits={**WORLD.chain.credits, GRID: Nano(1)}),
        {"money", "conservation"},
    ),
    "an account nobody opened": (
        WORLD.with_chain(credits={**WORLD.chain.credits, 99: Nano(1)}),
        {"money", "conservation"},
    ),
    "the tokens held": (WORLD.with_chain(tokens_held=Nano(WORLD.chain.tokens_held - 1)), {"conservation"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_single_change_is_named(change):
    world, found = CHANGES[change]
    assert found <= codes(world), [str(finding) for finding in audit(world.books, world.chain)]


OF_OTHERS = {
    "book-malformed",
    "journal",
    "chain-record",
    "stored-fact",
    "stored-root",
    "stored-batch",
    "proof-leaf",
    "proof-path",
    "proof-order",
    "proof-receipt",
}
"""The kinds of finding that are not `audit`'s own."""


OF_TICKS = {"tick-time", "tick-missed", "tick-orders", "tick-clearing"}
"""These are tried where there are ticks: tests/settlement/test_audit_ticks.py."""

OF_FORECASTS = {"forecast"}
"""And these where forecasts bind: tests/settlement/test_audit_forecasts.py."""

OF_PROPOSALS = {"proposal-signature", "proposal-time", "proposer"}
"""And these where others propose clearings: tests/settlement/test_audit_proposals.py."""


def test_every_kind_of_finding_is_tried():
    tried = {code for _, found in (*CHANGES.values(), *LIES, *LIES_OF_THE_TREE) for code in found}
    assert tried == CODES.keys() - OF_OTHERS - OF_TICKS - OF_FORECASTS - OF_PROPOSALS


def test_an_honest_world_has_no_findings():
    assert audit(WORLD.books, WORLD.chain) == []


def test_the_order_of_the_books_does_not_matter():
    assert audit(WORLD.books[::-1], WORLD.chain) == []
    changed = CHANGES["a trade's rate"][0]
    assert audit(changed.books[::-1], changed.chain) == audit(changed.books, changed.chain)


def test_an_honest_world_whose_block_times_are_unknown_has_no_findings():
    assert audit(WORLD.books, replace(WORLD.chain, block_times={}, tokens_held=None)) == []


def test_every_finding_is_reported_and_not_the_first():
    world = CHANGES["a trade's rate"][0].with_chain(tokens_held=Nano(0))
    world = world.with_book(2, orders=())
    found = codes(world)
    assert {"trade-beyond-limit", "clearing-trades", "trade-root", "conservation", "trade-unknown-order"} <= found


def test_one_book_of_many_is_audited_by_itself():
    for book in WORLD.books:
        assert audit([book], WORLD.chain, whole=False) == []


def test_orders_of_sessions_that_are_not_cleared_yet_are_not_missed():
    world = replace(WORLD, books=WORLD.books[1:])
    missing = {one.receipt.sequence for one in ORDERS}
    assert "sequence-gap" not in codes(world, elsewhere=missing)
    assert "sequence-gap" in codes(world, elsewhere=missing - {4})


def test_a_session_that_can_still_be_settled_is_not_missed():
    world = CHANGES["a session gone from the chain"][0]
    window = FIRST + MARKET.window
    assert "not-on-chain" not in codes(world, now=window)
    assert "not-on-chain" in codes(world, now=window + 1)


def test_authority_that_ended_after_gate_closure_does_not_undo_what_was_agreed():
    chain = WORLD.chain
    block = len(chain.facts) + 1
    late = replace(chain.facts[-1], fact=delegation(FLAT, AGENT.address, FIRST, at=FIRST), block_number=block)
    times = {**chain.block_times, block: FIRST + 1}
    assert audit(WORLD.books, replace(chain, facts=(*chain.facts, late), block_times=times)) == []


def test_books_of_another_founding_are_named_and_each_judged_by_its_own_rules():
    other = replace(PARAMETERS, community="Sunnier Street")
    book = replace(WORLD.books[2], parameters=other, cleared=replace(WORLD.books[2].cleared, parameters=other.hash()))
    batch = seal(book)[0]
    facts = [
        replace(one, fact=settled(batch)) if getattr(one.fact, "session", None) == book.key.number else one
        for one in WORLD.chain.facts
    ]
    calldata = {**WORLD.chain.calldata, (book.key.number, 0): settle_calldata(batch)}
    chain = replace(WORLD.chain, facts=tuple(facts), calldata=calldata)
    found = audit((*WORLD.books[:2], book), chain)
    assert [(finding.code, finding.session) for finding in found] == [
        ("parameters-changed", earlier.key) for earlier in WORLD.books[:2]
    ]


NOTED = {("blind",), ("cleared", "at"), ("cleared", "turn"), ("cancellations", 0, "at")}
"""What the exchange notes for itself: a moment within the gate is as good as another, and a turn that no other has.

What hides the names of orders from matchers says nothing where nobody proposed anything.
"""


@pytest.mark.parametrize("index", range(3))
def test_a_published_book_with_anything_changed_is_malformed_or_has_findings(index):
    """Of the three books each is changed in another third of its places."""
    change_everything(index, every=3)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(3))
def test_a_published_book_with_anything_at_all_changed_is_malformed_or_has_findings(index):
    change_everything(index, every=1)


def change_everything(index, every):
    document = json.loads(json.dumps(WORLD.books[index].to_document()))
    assert book_from_document(document) == WORLD.books[index]
    tried = silent = 0
    for path, changed in islice(mutations(document), index % every, None, every):
        tried += 1
        try:
            book = book_from_document(changed)
        except OrderMalformed:
            continue
        if book == WORLD.books[index] or path in NOTED:
            continue
        if path[0] == "orders" and path[-1] == "free_nano":
            # more than was needed, and no more than the account had: the chain cannot tell how much was reserved
            silent += 1
            continue
        world = WORLD.with_book(
            index, **{name: getattr(book, name) for name, of in book.__dataclass_fields__.items() if of.init}
        )
        assert codes(world), path
    assert tried * every > 200
    assert silent <= 3 * len(WORLD.books[index].orders)


def test_a_finding_reads_as_a_sentence():
    finding = Finding("order-digest", SessionKey.of(MARKET.session(FIRST).number), "0x00", "something is wrong")
    assert str(finding) == f"order-digest: session 7-spot-{FIRST}: something is wrong (0x00)"
    assert finding.to_document() == {
        "code": "order-digest",
        "session": f"7-spot-{FIRST}",
        "subject": "0x00",
        "sentence": "something is wrong",
    }
    assert str(Finding("money", None, "", "something is wrong")) == "money: something is wrong"
