"""Files that people write: readings as CSV, prices as CSV, rules as TOML."""

import pytest

from app.imbalance import read_imbalance_rules, read_prices
from app.meter_file import read_meter_file
from exchange.units import MicroPerKwh
from identity.address import to_text
from settlement.imbalance import Prices
from settlement.imbalance_rules import Estimate
from settlement.metering_errors import ReadingMalformed, RegisterFellBack, RulesMalformed
from tests.settlement.metered_street import FLAT, ROOF, SLOT, START
from tests.settlement.world import FEES, PARAMETERS

A, B = to_text(FLAT), to_text(ROOF)


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "written"
        path.write_text(text)
        return path

    return write


def readings(path, **more):
    return [
        (to_text(one.reading.asset), one.reading.start, one.reading.net, one.reading.version, one.estimated)
        for one in read_meter_file(path, SLOT, **more)
    ]


def test_deltas_are_read_line_by_line(written):
    assert readings(written(f"asset,start,net_wh\n{A},{START},-500\n\n{B},{START},70\n")) == [
        (A, START, -500, 1, False),
        (B, START, 70, 1, False),
    ]
    assert readings(written(f"asset,start,net_wh,version\n{A},{START},-500,3\n")) == [(A, START, -500, 3, False)]


def test_registers_become_deltas_by_asset_and_gaps_are_marked(written):
    lines = [f"{A},{START},1000,0", f"{B},{START},0,9", f"{A},{START + SLOT},1200,50", f"{B},{START + 2 * SLOT},0,12"]
    path = written("asset,at,drawn_wh,fed_in_wh\n" + "\n".join(lines) + "\n")
    assert sorted(readings(path, version=2)) == sorted(
        [(A, START, -150, 2, False), (B, START, 2, 2, True), (B, START + SLOT, 1, 2, True)]
    )


def test_a_register_that_fell_is_refused_unless_it_rolls_over(written):
    path = written(f"asset,at,drawn_wh,fed_in_wh\n{A},{START},990,0\n{A},{START + SLOT},10,0\n")
    with pytest.raises(RegisterFellBack):
        readings(path)
    assert readings(path, rolls_over_at=1_000) == [(A, START, -20, 1, False)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "asset,start\n",
        "start,asset,net_wh\n",
        f"asset,start,net_wh\n{A},{START}\n",
        f"asset,start,net_wh\n{A},{START},1.5\n",
        f"asset,start,net_wh\n0x12,{START},1\n",
        f"asset,start,net_wh\n{A},-1,1\n",
        f"asset,start,net_wh,version\n{A},{START},1,0\n",
        f"asset,at,drawn_wh,fed_in_wh\n{A},{START},1\n",
        f"asset,at,drawn_wh,fed_in_wh\n{A},-900,0,0\n{A},0,1,0\n",
    ],
)
def test_a_file_of_another_form_is_refused(written, text):
    with pytest.raises(ReadingMalformed):
        readings(written(text))


COLUMNS = "start,short_micro_per_kwh,long_micro_per_kwh\n"


def test_prices_are_read_by_slot(written):
    assert read_prices(written(f"{COLUMNS}{START},400000,-5\n{START},400000,-5\n")) == {
        START: Prices(MicroPerKwh(400_000), MicroPerKwh(-5))
    }


@pytest.mark.parametrize(
    "text",
    ["start,price\n", f"{COLUMNS}1,2\n", f"{COLUMNS}1,2,x\n", f"{COLUMNS}1,{1 << 47},3\n", f"{COLUMNS}1,2,3\n1,2,4\n"],
)
def test_prices_of_another_form_are_refused(written, text):
    with pytest.raises(RulesMalformed):
        read_prices(written(text))


def test_without_a_file_nothing_is_charged_and_the_root_is_the_counterpart(tmp_path):
    rules = read_imbalance_rules(tmp_path / "imbalance.toml", PARAMETERS)
    assert (rules.counterpart, rules.slot, rules.prices) == (FEES, SLOT, Prices(MicroPerKwh(0), MicroPerKwh(0)))


def test_rules_are_read_from_toml(written):
    text = f"""
        short_micro_per_kwh = 400_000
        long_micro_per_kwh = 50_000
        tolerance_ppm = 50_000
        estimate = "last-week"
        counterpart = 3
        responsible = [{{ account = 7, charged = 9 }}]

        [[virtual]]
        asset = "{A}"
        main = "{B}"
        known = []
    """
    rules = read_imbalance_rules(written(text), PARAMETERS)
    assert (rules.counterpart, rules.estimate, rules.responsible) == (3, Estimate.LAST_WEEK, ((7, 9),))
    assert (rules.prices.short, rules.band.ppm, rules.virtual[0][1].main) == (400_000, 50_000, ROOF)


@pytest.mark.parametrize("text", ["not toml", "prices = 1", "slot_seconds = 60"])
def test_rules_of_another_form_are_refused(written, text):
    with pytest.raises(RulesMalformed):
        read_imbalance_rules(written(text), PARAMETERS)
