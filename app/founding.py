"""Founding an exchange on a chain: contracts, roles, accounts, assets, the market, and the first deposits.

What was founded is written to one file, `exchange.json`, from which every later command starts. Names of members stand
in that file only; the chain knows numbers and addresses.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from app.community import Community, CommunityRefused, Home, Utility
from contracts.chains import ChainPreset, preset_of
from contracts.deployment import Deployment, deploy
from contracts.deployment_record import DeploymentRecord
from contracts.devnet_keys import devnet_key
from contracts.errors import MalformedDeployment
from contracts.evm import Evm, Receipt
from contracts.transacting import transact
from exchange.delivery import Market, Mechanism
from exchange.effects.durable_file import write_durably
from exchange.parameters import Parameters, from_document
from exchange.units import MicroPerKwh, Wh
from identity.address import Address, parse_address, to_text
from identity.errors import IdentityRefused
from identity.hashing import keccak
from identity.registry import AccountOpened, AssetEnrolled
from identity.signature import address_of
from identity.typed_data import Domain
from settlement.effects import escrow_token, settlement_contract
from settlement.effects.contract_log import decode
from settlement.effects.settlement_contract import Role
from settlement.facts import MarketOpened

Told = TypeVar("Told", AccountOpened, AssetEnrolled)

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
        """Write `exchange.json`, and beside it the record of the deployment that anybody may have."""
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
        DeploymentRecord.of(self.deployment).write(path.parent)
        write_durably(path, (json.dumps(document, indent=2, sort_keys=True) + "\n").encode())

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
    evm: Evm,
    community: Community,
    keys: Keys,
    *,
    token: Address | None = None,
    rpc: str | None = None,
    preset: ChainPreset | None = None,
) -> Founded:
    """Found an exchange for `community`; each step waits until it is mined.

    Each account is held by the address that the community's file names. On a chain for play, members without one get
    a made-up key (`member_key`), which is public; on any other they are refused before anything is sent. With a `token`
    of somebody else's nothing is minted or deposited: members bring their own money. `preset` says how the chain is
    treated, if not as this house knows it. Raises `CommunityRefused` and `EvmError`.
    """
    terms = community.community
    holders = _holders(community, play=(preset or preset_of(evm.chain_id)).play)
    deployment = deploy(
        evm,
        keys.admin,
        token=token,
        preset=preset,
        withdrawal_delay_seconds=terms.opening_seconds + terms.window_seconds,
        admin=address_of(keys.admin),
    )
    contract = Address(deployment.settlement)

    def tell(key: bytes, data: bytes, to: bytes = contract) -> Receipt:
        return transact(evm, key, to, data, preset=preset)

    for role, key in (
        (Role.OPERATOR, keys.operator),
        (Role.REGISTRAR, keys.registrar),
        (Role.GRID_OPERATOR, keys.grid_operator),
        (Role.GUARDIAN, keys.guardian),
    ):
        tell(keys.admin, settlement_contract.grant(role, address_of(key)))
    until = evm.head().timestamp + ENROLMENT_SECONDS
    members: list[Member] = []

    def open_account(name: str, holder: Address) -> Member:
        opened = _told(tell(keys.registrar, settlement_contract.open_account(holder)), AccountOpened)
        return Member(name=name, holder=holder, account=opened.account, assets={})

    node = open_account(terms.node, address_of(keys.grid_operator))
    members.append(node)
    parties: list[tuple[str, dict[str, str | None]]] = [(community.utility.name, {"sell": None, "buy": None})]
    parties += [(home.name, {"load": home.load, **({"pv": home.pv} if home.pv else {})}) for home in community.homes]
    for name, columns in parties:
        member = open_account(name, holders[name])
        for kind, column in columns.items():
            # An asset's identity only names it: nobody signs with its key, so it may be made up from the names.
            identity = address_of(keccak(f"merit demo asset {name} {kind}".encode()))
            receipt = tell(keys.registrar, settlement_contract.enrol(identity, member.account, until))
            enrolled = _told(receipt, AssetEnrolled)
            member.assets[kind] = AssetPlace(identity=identity, number=enrolled.asset, column=column)
        members.append(member)
    market = Market(
        number=terms.market_id,
        node=terms.node,
        period=terms.period_seconds,
        opening=terms.opening_seconds,
        lead=terms.lead_seconds,
        window=terms.window_seconds,
        fee=MicroPerKwh(terms.fee_micro_per_kwh),
        fee_account=node.account,
        mechanism=Mechanism.titled(terms.mechanism),
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
                uniform=market.mechanism.is_uniform,
            )
        ),
    )
    if token is None:
        for to, data in _deposits(community, keys, deployment, members):
            tell(keys.admin, data, to)
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


def _holders(community: Community, *, play: bool) -> dict[str, Address]:
    """Return who holds the account of each member, by name."""
    holders = {}
    members: list[Utility | Home] = [community.utility, *community.homes]
    for member in members:
        if member.holder is not None:
            holders[member.name] = parse_address(member.holder)
        elif play:
            holders[member.name] = address_of(member_key(member.name))
        else:
            raise CommunityRefused(f"{member.name} has no holder, and this chain is not for play: name an address")
    return holders


def _told(receipt: Receipt, kind: type[Told]) -> Told:
    """Return the fact of this kind in a receipt: what the contract numbered, whoever else was at it meanwhile."""
    for entry in receipt.logs:
        fact = decode(entry, scale=1, block_time=0)
        if isinstance(fact, kind):
            return fact
    raise AssertionError(f"the contract logged no {kind.__name__}")


def _deposits(
    community: Community, keys: Keys, deployment: Deployment, members: list[Member]
) -> Iterator[tuple[bytes, bytes]]:
    """Yield, as recipient and input, what mints test euro and deposits them for every member."""
    cents = {home.name: home.deposit_cents for home in community.homes}
    cents[community.utility.name] = community.utility.deposit_cents
    total = sum(cents.values()) * UNITS_PER_CENT
    yield deployment.token, escrow_token.mint(address_of(keys.admin), total)
    yield deployment.token, escrow_token.approve(Address(deployment.settlement), total)
    for member in members:
        units = cents.get(member.name, 0) * UNITS_PER_CENT
        if units:
            yield deployment.settlement, settlement_contract.deposit(member.account, units)


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
