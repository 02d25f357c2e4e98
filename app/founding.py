"""Founding an exchange on a chain: contracts, roles, accounts, certified assets, the market, and the first deposits.

What was founded is written to one file, `exchange.json`, from which every later command starts. Names of members stand
in that file only; the chain knows numbers and addresses.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from app.community import Community, CommunityRefused, Home, Utility
from app.registering import Registering
from contracts.chains import ChainPreset, preset_of
from contracts.deployment import DEFAULT_CACHE_SECONDS, Deployment, RoleNodes, deploy
from contracts.deployment_record import DeploymentRecord
from contracts.devnet_keys import devnet_key
from contracts.errors import ChainSettingsRefused, MalformedDeployment, NodeRefused
from contracts.evm import Evm, Receipt
from contracts.local_evm import LocalEvm
from contracts.sent_log import SentLog
from exchange.effects.durable_file import write_durably
from exchange.parameters import LEAST_BATCH_GAS, MOST_BATCH_GAS, Parameters, from_document
from exchange.units import MicroPerKwh, Wh
from identity.address import Address, parse_address, to_text
from identity.claim_data import AssetKind, AssetProperties, EnergyType, pack_market
from identity.claims import NO_DATA
from identity.energy_roles import EnergyRole, role_nodes
from identity.errors import IdentityRefused
from identity.facts import AccountOpened, AssetEnrolled
from identity.hashing import keccak
from identity.names import community_label
from identity.signature import address_of
from identity.typed_data import Domain
from settlement.effects import escrow_token, settlement_contract
from settlement.effects.contract_log import decode
from settlement.effects.settlement_contract import Role
from settlement.facts import MarketOpened

Told = TypeVar("Told", AccountOpened, AssetEnrolled)

UNITS_PER_CENT = 10_000
"""Units of the test euro, which has six decimals, in a cent."""

MOST_MARKET_ID = 31
"""The contract takes 32 bits; but a session's number, the market's times 2^48 and more, stands in JSON."""

CERTIFIED_SECONDS = 10 * 366 * 24 * 3600
"""How long the claims of the founding last, unless they are revoked."""


NEED = "need"
"""The asset of a node in whose name its operator procures balancing: a meter, which trades nothing else."""

NEED_PROPERTIES = AssetProperties(AssetKind.METER, EnergyType.NONE, 0)


class ExchangeFileUnusable(Exception):
    """`exchange.json` is missing or is not one."""

    code = "exchange-file-unusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The private keys of those who run an exchange, one for each duty."""

    admin: bytes
    operator: bytes
    certifier: bytes
    grid_operator: bytes
    guardian: bytes
    receipts: bytes
    community: bytes

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
    sent: SentLog | None = None,
) -> Founded:
    """Found an exchange for `community`; each step waits until it is mined.

    Each account is held by the address that the community's file names. On a chain for play, members without one get
    a made-up key (`member_key`), which is public, and their assets are created, certified and enrolled; on any other
    they are refused before anything is sent. Who holds an own key creates the own assets: nobody does in another's
    name. With a `token` of somebody else's nothing is minted or deposited: members bring their own money. `preset` says
    how the chain is treated, if not as this house knows it. Sessions are cut by what a block holds now. With `sent`, a
    founding that was cut short goes on where it was. Raises `CommunityRefused` and `EvmError`.
    """
    terms = community.community
    most = MOST_MARKET_ID + 1 - len(community.markets())
    if terms.market_id > most:
        raise CommunityRefused(
            f"community.market_id is {terms.market_id}, and {most} is the most: the numbers of its sessions "
            "begin with it, and beyond 2^53 many readers of JSON round them"
        )
    preset = preset_of(evm.chain_id) if preset is None else preset
    holders = _holders(community, play=preset.play)
    label = _label(community)
    nodes = role_nodes(label)
    batch_gas = min(preset.gas_cap_where(evm.block_gas()), MOST_BATCH_GAS)
    if batch_gas < LEAST_BATCH_GAS:
        place = f"chain {evm.chain_id} ({preset.name})"
        raise ChainSettingsRefused(place, f"a transaction may use {batch_gas} gas: no session can be settled with that")
    # in this process nobody pays for gas, and estimating it costs as much as the founding itself
    gas = evm.block_gas() >> 1 if isinstance(evm, LocalEvm) else None
    deployment = deploy(
        evm,
        keys.admin,
        roles=RoleNodes(
            asset=nodes[EnergyRole.ASSET],
            balancing_provider=nodes[EnergyRole.BALANCING_PROVIDER],
            grid_operator=nodes[EnergyRole.GRID_OPERATOR],
        ),
        token=token,
        preset=preset,
        # the keeper renews an answer at half of its time, which is so long before any open gate closes
        cache_seconds=max(DEFAULT_CACHE_SECONDS, 4 * terms.opening_seconds),
        withdrawal_delay_seconds=terms.opening_seconds + terms.window_seconds,
        admin=address_of(keys.admin),
        sent=sent,
        gas=gas,
    )
    contract = Address(deployment.settlement)
    expiry = _time_of(evm, deployment.block) + CERTIFIED_SECONDS  # the same, whenever the founding goes on
    registering = Registering(evm, deployment, preset, sent, deadline=expiry, gas=gas)
    for role, key in ((Role.OPERATOR, keys.operator), (Role.GUARDIAN, keys.guardian)):
        registering.tell(keys.admin, contract, settlement_contract.grant(role, address_of(key)))
    several = len(community.nodes) + len(community.markets()) - 1
    _give_roles(registering, keys, label, 0 if several else terms.market_id, expiry)
    members: list[Member] = []

    def open_account(name: str, holder: Address) -> Member:
        receipt = registering.tell(keys.certifier, contract, settlement_contract.open_account(holder))
        return Member(name=name, holder=holder, account=told(receipt, AccountOpened).account, assets={})

    def found_asset(member: Member, kind: str, properties: AssetProperties, key: bytes, number: int) -> AssetPlace:
        identity = registering.create_asset(key, keys.certifier, number=number)
        registering.claim(
            EnergyRole.ASSET,
            identity,
            label=label,
            subject_key=key,
            issuer_key=keys.certifier,
            expiry=expiry,
            data=properties.pack(),
        )
        receipt = registering.tell(keys.certifier, contract, settlement_contract.enrol(identity, member.account))
        place = AssetPlace(identity=identity, number=told(receipt, AssetEnrolled).asset, column=None)
        member.assets[kind] = place
        return place

    # each node has an account for its fees, and a meter in whose name its operator procures balancing
    members += [open_account(name, address_of(keys.grid_operator)) for name in community.numbers()]
    if community.balancing.enable_balancing_market:
        for already, member in enumerate(members):
            found_asset(member, NEED, NEED_PROPERTIES, keys.grid_operator, already)
    parties: list[Utility | Home] = [community.utility, *community.homes]
    for party in parties:
        member = open_account(party.name, holders[party.name])
        members.append(member)
        if party.holder is not None:
            continue
        for already, (kind, (column, properties)) in enumerate(party.assets().items()):
            asset = found_asset(member, kind, properties, member_key(party.name), already)
            member.assets[kind] = replace(asset, column=column)
    markets = community.markets()
    tree = community.tree(address_of(keys.grid_operator), {member.name: member.account for member in members})
    by_name = {member.name: member for member in members}
    utility = by_name[community.utility.name]
    hung = {party.name: community.node_of(party) for party in parties} | community.numbers()
    places = sorted(
        (asset.identity, hung[member.name])
        for member in members
        for asset in member.assets.values()
        if hung[member.name] != tree.root.number
    )
    # The utility's two sides are no home: what it sells is not its own energy to use.
    homes = sorted((asset.identity, f"{utility.name} {kind}") for kind, asset in utility.assets.items())
    parameters = Parameters(
        community=terms.name,
        currency=terms.currency,
        domain=Domain(evm.chain_id, contract),
        markets=markets,
        tree=tree,
        receipts=address_of(keys.receipts),
        places=tuple(places),
        homes=tuple(homes),
        least_energy=Wh(1),
        preferences=terms.preferences,
        forecast_caps=terms.forecast_caps,
        balancing=community.balancing.settings(community.numbers()),
        matchers=tuple(sorted(parse_address(matcher) for matcher in terms.matchers)),
        batch_gas=batch_gas,
    )
    for opening in openings(parameters):
        registering.tell(keys.grid_operator, contract, settlement_contract.open_market(opening))
    if token is None:
        for to, data in _deposits(community, keys, deployment, members):
            registering.tell(keys.admin, to, data)
    return Founded(deployment=deployment, parameters=parameters, members=tuple(members), rpc=rpc)


def openings(parameters: Parameters) -> Iterator[MarketOpened]:
    """Yield what is to be opened on the chain, in order: the root of the tree, the other nodes, the other products."""
    spot, tree = parameters.spot, parameters.tree
    for node in sorted(tree.nodes, key=lambda node: (node.parent is not None, node.number)):
        yield MarketOpened(
            market=node.number,
            tree=tree.root.number,
            fee_account=node.fee_account,
            fee_cap=node.fee_cap,
            period=spot.period,
            lead=spot.lead,
            window=spot.window,
            uniform=parameters.is_uniform(node.number),
        )
    for market in parameters.markets:
        if market is not spot:
            yield MarketOpened(
                market=market.number,
                tree=tree.root.number,
                fee_account=tree.root.fee_account,
                fee_cap=MicroPerKwh(0),
                period=market.period,
                lead=market.lead,
                window=market.window,
                uniform=False,
            )


def _label(community: Community) -> str:
    try:
        return community_label(community.community.name)
    except IdentityRefused as refusal:
        raise CommunityRefused(f"the community's name makes no label for its roles: {refusal}") from refusal


def _give_roles(registering: Registering, keys: Keys, label: str, market: int, expiry: int) -> None:
    """Define the community's roles, and give each to the key that has the duty; the grid operator's is for `market`."""
    alone = keys.certifier == keys.admin
    registering.define_roles(keys.admin, label, alone=alone)
    issuer = keys.admin if alone else keys.community
    for role, key, issuer_key, data in (
        (EnergyRole.COMMUNITY_OPERATOR, keys.community, keys.admin, NO_DATA),
        (EnergyRole.CERTIFIER, keys.certifier, issuer, NO_DATA),
        (EnergyRole.EXCHANGE_OPERATOR, keys.operator, issuer, NO_DATA),
        (EnergyRole.GRID_OPERATOR, keys.grid_operator, issuer, pack_market(market)),
    ):
        registering.claim(
            role,
            address_of(key),
            label=label,
            subject_key=key,
            issuer_key=issuer_key,
            expiry=expiry,
            data=data,
        )


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


def _time_of(evm: Evm, number: int) -> int:
    block = evm.block(number)
    if block is None:
        raise NodeRefused("the time of a block", -32001, f"there is no block {number}")
    return block.timestamp


def told(receipt: Receipt, kind: type[Told]) -> Told:
    """Return the fact of this kind in a receipt of the settlement contract, with the number that it gave."""
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
    if community.balancing.enable_balancing_market:
        cents |= dict.fromkeys(community.numbers(), community.balancing.deposit_cents)
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
