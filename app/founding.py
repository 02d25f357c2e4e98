"""Founding an exchange on a chain: contracts, roles, accounts, assets, the market, and the first deposits.

What was founded is written to one file, `exchange.json`, from which every later command starts. Names of members stand
in that file only; the chain knows numbers and addresses.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from app.community import Community
from contracts.deployment import Deployment, deploy
from contracts.devnet_keys import devnet_key
from contracts.errors import MalformedDeployment
from contracts.evm import Evm, Receipt
from contracts.transacting import transact
from exchange.delivery import Market
from exchange.parameters import Parameters, from_document
from exchange.units import MicroPerKwh, Wh
from identity.address import Address, parse_address, to_text
from identity.errors import IdentityRefused
from identity.hashing import keccak
from identity.signature import address_of
from identity.typed_data import Domain
from settlement.effects import escrow_token, settlement_contract
from settlement.effects.settlement_contract import Role
from settlement.facts import MarketOpened

UNITS_PER_CENT = 10_000
"""Units of the test euro, which has six decimals, in a cent."""

ENROLMENT_SECONDS = 10 * 366 * 24 * 3600


class ExchangeFileUnusable(Exception):
    """`exchange.json` is missing or is not one."""

    code = "exchange-file-unusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The private keys of those who run an exchange, one for each duty."""

    admin: bytes
    operator: bytes
    registrar: bytes
    grid_operator: bytes
    guardian: bytes
    receipts: bytes

    @classmethod
    def devnet(cls) -> Self:
        """Return the public keys of a local chain: for play, never for money."""
        return cls(**{name: devnet_key(index) for index, name in enumerate(cls.__dataclass_fields__)})

    @classmethod
    def one(cls, key: bytes) -> Self:
        """Return one key for every duty, as a small pilot may start with."""
        return cls(**dict.fromkeys(cls.__dataclass_fields__, key))


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetPlace:
    """An asset of a member: its identity on the chain and the column of its profile (none for the utility)."""

    identity: Address
    number: int
    column: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member as the operator knows it: a name, an account, the assets by what they do."""

    name: str
    holder: Address
    account: int
    assets: dict[str, AssetPlace]


@dataclass(frozen=True, slots=True, kw_only=True)
class Founded:
    """An exchange that stands on a chain."""

    deployment: Deployment
    parameters: Parameters
    members: tuple[Member, ...]
    rpc: str | None

    def member(self, name: str) -> Member:
        """Return the member with this name."""
        return next(member for member in self.members if member.name == name)

    def write(self, path: Path) -> None:
        """Write `exchange.json`."""
        document = {
            "deployment": json.loads(self.deployment.to_json()),
            "parameters": self.parameters.to_document(),
            "rpc": self.rpc,
            "members": [
                {
                    "name": member.name,
                    "holder": to_text(member.holder),
                    "account": member.account,
                    "assets": {
                        kind: {"identity": to_text(asset.identity), "number": asset.number, "column": asset.column}
                        for kind, asset in member.assets.items()
                    },
                }
                for member in self.members
            ],
        }
        path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read `exchange.json`; raises `ExchangeFileUnusable` with the reason."""
        try:
            document: dict[str, Any] = json.loads(path.read_text())
            return cls(
                deployment=Deployment.from_json(json.dumps(document["deployment"])),
                parameters=from_document(document["parameters"]),
                members=tuple(_member(member) for member in document["members"]),
                rpc=document["rpc"],
            )
        except OSError as error:
            raise ExchangeFileUnusable(f"{path}: {error.strerror}") from error
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
            MalformedDeployment,
            IdentityRefused,
        ) as error:
            raise ExchangeFileUnusable(f"{path} does not describe an exchange: {error}") from error


def member_key(name: str) -> bytes:
    """Return the private key of a made-up member: **public**, derived from the name."""
    return keccak(b"merit demo member " + name.encode())


def found(
    evm: Evm, community: Community, keys: Keys, *, token: Address | None = None, rpc: str | None = None
) -> Founded:
    """Found an exchange for `community`; each step waits until it is mined. Raises `EvmError`.

    Homes get accounts held by made-up keys (`member_key`). With a `token` of somebody else's nothing is minted or
    deposited: members bring their own money.
    """
    terms = community.community
    deployment = deploy(
        evm,
        keys.admin,
        token=token,
        withdrawal_delay_seconds=terms.opening_seconds + terms.window_seconds,
        admin=address_of(keys.admin),
    )
    contract = Address(deployment.settlement)

    def tell(key: bytes, data: bytes, to: bytes = contract) -> Receipt:
        return transact(evm, key, to, data)

    for role, key in (
        (Role.OPERATOR, keys.operator),
        (Role.REGISTRAR, keys.registrar),
        (Role.GRID_OPERATOR, keys.grid_operator),
        (Role.GUARDIAN, keys.guardian),
    ):
        tell(keys.admin, settlement_contract.grant(role, address_of(key)))
    until = evm.head().timestamp + ENROLMENT_SECONDS
    members: list[Member] = []
    enrolled = 0
    tell(keys.registrar, settlement_contract.open_account(address_of(keys.grid_operator)))
    members.append(Member(name=terms.node, holder=address_of(keys.grid_operator), account=1, assets={}))
    parties: list[tuple[str, dict[str, str | None]]] = [(community.utility.name, {"sell": None, "buy": None})]
    parties += [(home.name, {"load": home.load, **({"pv": home.pv} if home.pv else {})}) for home in community.homes]
    for number, (name, columns) in enumerate(parties, start=2):
        holder = address_of(member_key(name))
        tell(keys.registrar, settlement_contract.open_account(holder))
        assets = {}
        for kind, column in columns.items():
            identity = address_of(keccak(f"merit demo asset {name} {kind}".encode()))
            tell(keys.registrar, settlement_contract.enrol(identity, number, until))
            enrolled += 1
            assets[kind] = AssetPlace(identity=identity, number=enrolled, column=column)
        members.append(Member(name=name, holder=holder, account=number, assets=assets))
    market = Market(
        number=terms.market_id,
        node=terms.node,
        period=terms.period_seconds,
        opening=terms.opening_seconds,
        lead=terms.lead_seconds,
        window=terms.window_seconds,
        fee=MicroPerKwh(terms.fee_micro_per_kwh),
        fee_account=1,
    )
    tell(
        keys.grid_operator,
        settlement_contract.open_market(
            MarketOpened(
                market=market.number,
                fee_account=market.fee_account,
                fee_cap=market.fee,
                period=market.period,
                lead=market.lead,
                window=market.window,
                uniform=True,
            )
        ),
    )
    if token is None:
        _deposit(evm, community, keys, deployment, members)
    # The utility's two sides are no home: what it sells is not its own energy to use.
    utility = members[1]
    homes = sorted((asset.identity, f"{utility.name} {kind}") for kind, asset in utility.assets.items())
    parameters = Parameters(
        community=terms.name,
        currency=terms.currency,
        domain=Domain(evm.chain_id, contract),
        market=market,
        receipts=address_of(keys.receipts),
        homes=tuple(homes),
        least_energy=Wh(1),
    )
    return Founded(deployment=deployment, parameters=parameters, members=tuple(members), rpc=rpc)


def _deposit(evm: Evm, community: Community, keys: Keys, deployment: Deployment, members: list[Member]) -> None:
    """Mint test euro and deposit them for every member."""
    cents = {home.name: home.deposit_cents for home in community.homes}
    cents[community.utility.name] = community.utility.deposit_cents
    total = sum(cents.values()) * UNITS_PER_CENT
    transact(evm, keys.admin, deployment.token, escrow_token.mint(address_of(keys.admin), total))
    transact(evm, keys.admin, deployment.token, escrow_token.approve(Address(deployment.settlement), total))
    for member in members:
        units = cents.get(member.name, 0) * UNITS_PER_CENT
        if units:
            transact(evm, keys.admin, deployment.settlement, settlement_contract.deposit(member.account, units))


def _member(document: dict[str, Any]) -> Member:
    return Member(
        name=document["name"],
        holder=parse_address(document["holder"]),
        account=document["account"],
        assets={
            kind: AssetPlace(identity=parse_address(asset["identity"]), number=asset["number"], column=asset["column"])
            for kind, asset in document["assets"].items()
        },
    )
