"""A founding that is cut short at any instant goes on where it was, and does nothing twice."""

from contextlib import closing

import pytest

from app.clock import SetClock
from app.community import CommunityRefused, read_community
from app.founding import ExchangeFileUnusable, Founded, Keys, found
from app.founding_here import found_here
from app.output import Output
from app.wiring import Places
from contracts.errors import DamagedRecord, RecordInUse, UndertakingDiffers
from contracts.local_evm import LocalEvm
from contracts.sent_log import SentLog
from contracts.transacting import transact
from identity.address import Address
from identity.signature import address_of
from settlement.effects.settlement_contract import SettlementContract
from tests.e2e.day import FIRST, VILLAGE
from tests.simulators.crash import Crash, Crashing, CrashPlan

GENESIS = FIRST - 7_200
COMMUNITY = read_community(VILLAGE)
KEYS = Keys.devnet()

pytestmark = pytest.mark.usefixtures("remembering")  # the same founding again and again


def go_on(path, evm, plan, **options):
    """One life of the process that founds: it dies as planned, or is done."""
    with closing(SentLog(path)) as sent:
        return found(Crashing(evm, {"send_raw"}, plan), options.pop("community", COMMUNITY), KEYS, sent=sent, **options)


@pytest.mark.parametrize("after", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["before", "after"])
def test_a_founding_that_dies_at_every_transaction_sends_each_once(tmp_path, after):
    clock = SetClock(GENESIS)
    evm, lives, sent_in_a_life = LocalEvm(clock, genesis_time=GENESIS), 0, 0 if after else 1
    whole = LocalEvm(clock, genesis_time=GENESIS)
    found(whole, COMMUNITY, KEYS)
    while True:
        plan, lives = CrashPlan(sent_in_a_life, after=after), lives + 1
        try:
            founded = go_on(tmp_path / "founding.jsonl", evm, plan)
            break
        except Crash:
            continue
    transactions = evm.head().number
    assert transactions == whole.head().number
    assert lives >= transactions
    contract = SettlementContract(evm, Address(founded.deployment.settlement))
    assert contract.account_count() == len(founded.members)
    assert contract.asset_count() == sum(len(member.assets) for member in founded.members)
    assert go_on(tmp_path / "founding.jsonl", evm, CrashPlan(-1, after=False)) == founded
    assert evm.head().number == transactions


def test_a_founding_does_not_go_on_as_another(tmp_path):
    clock = SetClock(GENESIS)
    evm, path = LocalEvm(clock, genesis_time=GENESIS), tmp_path / "founding.jsonl"
    with pytest.raises(Crash):
        go_on(path, evm, CrashPlan(45, after=True))
    head = evm.head()
    with pytest.raises(UndertakingDiffers, match="transaction 1 would be another one"):
        go_on(path, evm, CrashPlan(-1, after=False), token=Address(b"\1" * 20))
    richer = COMMUNITY.model_copy(update={"homes": tuple(reversed(COMMUNITY.homes))})
    with pytest.raises(UndertakingDiffers) as differs:
        go_on(path, evm, CrashPlan(-1, after=False), community=richer)
    assert differs.value.step > 5
    assert evm.head() == head, "nothing was sent"


def test_what_was_signed_for_a_nonce_that_another_took_is_signed_anew(tmp_path):
    clock = SetClock(GENESIS)
    evm, path = LocalEvm(clock, genesis_time=GENESIS), tmp_path / "founding.jsonl"
    with pytest.raises(Crash):
        go_on(path, evm, CrashPlan(3, after=False))
    transact(evm, KEYS.admin, address_of(KEYS.guardian), b"")
    founded = go_on(path, evm, CrashPlan(-1, after=False))
    assert SettlementContract(evm, Address(founded.deployment.settlement)).account_count() == len(founded.members)


def test_a_line_that_was_cut_off_was_not_sent_and_any_other_is_damage(tmp_path):
    clock = SetClock(GENESIS)
    evm, path = LocalEvm(clock, genesis_time=GENESIS), tmp_path / "founding.jsonl"
    with pytest.raises(Crash):
        go_on(path, evm, CrashPlan(3, after=False))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with closing(SentLog(path)) as sent:
        assert len(sent) == 3
        with pytest.raises(RecordInUse):
            SentLog(path)
    for damaged in (b"{}\n" + whole, whole.replace(b'"raw": "0x', b'"raw": "', 1), b"\n" + whole):
        path.write_bytes(damaged)
        with pytest.raises(DamagedRecord, match="line 1"):
            SentLog(path)
    path.write_bytes(whole)
    assert go_on(path, evm, CrashPlan(-1, after=False)).parameters.community == COMMUNITY.community.name


SILENT = Output(as_json=False)


def cut_short(places, clock):
    """What a process leaves behind that was killed while it founded."""
    with closing(LocalEvm(clock, genesis_time=GENESIS, record=places.chain)) as evm, pytest.raises(Crash):
        go_on(places.founding, evm, CrashPlan(9, after=False))


def test_a_folder_in_which_a_founding_was_cut_short_is_gone_on_with(tmp_path, capsys):
    clock, places = SetClock(GENESIS), Places(tmp_path)
    cut_short(places, clock)
    founded, evm = found_here(places, COMMUNITY, clock, SILENT)
    with closing(evm):
        assert "going on with a founding that was cut short here: 10 transactions" in capsys.readouterr().err
        assert Founded.read(places.exchange) == founded
        contract = SettlementContract(evm, Address(founded.deployment.settlement))
        assert contract.account_count() == len(founded.members), "what was sent before was not sent again"
    assert not places.founding.exists()


def test_a_folder_in_which_nothing_was_sent_yet_is_begun_in_anew(tmp_path):
    clock, places = SetClock(GENESIS), Places(tmp_path)
    places.founding.touch()
    places.chain.write_text('{"cut off')
    founded, evm = found_here(places, COMMUNITY, clock, SILENT)
    with closing(evm):
        assert Founded.read(places.exchange) == founded


def test_a_founding_whose_chain_is_gone_is_refused(tmp_path):
    clock, places = SetClock(GENESIS), Places(tmp_path)
    cut_short(places, clock)
    places.chain.unlink()
    with pytest.raises(ExchangeFileUnusable, match="begin in an empty folder"):
        found_here(places, COMMUNITY, clock, SILENT)
    assert places.founding.exists()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(ExchangeFileUnusable, match="but something else"):
        found_here(Places(tmp_path), COMMUNITY, SetClock(GENESIS), SILENT)
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]


def test_where_nothing_was_sent_nothing_is_left_behind(tmp_path):
    refused = COMMUNITY.model_copy(update={"community": COMMUNITY.community.model_copy(update={"market_id": 32})})
    with pytest.raises(CommunityRefused):
        found_here(Places(tmp_path / "new"), refused, SetClock(GENESIS), SILENT)
    assert not (tmp_path / "new").exists()
