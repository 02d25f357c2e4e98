"""The gas of claims, disputes and imbalance; `python -m tests.contracts.imbalance_gas` rewrites `imbalance_gas.json`.

Of a whole transaction, like the gas of everything else. Every leaf of a settled claim is charged, in an account of its
own that was used before; half of them pay, half of them are paid.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from tests.contracts.machine import PyEvm
from tests.contracts.metered import COUNTERPART, Claim, Metered, member_of, street
from tests.contracts.town import PERIOD, START, Town

PATH = Path(__file__).with_name("imbalance_gas.json")
FORKS = ("London", "Prague")
QUICK, ALL = (1, 10), (1, 10, 100, 500)
DEPTH = 10
METER = "the meter"


def take(fork: str, sizes: Sequence[int]) -> dict[str, int]:
    """All gas on the rules of that fork."""
    metered = street(Town(PyEvm(fork)), max(sizes))
    town = metered.town
    metered.name_meter(member_of(0), member_of(0), METER)
    town.open_market(2)
    found = {"open_imbalance": metered.open(2).gas}
    members = town.accounts[COUNTERPART], town.accounts[member_of(0)], town.machine.now
    found["answer_for"] = metered.imbalance.send(COUNTERPART, "answer_for", *members).gas
    start = START + 20 * PERIOD  # so late that the time before does not show, while the assets are still current
    settled(metered, 1, start)  # from now on the account of bonds is used, too
    start += 10 * PERIOD
    town.move_to(start + PERIOD)
    leaf = metered.leaf(member_of(0), -700)
    others = [leaf.but(asset=2**16 + other) for other in range(2**DEPTH - 1)]
    claim = metered.claim(metered.claim_of([leaf, *others], start=start))
    found["claim"] = metered.last_gas
    reading = metered.reading(member_of(0), -500, meter=METER, start=start)
    found[f"dispute, {DEPTH} levels"] = metered.dispute(claim, leaf, reading, account=member_of(0)).gas
    for size in sizes:
        start += 10 * PERIOD
        found[f"settle_imbalance, {size} accounts"] = settled(metered, size, start)
    return found


def settled(metered: Metered, size: int, start: int) -> int:
    """Claim and settle; gas of the latter."""
    town = metered.town
    town.move_to(start + PERIOD)
    leaves = [metered.leaf(member_of(number), 700 if number % 2 else -700) for number in range(size)]
    claim: Claim = metered.claim(metered.claim_of(leaves, start=start))
    metered.wait_for_the_window(claim)
    return metered.settle(claim, {leaf.asset: claim.full(leaf) for leaf in leaves}).gas


def main() -> None:
    snapshot = {fork: take(fork, ALL) for fork in FORKS}
    PATH.write_text(json.dumps(snapshot, indent=1) + "\n", encoding="utf-8")
    print(PATH.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
