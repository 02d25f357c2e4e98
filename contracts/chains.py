"""How each chain is treated: transaction type, finality, fees, gas, and where people look at it.

A preset is a careful starting point, not a promise: chains change. A TOML file overrides it, key by key:

    [chain.246]
    confirmations = 12
    max_fee_cap_wei = 20_000_000_000
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from contracts.errors import ChainSettingsRefused, FeeAboveCap

_GWEI = 10**9
_MOST = 1 << 63

MAX_TRANSACTION_GAS = 1 << 24
"""The most gas a transaction may use where EIP-7825 holds; kept everywhere, so that one build serves all chains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainPreset:
    """How one chain is treated. Fees are in wei per gas.

    `legacy` chains take no EIP-1559 transactions. A block counts as lasting when `confirmations` lie on top of it. A
    transaction tips `priority_floor_wei` at least, leaves room for the base fee to grow `base_fee_multiplier` times,
    and never offers more than `max_fee_cap_wei`; one that waits `patience_seconds` is replaced by one that offers
    `bump_percent` more. At most `most_in_flight` wait at once. None uses more than `gas_cap` gas, nor more than
    `block_gas_share` percent of a block. A chain `on_demand` mines only when something is sent to it, and is sent
    something where a block is waited for. `explorer` is a link with `{tx}` in place of the transaction. On a `play`
    chain public keys do no harm.
    """

    name: str
    chain_id: int
    legacy: bool = False
    confirmations: int = 12
    priority_floor_wei: int = 0
    base_fee_multiplier: int = 2
    max_fee_cap_wei: int = 500 * _GWEI
    bump_percent: int = 13
    patience_seconds: int = 60
    most_in_flight: int = 16
    gas_cap: int = MAX_TRANSACTION_GAS
    block_gas_share: int = 50
    on_demand: bool = False
    explorer: str | None = None
    play: bool = False

    def __post_init__(self) -> None:
        """Raise `ValueError` where a setting makes no sense."""
        for name, least, most in (
            ("chain_id", 1, _MOST),
            ("confirmations", 0, 100_000),
            ("priority_floor_wei", 0, self.max_fee_cap_wei),
            ("base_fee_multiplier", 1, 100),
            ("max_fee_cap_wei", 1, _MOST),
            ("bump_percent", 13, 1_000),  # some nodes want 12.5 % to replace a transaction
            ("patience_seconds", 1, 86_400),
            ("most_in_flight", 1, 1_000),
            ("gas_cap", 21_000, 1 << 40),
            ("block_gas_share", 1, 100),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise ValueError(f"{name} is {value}, which is not between {least} and {most}")
        if self.explorer is not None and not self.explorer.startswith(("https://", "http://")):
            raise ValueError("explorer is no link")
        if self.explorer is not None and self.explorer.count("{tx}") != 1:
            raise ValueError("explorer does not say once where the transaction stands: {tx}")

    def link(self, tx_hash: bytes) -> str | None:
        """Return where people can look at a transaction, or None where nobody shows this chain."""
        return None if self.explorer is None else self.explorer.replace("{tx}", "0x" + tx_hash.hex())

    def gas_cap_where(self, block_gas: int) -> int:
        """Return the most gas one transaction may use where a block holds `block_gas`."""
        return min(self.gas_cap, block_gas * self.block_gas_share // 100)

    def fee(self, *, base_fee: int, tip: int, gas_price: int) -> tuple[int, int]:
        """Return what to offer now, (all, tip): `tip` and `gas_price` are what the node suggests.

        On a legacy chain all is the gas price. Raises `FeeAboveCap` where the cap would not even pay for this block.
        """
        if self.legacy:
            needed = max(gas_price, self.priority_floor_wei)
            wanted = needed
        else:
            tip = max(tip, self.priority_floor_wei)
            needed = base_fee + tip
            wanted = self.base_fee_multiplier * base_fee + tip
        if needed > self.max_fee_cap_wei:
            raise FeeAboveCap(needed, self.max_fee_cap_wei)
        return min(wanted, self.max_fee_cap_wei), tip


_PLAY = ChainPreset(name="play", chain_id=1, confirmations=0, block_gas_share=100, on_demand=True, play=True)

PRESETS = (
    replace(_PLAY, name="local", chain_id=1337),
    replace(_PLAY, name="eth-tester", chain_id=131_277_322_940_537),
    replace(_PLAY, name="anvil", chain_id=31_337, patience_seconds=15),
    # blocks every 5 s by authorities in turn, final when most of them have built on top
    ChainPreset(
        name="energy-web-chain",
        chain_id=246,
        confirmations=30,
        priority_floor_wei=_GWEI // 100,
        max_fee_cap_wei=50 * _GWEI,
        block_gas_share=80,
        explorer="https://explorer.energyweb.org/tx/{tx}",
    ),
    ChainPreset(
        name="volta",
        chain_id=73_799,
        confirmations=12,
        priority_floor_wei=_GWEI // 100,
        max_fee_cap_wei=50 * _GWEI,
        block_gas_share=80,
        explorer="https://volta-explorer.energyweb.org/tx/{tx}",
    ),
    # blocks every 6 s, final with the relay chain's some blocks later; the base fee never falls below 31.25 gwei
    ChainPreset(name="moonbeam", chain_id=1284, confirmations=12, explorer="https://moonbeam.moonscan.io/tx/{tx}"),
)
"""The chains this house knows."""


def preset_of(chain_id: int) -> ChainPreset:
    """Return the preset of a chain; for one nobody here knows, a careful one."""
    known = next((preset for preset in PRESETS if preset.chain_id == chain_id), None)
    return ChainPreset(name=f"chain-{chain_id}", chain_id=chain_id) if known is None else known


def read_overrides(path: Path) -> dict[int, ChainPreset]:
    """Read a file of chain settings: each `[chain.<id>]` changes the preset of that chain, key by key.

    Raises `ChainSettingsRefused` with the place of the mistake.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ChainSettingsRefused(str(path), error.strerror or "cannot be read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ChainSettingsRefused(str(path), str(error)) from error
    tables = document.get("chain", {})
    if document.keys() - {"chain"} or not isinstance(tables, dict):
        raise ChainSettingsRefused(str(path), "it holds something else than [chain.<id>] tables")
    return {preset.chain_id: preset for preset in (_overridden(path, *item) for item in tables.items())}


_TEXTS, _FLAGS = {"name", "explorer"}, {"legacy", "on_demand", "play"}
_KINDS: Mapping[str, type] = {
    field.name: str if field.name in _TEXTS else bool if field.name in _FLAGS else int
    for field in fields(ChainPreset)
    if field.name != "chain_id"
}


def _overridden(path: Path, key: str, settings: Any) -> ChainPreset:
    """Return the preset of chain `key` with `settings` in place of its own."""
    place = f"{path}, chain.{key}"
    if not (key.isascii() and key.isdigit() and len(key) < 20 and isinstance(settings, dict)):
        raise ChainSettingsRefused(place, "a table is named for a chain id")
    unknown = sorted(settings.keys() - _KINDS.keys())
    if unknown:
        raise ChainSettingsRefused(place, f"no setting is called {', '.join(unknown)}")
    for name, value in settings.items():
        if type(value) is not _KINDS[name]:
            raise ChainSettingsRefused(place, f"{name} is not of type {_KINDS[name].__name__}")
    try:
        return replace(preset_of(int(key)), **settings)
    except ValueError as error:
        raise ChainSettingsRefused(place, str(error)) from error
