"""An audit's verdict, for people."""

from app.auditing import Verdict
from app.output import Output
from exchange.units import to_decimal

_KWH_PLACES = 3


def show_verdict(output: Output, verdict: Verdict) -> None:
    """Print what was checked, and every finding."""
    output.text(
        f"checked {verdict.sessions} sessions, {verdict.orders} orders, {verdict.trades} trades, "
        f"{to_decimal(verdict.energy_wh, _KWH_PLACES)} kWh, {verdict.batches} batches in {verdict.blocks} blocks"
    )
    for finding in verdict.findings:
        output.text(f"  ✗ {finding}")
    output.text("sound: nothing was found" if verdict.sound else f"NOT SOUND: {len(verdict.findings)} findings")
