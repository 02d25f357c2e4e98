"""The demo's day, for people and as a document: one table or paragraph for each thing there is to know."""

import re
from dataclasses import asdict
from typing import Any

from app.demo import Caught, Day, Registered
from app.demo_bills import Bill
from app.demo_figures import NodeDay
from app.output import Output
from app.verdict_view import show_verdict
from exchange.units import MicroPerKwh, Nano, Wh, in_cents, to_decimal

_HOUR = 3600
_LONG_NAME = re.compile("(0x[0-9a-fA-F]{4})[0-9a-fA-F]{32,}([0-9a-fA-F]{4})")


def show_day(day: Day, output: Output) -> None:
    """Print the day, from what happened to what an auditor catches."""
    _show_registered(day.registered, output)
    _show_tariffs(day, output)
    _show_bills(day.bills, output)
    if len(day.nodes) > 1:
        _show_nodes(day.nodes, output)
    _show_limits(day, output)
    _show_chain(day, output)
    output.text("")
    output.text("The audit: everything again, from the journal and the chain")
    show_verdict(output, day.verdict)
    for caught in day.caught:
        _show_caught(caught, output)


def day_document(day: Day) -> dict[str, Any]:
    """Return the day as plain values for JSON, energies in Wh and amounts in nano."""
    return {
        "registered": {
            "certified": day.registered.certified,
            "aggregated": list(day.registered.aggregated),
            "late_order": None if day.registered.late is None else asdict(day.registered.late),
        },
        "tariffs": [
            {"node": change.node, "fee_micro_per_kwh": change.fee, "set_at": change.at, "delivery_start": change.start}
            for change in day.changes
        ],
        "bills": [
            {
                "name": bill.name,
                "node": bill.node,
                "own_use_wh": bill.own_use,
                "bought_wh": bill.bought,
                "sold_wh": bill.sold,
                "paid_nano": bill.paid,
                "earned_nano": bill.earned,
                "bill_nano": bill.net,
                "without_market_nano": bill.without,
            }
            for bill in day.bills
        ],
        "nodes": [
            {
                "node": node.number,
                "name": node.name,
                "traded_wh": node.traded,
                "homes_bought_wh": node.bought,
                "imported_wh": node.imported,
                "exported_wh": node.exported,
                "fee_nano": node.fees,
                "held_wh": node.held,
                "full_sessions": node.full,
            }
            for node in day.nodes
        ],
        "without_limits": {
            "traded_wh": day.limits.energy,
            "gains_nano": day.limits.gains,
            **{f"{side}_nano": nano for side, nano in day.sides.items()},
        },
        "chain": {
            "sessions": day.chain.sessions,
            "trades": day.chain.trades,
            "energy_wh": day.chain.energy,
            "value_nano": day.chain.value,
            "fee_nano": day.chain.fees,
            "gas": day.chain.gas,
            "blocks": day.chain.blocks,
        },
        "audit": day.verdict.to_document(),
        "caught": [
            {
                "session": caught.session.number,
                "altered": caught.told,
                "findings": [finding.to_document() for finding in caught.findings],
            }
            for caught in day.caught
        ],
    }


def _show_registered(registered: Registered, output: Output) -> None:
    late = registered.late
    output.text("The registries")
    output.text(f"  {registered.certified} assets were certified, and enrolled for that")
    if registered.aggregated:
        output.text(f"  {', '.join(registered.aggregated)} let the aggregator trade for them")
    if late is None:
        return
    output.text(f"  {late.home} was sold at noon; an order the aggregator signed for it afterwards was refused")
    output.text(f"    by the exchange: {_short(late.by_exchange)}")
    output.text(f"    by the contract: {_short(late.by_contract)}")


def _show_tariffs(day: Day, output: Output) -> None:
    """Say which fees were changed, in hours after the first delivery."""
    if not day.changes:
        return
    output.text("")
    output.text("Fees that the grid operator changed, each signed and sent before the gate opened (EUR/kWh)")
    for name in dict.fromkeys(change.name for change in day.changes):
        steps = (
            f"{_rate(change.fee)} from {_hour(change.after_seconds)}" for change in day.changes if change.name == name
        )
        output.text(f"  {name}: {', '.join(steps)}")


def _show_bills(bills: tuple[Bill, ...], output: Output) -> None:
    rows = [_row(bill) for bill in bills]
    rows.append(_row(_sum([bill for bill in bills if bill.without is not None], "all homes")))
    output.text("")
    output.table(
        "Bills of the day (kWh, EUR; a bill below zero is money earned)",
        ["", "at", "own use", "bought", "sold", "paid", "earned", "bill", "without market", "better by"],
        rows,
        totals=1,
    )


def _show_nodes(nodes: tuple[NodeDay, ...], output: Output) -> None:
    bought = sum(node.bought for node in nodes)
    rows = [
        [
            "  " * node.depth + node.name,
            _kwh(node.traded),
            _kwh(node.bought),
            f"{per_unit(200 * node.bought + bought, 2 * bought)} %",
            _kwh(node.imported),
            _kwh(node.exported),
            _euro(node.fees),
        ]
        for node in nodes
    ]
    traded, fees = sum(node.traded for node in nodes), sum(node.fees for node in nodes)
    rows.append(["all", _kwh(Wh(traded)), _kwh(Wh(bought)), "", "", "", _euro(Nano(fees))])
    output.text("")
    output.table(
        "Where energy was traded, and what the nodes took (kWh, EUR)",
        ["", "traded here", "homes bought", "of all they bought", "brought in", "let out", "fees"],
        rows,
        totals=1,
    )


def _show_limits(day: Day, output: Output) -> None:
    full = [node for node in day.nodes if node.full]
    if not full:
        return
    output.text("")
    output.text("Where limits were used up")
    for node in full:
        periods = f"in {node.full} of {day.chain.sessions} delivery periods"
        output.text(f"  {node.name}: {periods}, and {_kwh(node.held)} kWh were held back")
    limits, sides = day.limits, day.sides
    output.text("What that cost: the same books, cleared again without limits")
    output.text(f"  {_kwh(limits.energy)} kWh more would have been traded, with gains of {_euro(limits.gains)} EUR")
    output.text(f"  more money on balance (EUR): {', '.join(f'{side} {_euro(sides[side])}' for side in sides)}")
    output.text("  The bills without market are under the same limits.")


def _show_chain(day: Day, output: Output) -> None:
    chain = day.chain
    output.text("")
    output.table(
        "On the chain",
        ["sessions", "trades", "energy kWh", "to sellers EUR", "fees EUR", "gas", "gas a trade", "blocks"],
        [
            [
                str(chain.sessions),
                str(chain.trades),
                _kwh(chain.energy),
                _euro(chain.value),
                _euro(chain.fees),
                f"{chain.gas:,}",
                f"{per_unit(chain.gas, chain.trades):,}",
                str(chain.blocks),
            ]
        ],
    )


def _show_caught(caught: Caught, output: Output) -> None:
    output.text("")
    output.text(f"What an auditor catches. In a copy of session {caught.session} {caught.told}:")
    for finding in caught.findings:
        output.text(f"  ✗ {finding.code}: {_short(finding.sentence)}")


def per_unit(total: int, count: int) -> int:
    """Return a whole average for display, rounded down; zero of nothing."""
    return total // count if count else 0


def _row(bill: Bill) -> list[str]:
    return [
        bill.name,
        bill.node,
        _kwh(bill.own_use),
        _kwh(bill.bought),
        _kwh(bill.sold),
        _euro(bill.paid),
        _euro(bill.earned),
        _euro(bill.net),
        "" if bill.without is None else _euro(bill.without),
        "" if bill.saved is None else _euro(bill.saved),
    ]


def _sum(bills: list[Bill], name: str) -> Bill:
    names = [field for field in Bill.__dataclass_fields__ if field not in {"name", "node"}]
    return Bill(name=name, node="", **{field: sum(getattr(bill, field) for bill in bills) for field in names})


def _kwh(energy: Wh) -> str:
    return to_decimal(energy, 3)


def _euro(amount: Nano) -> str:
    return to_decimal(in_cents(amount), 2)


def _rate(rate: MicroPerKwh) -> str:
    return to_decimal(rate, 6).rstrip("0").rstrip(".")


def _hour(seconds: int) -> str:
    return f"{seconds // _HOUR:02}:{seconds % _HOUR // 60:02}"


def _short(text: str) -> str:
    """Return a sentence with its long names cut short, for reading: the document has them whole."""
    return _LONG_NAME.sub(r"\1…\2", text)
