"""What an entry in the log of one of our contracts says, as a fact.

Some facts hold for everybody above; who got which role, and whether the contract is paused, concerns only its
operators and is passed over. An entry nobody knows is an error: it might move money.
"""

from typing import Any

from contracts.abi import abi_of
from contracts.evm import LogEntry
from exchange.units import MicroPerKwh, Nano, Wh
from identity.address import Address
from identity.effects import registry_logs
from identity.effects.registry_logs import UnknownRegistryEvent
from identity.facts import AccountOpened, AssetEnrolled, AssetRefreshed, EpochBegun
from settlement.effects.errors import UnknownEvent
from settlement.effects.sources import Sources
from settlement.facts import (
    BatchSettled,
    Deposited,
    Fact,
    MarketOpened,
    WithdrawalCancelled,
    WithdrawalRequested,
    Withdrawn,
)

PASSED_OVER = frozenset({"AdminProposed", "AdminChanged", "RoleGranted", "RoleRevoked", "Paused", "Unpaused"})


def fact_in(entry: LogEntry, sources: Sources, *, scale: int, block_time: int) -> Fact | None:
    """Return the fact in a log entry of any of our contracts, or None where it is passed over; see `decode`."""
    registry = sources.registry_at(entry.address)
    if registry is None:
        return decode(entry, scale=scale, block_time=block_time)
    try:
        return registry_logs.decode(registry, entry, block_time=block_time)
    except UnknownRegistryEvent as error:
        raise UnknownEvent(entry.tx_hash, entry.index) from error


def decode(entry: LogEntry, *, scale: int, block_time: int) -> Fact | None:
    """Return the fact in a log entry of the settlement contract, or None where it is passed over.

    `scale` is the contract's nano per token unit, `block_time` the timestamp of the entry's block. Raises
    `UnknownEvent`.
    """
    event = abi_of("Settlement").event(entry.topics, entry.data)
    if event is None:
        raise UnknownEvent(entry.tx_hash, entry.index)
    name, fields = event
    return None if name in PASSED_OVER else _fact(name, fields, scale, block_time)


def _fact(name: str, fields: dict[str, Any], scale: int, block_time: int) -> Fact:
    match name:
        case "AccountOpened":
            return AccountOpened(fields["account"], Address(fields["holder"]))
        case "OrdersVoided":
            return EpochBegun(fields["account"], fields["epoch"], block_time)
        case "AssetEnrolled":
            return AssetEnrolled(
                asset=fields["asset"],
                identity=Address(fields["identity"]),
                account=fields["account"],
                epoch=fields["epoch"],
                until=fields["until"],
                balancing_until=fields["balancing_until"],
            )
        case "AssetRefreshed":
            return AssetRefreshed(fields["asset"], fields["until"], fields["balancing_until"])
        case "Deposited":
            return Deposited(fields["account"], Nano(fields["token_units"] * scale))
        case "WithdrawalRequested":
            return WithdrawalRequested(fields["account"], Nano(fields["token_units"] * scale), fields["due"])
        case "WithdrawalCancelled":
            return WithdrawalCancelled(fields["account"])
        case "Withdrawn":
            return Withdrawn(fields["account"], Nano(fields["token_units"] * scale))
        case "MarketOpened":
            return MarketOpened(
                market=fields["market"],
                tree=fields["tree"],
                fee_account=fields["fee_account"],
                fee_cap=MicroPerKwh(fields["fee_cap"]),
                period=fields["period_seconds"],
                lead=fields["lead_seconds"],
                window=fields["window_seconds"],
                uniform=fields["uniform"],
            )
        case _:
            assert name == "Settled", f"the contract logs {name}, and nobody here reads it"
            return BatchSettled(
                session=fields["session"],
                part=fields["part"],
                parts=fields["parts"],
                order_root=fields["order_root"],
                trade_root=fields["trade_root"],
                parameters=fields["parameters"],
                orders=fields["orders"],
                trades=fields["trades"],
                energy=Wh(fields["energy_wh"]),
                value=Nano(fields["value_nano"]),
                fee=Nano(fields["fee_nano"]),
            )
