"""`merit asset`: assets of the registry, from birth to retirement."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.claiming import DAY_SECONDS, SIGNED_FOR_DAYS, agree, issue
from app.options import Where
from app.output import Output
from app.reaching import Reached, reached, transaction_document
from app.registering import Registering
from contracts.evm import Receipt
from identity.address import Address, parse_address, to_text
from identity.claim_data import AssetProperties
from identity.did import to_did
from identity.documents import asset_document, whole_asset_document
from identity.effects.keystore import read_key
from identity.energy_roles import EnergyRole
from identity.errors import NoSuchAsset, UnknownPurpose
from identity.purposes import PURPOSES
from settlement.effects import settlement_contract
from settlement.effects.settlement_contract import SettlementContract

Act = Callable[[Registering, bytes, Address, Address | None, int], Receipt]


def _to(other: Address | None) -> Address:
    assert other is not None, "the verb asks for it"
    return other


ACTS: dict[str, Act] = {
    "offered": lambda acts, key, asset, to, until: acts.offer(key, asset, _to(to), until),
    "accepted": lambda acts, key, asset, _to, _until: acts.accept(key, asset),
    "rejected": lambda acts, key, asset, _to, _until: acts.reject(key, asset),
    "cancelled": lambda acts, key, asset, _to, _until: acts.cancel(key, asset),
    "retired": lambda acts, key, asset, _to, _until: acts.retire(key, asset),
    "device key added": lambda acts, key, asset, device, seconds: acts.add_device_key(key, asset, _to(device), seconds),
    "device key revoked": lambda acts, key, asset, device, _until: acts.revoke_device_key(key, asset, _to(device)),
}
"""What an owner or a recipient may do with an asset, by what is then done."""


def list_assets(where: Where, *, owner: str | None, account: int | None, as_json: bool) -> None:
    """Print every asset, or those of an owner or an account."""
    output = Output(as_json=as_json)
    with reached(where) as exchange:
        known = exchange.read()
        chain_id = exchange.evm.chain_id
    holder = None if owner is None else to_text(parse_address(owner))
    found = [
        document
        for identity in known.registry.authority.tenures.identities()
        for document in [asset_document(known.registry, chain_id, identity)]
        if holder in (None, document["owner"])
        and account in (None, document["enrolment"] and document["enrolment"]["account"])
    ]
    output.result({"assets": found, "block": known.head, "now": known.now})
    output.table(
        f"Assets as of block {known.head}",
        ("asset", "owner", "epoch", "number", "account"),
        [
            (
                each["asset"],
                each["owner"] or "retired",
                str(each["epoch"]),
                *(str(each["enrolment"][name]) if each["enrolment"] else "-" for name in ("number", "account")),
            )
            for each in found
        ],
    )


def show(where: Where, asset: str, *, as_json: bool) -> None:
    """Print everything the registries say of one asset."""
    output = Output(as_json=as_json)
    with reached(where) as exchange:
        known = exchange.read()
        identity = exchange.subject(asset)
        document = whole_asset_document(known.registry, known.chronicle, exchange.evm.chain_id, identity, known.now)
    output.result(document | {"block": known.head, "now": known.now})
    _show(output, document)


def create(where: Where, key_file: Path, payer_key_file: Path | None, *, as_json: bool) -> None:
    """Create an asset for the holder of a key, and print its address."""
    output, key = Output(as_json=as_json), read_key(key_file)
    payer = key if payer_key_file is None else read_key(payer_key_file)
    with reached(where, acting=True) as exchange:
        exchange.fund(payer)
        asset, receipt = exchange.registering.created(key, payer)
        _tell(output, exchange, "created", asset, receipt)


def certify(
    where: Where,
    asset: str,
    properties: AssetProperties,
    key_file: Path,
    owner_key_file: Path,
    *,
    days: int,
    as_json: bool,
) -> None:
    """Register that an asset is what it is, signed for its owner and for the certifier, who pays."""
    output, issuer_key, owner_key = Output(as_json=as_json), read_key(key_file), read_key(owner_key_file)
    with reached(where, acting=True) as exchange:
        identity, role = exchange.subject(asset), exchange.role(EnergyRole.ASSET)
        form = agree(exchange, role, identity, owner_key, properties.pack(), days=SIGNED_FOR_DAYS)
        form = issue(exchange, form, issuer_key, days=days)
        exchange.fund(issuer_key)
        receipt = exchange.registering.register(form, issuer_key)
        _tell(output, exchange, "certified", identity, receipt)


def act(where: Where, what: str, asset: str, key_file: Path, *, as_json: bool, to: str = "", seconds: int = 0) -> None:
    """Do one act as the holder of a key: `what` is one of `ACTS`.

    `to` is the recipient of an offer, the agent of a delegation or a device's key; `seconds` is how long it lasts, or
    for an offer the second up to which it stands.
    """
    output, key = Output(as_json=as_json), read_key(key_file)
    with reached(where, acting=True) as exchange:
        identity, other = exchange.subject(asset), exchange.subject(to) if to else None
        exchange.fund(key)
        receipt = ACTS[what](exchange.registering, key, identity, other, seconds)
        _tell(output, exchange, what, identity, receipt, **({"to": to_text(other)} if other else {}))


def delegate(
    where: Where, asset: str, agent: str, purpose: str, key_file: Path, *, days: int | None, as_json: bool
) -> None:
    """Let an agent act for an asset for so many days, or with none end that now; as the owner."""
    output, key = Output(as_json=as_json), read_key(key_file)
    if purpose not in PURPOSES:
        raise UnknownPurpose(purpose, tuple(PURPOSES))
    with reached(where, acting=True) as exchange:
        identity, who, registering = exchange.subject(asset), exchange.subject(agent), exchange.registering
        exchange.fund(key)
        if days is None:
            receipt = registering.dismiss(key, identity, who, PURPOSES[purpose])
        else:
            receipt = registering.delegate(key, identity, who, days * DAY_SECONDS, PURPOSES[purpose])
        done = "dismissed" if days is None else "delegated"
        _tell(output, exchange, done, identity, receipt, agent=to_text(who), purpose=purpose)


def enrol(where: Where, asset: str, account: int, key_file: Path, *, as_json: bool) -> None:
    """Enrol a certified asset under an account of its owner; anybody may, and pays."""
    output, key = Output(as_json=as_json), read_key(key_file)
    with reached(where, acting=True) as exchange:
        identity = exchange.subject(asset)
        exchange.fund(key)
        receipt = exchange.registering.tell(
            key, exchange.sources.settlement, settlement_contract.enrol(identity, account)
        )
        number = SettlementContract(exchange.evm, exchange.sources.settlement).asset_of(identity)
        _tell(output, exchange, "enrolled", identity, receipt, number=number, account=account)


def refresh(where: Where, assets: list[str], key_file: Path, *, as_json: bool) -> None:
    """Have the settlement contract ask the registries anew about enrolled assets; anybody may, and pays."""
    output, key = Output(as_json=as_json), read_key(key_file)
    with reached(where, acting=True) as exchange:
        contract = SettlementContract(exchange.evm, exchange.sources.settlement)
        numbers = [_number(contract, exchange.subject(asset)) for asset in assets]
        exchange.fund(key)
        receipt = exchange.registering.tell(key, contract.address, settlement_contract.refresh(numbers))
        words = [contract.asset(number) for number in numbers]
        refreshed = [
            {
                "number": number,
                "asset": to_text(word.identity),
                "until": word.until,
                "balancing_until": word.balancing_until,
            }
            for number, word in zip(numbers, words, strict=True)
        ]
        output.result({"done": "refreshed", "assets": refreshed, **transaction_document(receipt, exchange.preset)})
        for each in refreshed:
            output.text(f"refreshed  {each['asset']}  current until {each['until']}")


def _number(contract: SettlementContract, identity: Address) -> int:
    number = contract.asset_of(identity)
    if not number:
        raise NoSuchAsset(to_text(identity))
    return number


def _tell(output: Output, exchange: Reached, done: str, asset: Address, receipt: Receipt, **more: str | int) -> None:
    said = {"done": done, "asset": to_text(asset), "did": to_did(exchange.evm.chain_id, asset), **more}
    output.result(said | transaction_document(receipt, exchange.preset))
    details = "".join(f"  {name} {value}" for name, value in more.items())
    output.text(f"{done}  {to_text(asset)}{details}  (block {receipt.block_number})")


def _show(output: Output, document: dict[str, Any]) -> None:
    output.text(f"asset    {document['asset']}")
    output.text(f"did      {document['did']}")
    ended = document["retired_at"]
    owner = f"retired at {ended}" if ended is not None else f"{document['owner']} since {document['since']}"
    output.text(f"owner    {owner}, epoch {document['epoch']}")
    enrolled = document["enrolment"]
    if enrolled is not None:
        output.text(
            f"enrolled as number {enrolled['number']}, account {enrolled['account']}, until {enrolled['until']}"
        )
    if document["offer"] is not None:
        output.text(f"offered  to {document['offer']['to']}")
    output.table(
        "Claims",
        ("role", "says", "issuer", "expiry", "holds"),
        [
            (
                each["role"],
                " ".join(map(str, (each["says"] or {}).values())) or "-",
                each["issuer"],
                str(each["expiry"]),
                "yes" if each["holds"] else each["failed"]["why"],
            )
            for each in document["claims"]
        ],
    )
    output.table(
        "Delegations",
        ("agent", "purpose", "epoch", "valid to", "standing"),
        [
            (each["agent"], each["purpose"], str(each["epoch"]), str(each["valid_to"]), each["standing"])
            for each in document["delegations"]
        ],
    )
    for key in document["device_keys"]:
        output.text(f"device   {key['key']} until {key['valid_to']}{'' if key['valid'] else ', ended'}")
