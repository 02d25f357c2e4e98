"""Whatever is altered in what an exchange keeps, the audit names it: once as it was altered, and once with the hashes
of the journal made good by the forger.
"""

import json
import shutil

import pytest

from app.auditing import audit_folder, gather, judge
from app.clock import WallClock
from settlement.findings import CODES
from tests.e2e import tampering
from tests.e2e.tampering import first, flip, flip_hex
from tests.simulators.remembering_evm import RememberingEvm

# Alterations of entries: what is done to their documents, and the finding that names it whatever the hashes say.


def accepted(documents):
    return first(documents, "order-accepted", side="bid", energy_wh=310)


def cleared(documents):
    return next(d for d in documents if d["event"] == "session-cleared" and d["clearing"]["own_uses"])


def field(entry, *path, to):
    """Alter the value at the end of a path through an entry."""

    def change(documents):
        inside = entry(documents)
        for name in path[:-1]:
            inside = inside[name]
        inside[path[-1]] = to(inside[path[-1]])

    return change


def of(event):
    return lambda documents: first(documents, event)


def add(number):
    return lambda value: value + number


def dropped(event):
    def change(documents):
        documents.remove(first(documents, event))

    return change


def doubled(documents):
    documents.append(json.loads(json.dumps(accepted(documents))))


def cut_from_the_last_clearing(documents):
    last = max(index for index, document in enumerate(documents) if document["event"] == "session-cleared")
    del documents[last:]


ENTRIES = {
    "the energy of a trade": (field(cleared, "clearing", "trades", 0, "energy_wh", to=add(1)), "trade-root"),
    "the rate of a trade": (field(cleared, "clearing", "trades", 0, "rate_micro_per_kwh", to=add(1)), "trade-root"),
    "the fee of a trade": (
        field(cleared, "clearing", "trades", 0, "fees", 0, "rate_micro_per_kwh", to=add(1)),
        "trade-fee",
    ),
    "the bid of a trade": (field(cleared, "clearing", "trades", 0, "bid", to=flip_hex), "trade-unknown-order"),
    "the offer of a trade": (field(cleared, "clearing", "trades", 0, "offer", to=flip_hex), "trade-unknown-order"),
    "a trade left out": (field(cleared, "clearing", "trades", to=lambda trades: trades[1:]), "clearing-trades"),
    "the rate of a clearing": (field(cleared, "clearing", "rate_micro_per_kwh", to=add(1)), "clearing-rate"),
    "the interval of a clearing": (field(cleared, "clearing", "low_micro_per_kwh", to=add(-1)), "clearing-rate"),
    "own use": (field(cleared, "clearing", "own_uses", 0, "energy_wh", to=add(1)), "clearing-own-use"),
    "a lapsed order": (field(cleared, "clearing", "lapsed", to=lambda _: ["0x" + "11" * 32]), "clearing-lapsed"),
    "an order said to be excluded": (
        field(cleared, "excluded", to=lambda _: [["0x" + "11" * 32, "not-authorised"]]),
        "excluded-wrongly",
    ),
    "the parameters' hash of a clearing": (field(cleared, "parameters", to=flip_hex), "parameters-hash"),
    "when a session was cleared": (field(cleared, "at", to=add(-1)), "cleared-early"),
    "the session of a clearing": (field(cleared, "session", to=add(900)), "book-twice"),
    "an order's energy": (field(accepted, "order", "energy_wh", to=add(1)), "order-digest"),
    "an order's limit": (field(accepted, "order", "limit_micro_per_kwh", to=add(1)), "order-digest"),
    "an order's asset": (field(accepted, "order", "asset", to=flip_hex), "order-digest"),
    "an order's salt": (field(accepted, "order", "salt", to=add(1)), "order-digest"),
    "an order's validity": (field(accepted, "order", "valid_until", to=add(1)), "order-digest"),
    "an order's preferences": (field(accepted, "order", "preferences", to=flip_hex), "order-digest"),
    "an order's delivery": (field(accepted, "order", "delivery_start", to=add(900)), "order-digest"),
    "an order's side": (field(accepted, "order", "side", to=lambda _: "offer"), "order-digest"),
    "an order's signature": (field(accepted, "order", "signature", to=flip_hex), "order-signature"),
    "an order's digest": (field(accepted, "digest", to=flip_hex), "order-digest"),
    "an order's signer": (field(accepted, "signer", to=flip_hex), "order-signature"),
    "an order's account": (field(accepted, "account", to=add(1)), "order-account"),
    "an order's asset number": (field(accepted, "asset_number", to=add(1)), "order-account"),
    "the credit that was free": (field(accepted, "free_nano", to=lambda _: 1 << 60), "collateral"),
    "no credit for an order": (field(accepted, "free_nano", to=lambda _: 1), "collateral"),
    "the order a receipt is for": (field(accepted, "receipt", "order", to=flip_hex), "receipt-mismatch"),
    "a receipt's signature": (field(accepted, "receipt", "signature", to=flip_hex), "receipt-signature"),
    "a receipt's sequence": (field(accepted, "receipt", "sequence", to=add(1)), "sequence-order"),
    "a receipt's time": (field(accepted, "receipt", "received_at", to=add(1)), "receipt-signature"),
    "a cancellation's signature": (field(of("order-cancelled"), "signature", to=flip_hex), "cancellation-signature"),
    "a cancellation's order": (field(of("order-cancelled"), "digest", to=flip_hex), "cancellation"),
    "when an order was cancelled": (field(of("order-cancelled"), "at", to=add(86_400)), "cancellation"),
    "a cancellation left out": (dropped("order-cancelled"), "order-root"),
    "the community's name": (field(of("parameters-set"), "parameters", "community", to=str.upper), "parameters-hash"),
    "the fee in the parameters": (
        field(of("parameters-set"), "parameters", "nodes", 0, "fee_micro_per_kwh", to=add(-1)),
        "trade-fee",
    ),
    "the mechanism in the parameters": (
        field(of("parameters-set"), "parameters", "markets", 0, "mechanism", to=lambda _: "pay_as_bid"),
        "clearing-trades",
    ),
    "who signs receipts": (
        field(of("parameters-set"), "parameters", "receipts", to=lambda _: "0x" + "11" * 20),
        "receipt-signature",
    ),
    "an order that is no order any longer": (field(accepted, "order", "side", to=lambda _: "neither"), "journal"),
    "an order left out": (dropped("order-accepted"), "sequence-gap"),
    "an order entered twice": (doubled, "order-twice"),
    "everything since the last clearing": (cut_from_the_last_clearing, "unknown-on-chain"),
}

ONLY_BY_HASH = {
    "when the rules were set": field(of("parameters-set"), "at", to=add(1)),
    "when a gate was closed": field(of("gate-closed"), "at", to=add(1)),
    "when a session was noted as settled": field(of("session-settled"), "at", to=add(1)),
    "when a session was cleared, by a second": field(cleared, "at", to=add(1)),
    "the credit that was free, by a nano": field(accepted, "free_nano", to=add(-1)),
    "the last entry": lambda documents: documents.pop(),
}
"""Alterations of what only the journal says: they are seen because entries are linked by hashes."""


@pytest.fixture(autouse=True)
def quickly(request):
    """The day as it was is audited by executing it, alterations by what that gave."""
    if request.node.name != "test_the_day_as_it_was_is_sound":
        request.getfixturevalue("remembering")


@pytest.fixture(scope="module")
def found(played):
    """Return what names the findings in a folder whose recording of the chain is as it was."""
    evm = RememberingEvm.reopen(played.folder / "chain.jsonl", WallClock())

    def names(folder):
        return {finding.code for finding in judge(gather(folder), evm).findings}

    yield names
    evm.close()


def found_with_the_chain(folder):
    return {finding.code for finding in audit_folder(folder).findings}


def test_the_day_as_it_was_is_sound(played):
    verdict = audit_folder(played.folder)
    assert verdict.findings == ()
    assert (verdict.sessions, verdict.batches) == (8, 8)


def test_an_audit_changes_nothing_and_can_be_repeated(copy):
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert audit_folder(copy) == audit_folder(copy)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("altered", ENTRIES)
def test_an_altered_entry_is_named(found, copy, altered):
    change, code = ENTRIES[altered]
    tampering.rewrite(copy, change, forge=False)
    assert {code, "journal"} <= found(copy)


@pytest.mark.parametrize("altered", ENTRIES)
def test_an_altered_entry_is_named_although_all_hashes_were_made_good(found, copy, altered):
    change, code = ENTRIES[altered]
    tampering.rewrite(copy, change, forge=True)
    codes = found(copy)
    assert code in codes
    assert ("journal" in codes) == (code == "journal")


@pytest.mark.parametrize("altered", ONLY_BY_HASH)
def test_what_only_the_journal_says_is_held_by_its_hashes(found, copy, altered):
    tampering.rewrite(copy, ONLY_BY_HASH[altered], forge=False)
    assert found(copy) == {"journal"}


COLUMNS = {
    "an entry's hash": lambda folder: tampering.column(folder, "hash", flip),
    "an entry's link": lambda folder: tampering.column(folder, "previous", flip),
    "an entry's number": lambda folder: tampering.column(folder, "sequence", add(100_000)),
    "the head's hash": lambda folder: tampering.execute(folder / "journal.db", "UPDATE head SET hash = zeroblob(32)"),
    "the head's number": lambda folder: tampering.execute(
        folder / "journal.db", "UPDATE head SET sequence = sequence - 1"
    ),
    "an entry's body, which is a blob": lambda folder: tampering.column(folder, "body", lambda _: b"\xff\xfe"),
    "no head": lambda folder: tampering.execute(folder / "journal.db", "DELETE FROM head"),
    "no table": lambda folder: tampering.execute(folder / "journal.db", "DROP TABLE entries"),
    "no database": lambda folder: (folder / "journal.db").write_bytes(b"nothing of the kind" * 100),
}


@pytest.mark.parametrize("altered", COLUMNS)
def test_damage_to_the_journal_itself_is_named(found, copy, altered):
    COLUMNS[altered](copy)
    assert "journal" in found(copy)


STORE = {
    "an order root": ("batches", "order_root", flip, "stored-root"),
    "a trade root": ("batches", "trade_root", flip, "stored-root"),
    "the parameters' hash": ("batches", "parameters", flip, "stored-batch"),
    "calldata": ("batches", "calldata", flip, "stored-batch"),
    "the number of parts": ("batches", "parts", add(1), "stored-batch"),
    "the part": ("batches", "part", add(1), "stored-batch"),
    "the session": ("batches", "session", lambda session: str(int(session) + 1_000_000), "stored-batch"),
    "a state that is none": ("batches", "state", lambda _: "paid", "stored-batch"),
    "the transaction": ("batches", "tx_hash", flip, "stored-batch"),
    "the block": ("batches", "block_number", add(1), "stored-batch"),
    "the block's hash": ("batches", "block_hash", flip, "stored-batch"),
    "a fact": ("facts", "body", lambda body: body.replace('"account":2', '"account":3'), "stored-fact"),
    "a fact's kind": ("facts", "kind", lambda _: "Rain", "stored-batch"),
    "a fact that is no JSON": ("facts", "body", lambda _: "{", "stored-batch"),
    "a fact's transaction": ("facts", "tx_hash", flip, "stored-fact"),
    "a fact's calldata": ("facts", "calldata", flip, "stored-fact"),
    "a root in a fact": (
        "facts",
        "body",
        lambda body: json.dumps(json.loads(body) | {"order_root": "0x" + "11" * 32}),
        "stored-fact",
    ),
    "a block's hash as it was read": ("blocks", "hash", flip, "stored-fact"),
}
ROWS = {
    "calldata": "1",
    "a fact": "kind = 'Deposited'",
    "a block's hash as it was read": "number = (SELECT max(number) FROM blocks)",
}


@pytest.mark.parametrize("altered", STORE)
def test_an_altered_store_is_named(found, copy, altered):
    table, name, change, code = STORE[altered]
    where = "kind = 'BatchSettled'" if altered in ("a fact's calldata", "a root in a fact") else ROWS.get(altered, "1")
    tampering.execute(copy / "settlement.db", "PRAGMA foreign_keys = OFF")
    tampering.stored(copy, table, name, change, where)
    assert found(copy) == {code} | ({"stored-root"} & found(copy))


def test_a_store_that_is_no_database_is_named(found, copy):
    (copy / "settlement.db").write_bytes(b"nothing of the kind" * 100)
    assert found(copy) == {"stored-batch"}


def test_a_store_of_a_later_version_is_named(found, copy):
    tampering.later_version(copy / "settlement.db")
    assert found(copy) == {"stored-batch"}


def test_a_journal_that_was_taken_away_leaves_sessions_without_books(found, copy):
    (copy / "journal.db").unlink()
    assert "unknown-on-chain" in found(copy)


def line_start(path, number):
    """Where a line of a file begins; lines are numbered from 1."""
    return len(b"\n".join(path.read_bytes().split(b"\n")[: number - 1])) + 1


RECORDING = {
    "a digit of a transaction": lambda path: path.read_bytes().index(b'"transactions":["') + 200,
    "the hash of a block": lambda path: path.read_bytes().index(b'"hash":"', line_start(path, 9)) + 12,
    "the time of a block": lambda path: path.read_bytes().index(b'"timestamp":', line_start(path, 9)) + 20,
    "the number of a block": lambda path: path.read_bytes().index(b'"number":', line_start(path, 9)) + 9,
    "a bracket": lambda path: line_start(path, 5),
    "the genesis": lambda path: path.read_bytes().index(b'"genesis_time":') + 18,
}


@pytest.mark.parametrize("altered", RECORDING)
def test_an_altered_recording_of_the_chain_is_named(copy, altered):
    recording = copy / "chain.jsonl"
    tampering.overwrite(recording, RECORDING[altered](recording), lambda byte: byte ^ 1)
    verdict = audit_folder(copy)
    assert [finding.code for finding in verdict.findings] == ["chain-record"]
    assert verdict.blocks == 0


def test_a_line_left_out_of_the_recording_is_named(copy):
    recording = copy / "chain.jsonl"
    lines = recording.read_text().splitlines(keepends=True)
    recording.write_text("".join(lines[:9] + lines[10:]))
    assert found_with_the_chain(copy) == {"chain-record"}


def test_the_last_block_left_out_of_the_recording_is_missed(copy):
    recording = copy / "chain.jsonl"
    recording.write_text("".join(recording.read_text().splitlines(keepends=True)[:-1]))
    assert {"not-on-chain", "stored-fact", "stored-batch"} <= found_with_the_chain(copy)


def test_a_damaged_recording_does_not_hide_what_the_files_say(copy):
    tampering.overwrite(copy / "chain.jsonl", 1, lambda _: 0)
    tampering.stored(copy, "batches", "trade_root", flip)
    tampering.rewrite(copy, ENTRIES["an order's energy"][0], forge=False)
    assert {"chain-record", "stored-root", "journal"} <= found_with_the_chain(copy)


# Through the command line, and through an export


def test_the_command_line_says_which_and_ends_with_4(merit, copy):
    tampering.rewrite(copy, ENTRIES["the energy of a trade"][0], forge=True)
    ended = merit("audit", copy)
    assert ended.code == 4
    assert "trade-root: session 7-spot-" in ended.out
    assert "NOT SOUND" in ended.out
    assert ended.err.endswith("findings\n")


def test_the_command_line_lists_findings_as_json(merit, copy):
    tampering.rewrite(copy, ENTRIES["an order's signature"][0], forge=False)
    ended = merit("audit", copy, "--json")
    assert ended.code == 4
    assert ended.document["sound"] is False
    listed = {finding["code"] for finding in ended.document["findings"]}
    assert {"order-signature", "journal"} <= listed <= CODES.keys()
    assert {*ended.document["findings"][0]} == {"code", "session", "subject", "sentence"}


def test_a_damaged_recording_ends_with_4(merit, copy):
    tampering.overwrite(copy / "chain.jsonl", 1, lambda _: 0)
    ended = merit("audit", copy)
    assert (ended.code, "chain-record" in ended.out) == (4, True)


@pytest.fixture
def export(merit, played, tmp_path):
    assert merit("export", played.folder, tmp_path / "export").code == 0
    return tmp_path / "export"


def test_an_export_is_sound_and_names_nobody(merit, export, played):
    assert merit("audit", export).code == 0
    everything = "".join(path.read_text() for path in export.rglob("*") if path.is_file())
    names = [member.name for member in played.founded.members if member.name not in ("village", "utility")]
    assert names
    assert not [name for name in names if name in everything]


BOOK = {
    "a limit": (lambda book: book["orders"][0]["order"].update(limit_micro_per_kwh=1), "order-digest"),
    "a trade": (lambda book: book["cleared"]["clearing"]["trades"][0].update(energy_wh=1), "trade-root"),
    "a missing field": (lambda book: book.pop("orders"), "book-malformed"),
    "a surplus field": (lambda book: book.update(rain=1), "book-malformed"),
}


@pytest.mark.parametrize("altered", BOOK)
def test_an_altered_book_of_an_export_is_named(found, export, altered):
    change, code = BOOK[altered]
    path = sorted((export / "books").glob("*.json"))[2]
    book = json.loads(path.read_text())
    change(book)
    path.write_text(json.dumps(book))
    assert code in found(export)


def test_a_book_left_out_of_an_export_is_missed(merit, export):
    sorted((export / "books").glob("*.json"))[3].unlink()
    ended = merit("audit", export, "--json")
    assert ended.code == 4
    assert {"unknown-on-chain", "sequence-gap"} <= {finding["code"] for finding in ended.document["findings"]}


def test_an_export_does_not_write_over_anything(merit, export, played):
    before = sorted(path.name for path in export.iterdir())
    assert merit("export", played.folder, export).code == 3
    assert sorted(path.name for path in export.iterdir()) == before


def test_an_exchange_file_that_is_damaged_cannot_be_audited(merit, copy):
    shutil.copyfile(copy / "journal.db", copy / "exchange.json")
    assert merit("audit", copy).code == 3
