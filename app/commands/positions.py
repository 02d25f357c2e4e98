"""`merit asset positions`: what an asset is to draw and to feed in, slot by slot."""

from pathlib import Path

from app.client.client import MeritClient
from app.output import Output
from identity.address import parse_address
from identity.effects.keystore import read_key

_COLUMNS = ("bought_wh", "sold_wh", "own_taken_wh", "own_given_wh")


def run(url: str, asset: str, key_file: Path, *, begin: int, end: int | None, as_json: bool) -> None:
    """Print the positions of an asset over all products."""
    output, identity = Output(as_json=as_json), parse_address(asset)
    with MeritClient(url, read_key(key_file)) as client:
        found = client.positions(identity, begin, (1 << 40) - 1 if end is None else end)
    output.result(found)
    output.table(
        f"Positions of {found['asset']} by slots of {found['slot_seconds']} s (Wh)",
        ("slot", "account", "bought", "sold", "own taken", "own given"),
        [
            *(
                (str(each["slot"]), str(each["account"]), *(str(each[column]) for column in _COLUMNS))
                for each in found["positions"]
            ),
            ("all", "", *(str(found[column]) for column in _COLUMNS)),
        ],
    )
