"""The orders of one book: signed, admitted, acknowledged, taken back and left out as the rules have it."""

from collections.abc import Iterator, Mapping, Sequence

from exchange.admission import check_gate, check_market, check_preferences, check_terms
from exchange.book import Book
from exchange.documents import hexed
from exchange.errors import OrderRejected
from exchange.events import OrderAccepted, OrderCancelled
from exchange.order import Side, cancellation_digest
from exchange.own_orders import home_for
from exchange.session_clearing import ENERGY_TYPE_CHANGED
from exchange.ticks import used_by
from identity.address import Address, to_text
from identity.claim_data import EnergyType
from identity.errors import AuthorityRefused, BadSignature
from identity.registry import Standing
from identity.signature import recover
from settlement.audit_ticks import used_up
from settlement.authority import Authority
from settlement.findings import Finding


def signers_of(book: Book) -> list[Address | None]:
    """Return who signed each order of the book; nobody where the signature is none."""
    separator = book.parameters.domain.separator()
    return [_signer(accepted.signed.order.digest(separator), accepted.signed.signature) for accepted in book.orders]


def check_orders(book: Book, signers: Sequence[Address | None], authority: Authority, index: int) -> Iterator[Finding]:
    """Yield what is wrong with the orders, receipts, cancellations and exclusions of the book at `index`."""
    separator = book.parameters.domain.separator()
    taken_back = {cancellation.digest: cancellation for cancellation in reversed(book.cancellations)}
    yield from _check_exclusions(book, taken_back)
    excluded = dict(book.cleared.excluded)
    matched = used_by(tick.clearing for tick in book.ticks)
    seen: set[bytes] = set()
    receipts: dict[tuple[bytes, bytes], Address | None] = {}
    for place, (accepted, signer) in enumerate(zip(book.orders, signers, strict=True)):
        yield from _check_names(book, accepted, separator, receipts)
        if accepted.digest in seen:
            yield _of(book, accepted, "order-twice", "the order stands in the book twice")
        seen.add(accepted.digest)
        if signer is None or signer != accepted.signer:
            yield _of(book, accepted, "order-signature", "the order was not signed by its signer")
        yield from _check_rules(book, accepted)
        if signer is not None:
            yield from _check_authority(
                book,
                accepted,
                signer,
                authority,
                authority.verdicts(index, place),
                cancelled=accepted.digest in taken_back and accepted.digest not in matched,
                excluded=excluded.get(accepted.digest),
            )
    yield from _check_own_crossing(book, taken_back)
    yield from _check_cancellations(book, authority, separator)


def check_collateral(book: Book, peaks: Mapping[int, int]) -> Iterator[Finding]:
    """Yield orders that cost more than the credit recorded as free, or whose account never held so much.

    `peaks` is the most that each account ever held: whatever the exchange had read of the chain, it was no more.
    """
    for accepted in book.orders:
        cost, free = accepted.signed.order.most_it_can_cost, accepted.free
        if cost > free:
            yield _of(book, accepted, "collateral", f"it can cost {cost} nano, and {free} nano were free")
        peak = peaks.get(accepted.account, 0)
        if free > peak:
            sentence = f"{free} nano are said to have been free, account {accepted.account} never held more than {peak}"
            yield _of(book, accepted, "collateral", sentence)


def _of(book: Book, what: OrderAccepted | OrderCancelled, code: str, sentence: str) -> Finding:
    return Finding(code, book.key, hexed(what.digest), sentence)


def _signer(digest: bytes, signature: bytes) -> Address | None:
    try:
        return recover(digest, signature)
    except BadSignature:
        return None


def _check_names(
    book: Book, accepted: OrderAccepted, separator: bytes, receipts: dict[tuple[bytes, bytes], Address | None]
) -> Iterator[Finding]:
    """Yield where an order is not what its name and its receipt say.

    `receipts` keeps who made a signature of receipts: many share one, and recovering is most of the work.
    """
    order, receipt = accepted.signed.order, accepted.receipt
    if order.session != book.key:
        yield _of(book, accepted, "order-session", f"the order is for session {order.session}")
    if accepted.digest != order.digest(separator):
        yield _of(book, accepted, "order-digest", "the order says something else than its name is the digest of")
    if receipt.order != accepted.digest:
        yield _of(book, accepted, "receipt-mismatch", f"its receipt is for order {hexed(receipt.order)}")
    said = receipt.digest(separator), receipt.signature
    if said not in receipts:
        receipts[said] = _signer(*said)
    if receipts[said] != book.parameters.receipts:
        yield _of(book, accepted, "receipt-signature", "its receipt was not signed by the exchange")


def _check_rules(book: Book, accepted: OrderAccepted) -> Iterator[Finding]:
    """Yield where the order breaks a rule that needs no registry."""
    try:
        check_preferences(accepted.signed, book.rules)
        check_market(accepted.signed.order, book.rules)
        check_terms(accepted.signed.order, book.rules, accepted.receipt.received_at)
    except OrderRejected as refusal:
        yield _of(book, accepted, "admission", f"it should have been refused as {refusal.code}: {refusal}")


def _check_authority(
    book: Book,
    accepted: OrderAccepted,
    signer: Address,
    authority: Authority,
    verdicts: Sequence[Standing | AuthorityRefused],
    *,
    cancelled: bool,
    excluded: str | None,
) -> Iterator[Finding]:
    refusals = [verdict for verdict in verdicts if isinstance(verdict, AuthorityRefused)]
    identity = accepted.signed.order.asset
    enrolled = authority.registry.asset_by_number(accepted.asset)
    if enrolled is None or (enrolled.identity, enrolled.account) != (identity, accepted.account):
        what = "nothing" if enrolled is None else f"asset {to_text(enrolled.identity)}, for account {enrolled.account}"
        sentence = f"number {accepted.asset} stands for {what}, not {to_text(identity)} for {accepted.account}"
        yield _of(book, accepted, "order-account", sentence)
    if cancelled or excluded is not None:
        # authority may have ended since the order was taken; that nobody ever had it is certain all the same
        if not authority.ever(identity, signer):
            yield _of(book, accepted, "admission", f"{to_text(signer)} could never act for its asset")
    elif len(refusals) == len(verdicts) > 0:
        refusal = refusals[0]
        yield _of(book, accepted, "admission", f"it should have been left out as {refusal.code}: {refusal}")
    if book.rules.preferences and not cancelled:
        yield from _check_known_by(book, accepted, authority, changed=excluded == ENERGY_TYPE_CHANGED)
        if excluded == ENERGY_TYPE_CHANGED:
            return
    if not book.rules.preferences and (accepted.holder, accepted.energy_type) != (b"", EnergyType.NONE):
        yield _of(book, accepted, "order-energy-type", "its holder or energy type is told where nobody may ask for it")
    if excluded is not None and not cancelled and excluded not in {refusal.code for refusal in refusals}:
        yield _of(book, accepted, "excluded-wrongly", f"it was left out as {excluded}, which does not hold")


def _check_known_by(book: Book, accepted: OrderAccepted, authority: Authority, *, changed: bool) -> Iterator[Finding]:
    """Yield where an order's holder or energy type is not what the chain says as of gate closure.

    `changed` says that the order was left out because its type is another by then.
    """
    account = authority.registry.accounts.get(accepted.account)
    known = authority.registry.energy_type(accepted.signed.order.asset, book.gate_closure)
    said = accepted.energy_type.name.lower()
    if (known is accepted.energy_type) is changed:
        sentence = f"it was taken as {said} energy, and is {known.name.lower()} energy"
        yield _of(book, accepted, "order-energy-type", sentence)
    if account is not None and bytes(account.holder) != accepted.holder:
        yield _of(book, accepted, "order-account", f"its holder is not 0x{accepted.holder.hex()}")


def _check_exclusions(book: Book, taken_back: dict[bytes, OrderCancelled]) -> Iterator[Finding]:
    orders = {accepted.digest for accepted in book.orders}
    matched = used_by(tick.clearing for tick in book.ticks)
    seen: set[bytes] = set()
    for digest, code in book.cleared.excluded:
        if digest not in orders or (digest in taken_back and digest not in matched) or digest in seen:
            sentence = f"no order that stood at gate closure is there to be left out as {code}"
            yield Finding("excluded-wrongly", book.key, hexed(digest), sentence)
        seen.add(digest)


def _check_own_crossing(book: Book, taken_back: dict[bytes, OrderCancelled]) -> Iterator[Finding]:
    """Yield orders that crossed an order of their own account that certainly still stood when they came."""
    rules, node_of, tree = book.rules, book.rules.node_of, book.rules.tree
    standing: dict[int, list[OrderAccepted]] = {}
    done = used_up(book)
    for accepted in sorted(book.orders, key=lambda accepted: accepted.receipt.sequence):
        order = accepted.signed.order
        earlier = standing.setdefault(accepted.account, [])
        for other in earlier:
            gone = taken_back.get(other.digest)
            if gone is not None and gone.at <= accepted.receipt.received_at:
                continue
            if other.digest in done and done[other.digest].upto < accepted.receipt.sequence:
                continue
            rest = other.signed.order
            at_home = home_for(rest, rules) == home_for(order, rules)
            if rest.side is order.side or at_home:
                continue
            bid, offer = (order, rest) if order.side is Side.BID else (rest, order)
            if tree.agree(bid.limit, offer.limit, node_of(offer.asset), node_of(bid.asset)):
                yield _of(book, accepted, "own-crossing", f"it crosses the account's own order {hexed(other.digest)}")
        earlier.append(accepted)


def _check_cancellations(book: Book, authority: Authority, separator: bytes) -> Iterator[Finding]:
    orders = {accepted.digest: accepted for accepted in book.orders}
    seen: set[bytes] = set()
    for cancellation in book.cancellations:
        accepted = orders.get(cancellation.digest)
        if accepted is None or cancellation.session != book.key:
            yield _of(book, cancellation, "cancellation", "it cancels no order of this book")
            continue
        if cancellation.digest in seen:
            yield _of(book, cancellation, "cancellation", "the order was cancelled before")
        seen.add(cancellation.digest)
        try:
            check_gate(book.market, book.key.delivery_start, cancellation.at)
        except OrderRejected as refusal:
            yield _of(book, cancellation, "cancellation", f"the order was cancelled outside the gate: {refusal}")
        if cancellation.at < accepted.receipt.received_at:
            yield _of(book, cancellation, "cancellation", "the order was cancelled before it was taken")
        signer = _signer(cancellation_digest(cancellation.digest, separator), cancellation.signature)
        if signer is None or not authority.ever(accepted.signed.order.asset, signer):
            yield _of(book, cancellation, "cancellation-signature", "nobody who could act for the asset cancelled it")
