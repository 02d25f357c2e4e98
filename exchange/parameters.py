"""What a community has agreed on: its market, its homes, its bounds, and who signs receipts.

The parameters' hash is committed with every session, so nobody can say afterwards that other rules held.
"""

import json
from dataclasses import dataclass, field

from exchange.delivery import Market, Mechanism, Product
from exchange.units import LEAST_ENERGY, MAX_ENERGY, MAX_RATE, MIN_RATE, MicroPerKwh, Wh
from identity.address import Address, parse_address, to_text
from identity.hashing import keccak
from identity.typed_data import Domain

MOST_BATCH_GAS = 1 << 24
"""The most gas a transaction may use (EIP-7825)."""

LEAST_BATCH_GAS = 1_000_000
"""Enough for some twenty orders, in however many parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The rules of one exchange.

    `homes` says which home an asset belongs to, where it is not simply the home of its account: assets of one account
    at one home are allocated to each other before anything is traded. `batch_gas` is the most gas that settling one
    part of a session may take, where the chain's blocks hold less than others: sessions are cut by it.
    """

    community: str
    currency: str
    domain: Domain
    market: Market
    receipts: Address
    homes: tuple[tuple[Address, str], ...] = ()
    least_energy: Wh = LEAST_ENERGY
    most_energy: Wh = MAX_ENERGY
    lowest_limit: MicroPerKwh = MIN_RATE
    highest_limit: MicroPerKwh = MAX_RATE
    batch_gas: int = MOST_BATCH_GAS
    _homes: dict[Address, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if list(self.homes) != sorted(self.homes):
            raise ValueError("homes are listed by asset, in ascending order")
        object.__setattr__(self, "_homes", dict(self.homes))
        if len(self._homes) != len(self.homes):
            raise ValueError("an asset belongs to one home")
        if not LEAST_BATCH_GAS <= self.batch_gas <= MOST_BATCH_GAS:
            raise ValueError(f"batch_gas is not between {LEAST_BATCH_GAS} and {MOST_BATCH_GAS}")

    def home_of(self, asset: Address) -> str:
        """Return the home of an asset; the empty name is the one home of its account."""
        return self._homes.get(asset, "")

    def to_document(self) -> dict[str, object]:
        """Return the parameters as plain values for JSON, everything named with its unit.

        `batch_gas` stands there only where it is not what it is everywhere else, so that each rule has one form.
        """
        market = self.market
        bound = {} if self.batch_gas == MOST_BATCH_GAS else {"batch_gas": self.batch_gas}
        return bound | {
            "community": self.community,
            "currency": self.currency,
            "chain_id": self.domain.chain_id,
            "contract": to_text(self.domain.contract),
            "domain_name": self.domain.name,
            "domain_version": self.domain.version,
            "receipts": to_text(self.receipts),
            "homes": [[to_text(asset), home] for asset, home in self.homes],
            "least_energy_wh": self.least_energy,
            "most_energy_wh": self.most_energy,
            "lowest_limit_micro_per_kwh": self.lowest_limit,
            "highest_limit_micro_per_kwh": self.highest_limit,
            "market": {
                "number": market.number,
                "node": market.node,
                "product": market.product.name.lower(),
                "mechanism": market.mechanism.name.lower(),
                "period_seconds": market.period,
                "opening_seconds": market.opening,
                "lead_seconds": market.lead,
                "window_seconds": market.window,
                "fee_micro_per_kwh": market.fee,
                "fee_account": market.fee_account,
            },
        }

    def hash(self) -> bytes:
        """Return the hash of the parameters: keccak of their canonical JSON (sorted keys, no spaces, ASCII)."""
        return keccak(json.dumps(self.to_document(), sort_keys=True, separators=(",", ":")).encode())


def from_document(document: dict[str, object]) -> Parameters:
    """Read parameters from plain values; raises `ValueError` where something is missing, surplus or out of range."""
    try:
        rest = dict(document)
        terms = dict(rest.pop("market"))  # type: ignore[call-overload]  # checked by what follows: a stranger's JSON
        market = Market(
            number=_whole(terms.pop("number")),
            node=_text(terms.pop("node")),
            product=Product[_text(terms.pop("product")).upper()],
            mechanism=Mechanism[_text(terms.pop("mechanism")).upper()],
            period=_whole(terms.pop("period_seconds")),
            opening=_whole(terms.pop("opening_seconds")),
            lead=_whole(terms.pop("lead_seconds")),
            window=_whole(terms.pop("window_seconds")),
            fee=MicroPerKwh(_whole(terms.pop("fee_micro_per_kwh"))),
            fee_account=_whole(terms.pop("fee_account")),
        )
        domain = Domain(
            _whole(rest.pop("chain_id")),
            parse_address(_text(rest.pop("contract"))),
            _text(rest.pop("domain_name")),
            _text(rest.pop("domain_version")),
        )
        homes = rest.pop("homes")
        batch_gas = _whole(rest.pop("batch_gas", MOST_BATCH_GAS))
        if "batch_gas" in document and batch_gas == MOST_BATCH_GAS:
            raise ValueError("batch_gas is what it is everywhere else, and so is left out")
        if not isinstance(homes, list):
            raise ValueError("homes is not a list")
        parameters = Parameters(
            community=_text(rest.pop("community")),
            currency=_text(rest.pop("currency")),
            domain=domain,
            market=market,
            receipts=parse_address(_text(rest.pop("receipts"))),
            homes=tuple((parse_address(_text(asset)), _text(home)) for asset, home in homes),
            least_energy=Wh(_whole(rest.pop("least_energy_wh"))),
            most_energy=Wh(_whole(rest.pop("most_energy_wh"))),
            lowest_limit=MicroPerKwh(_whole(rest.pop("lowest_limit_micro_per_kwh"))),
            highest_limit=MicroPerKwh(_whole(rest.pop("highest_limit_micro_per_kwh"))),
            batch_gas=batch_gas,
        )
    except KeyError as error:
        raise ValueError(f"parameters lack or do not know {error}") from error
    except TypeError as error:
        raise ValueError("parameters are not of the form they are published in") from error
    if rest or terms:
        raise ValueError(f"parameters know no {', '.join(sorted([*rest, *terms]))}")
    return parameters


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    return value


def difference(written: Parameters, given: Parameters) -> str:
    """Name what two sets of rules do not agree on."""
    before, now = written.to_document(), given.to_document()
    terms_before, terms_now = before.pop("market"), now.pop("market")
    assert isinstance(terms_before, dict)
    assert isinstance(terms_now, dict)
    before |= {f"market.{name}": value for name, value in terms_before.items()}
    now |= {f"market.{name}": value for name, value in terms_now.items()}
    return ", ".join(f"{name} is {now[name]!r}, was {before[name]!r}" for name in before if before[name] != now[name])
