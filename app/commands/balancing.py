"""`merit role import`: a community's dictionary of balancing rates becomes claims on the chain.

Everything is looked at before anything is sent: which asset each name means, whose it is, and whether its owner agrees.
Whoever has the same claim already is passed over, so that a run that broke off is simply run again.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.claiming import SIGNED_FOR_DAYS, agree, issue
from app.commands.role import read_form
from app.options import Where
from app.output import Output
from app.reaching import Known, Reached, reached
from identity.address import Address, to_text
from identity.balancing_registry import read_balancing_registry
from identity.claim_data import BalancingRates
from identity.claim_form import ClaimForm
from identity.effects.keystore import read_key
from identity.energy_roles import EnergyRole
from identity.errors import NoSuchAsset, RatesRefused
from identity.names import namehash
from identity.signature import address_of
from identity.strict_json import NotStrict, parse_object


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    asset: Address
    rates: BalancingRates
    form: ClaimForm | None


def run(
    where: Where,
    registry: Path,
    key_file: Path,
    *,
    names: Path | None,
    owner_keys: Path | None,
    agreements: list[Path],
    days: int,
    as_json: bool,
) -> None:
    """Make every asset of the dictionary a balancing provider at its two rates."""
    output, key = Output(as_json=as_json), read_key(key_file)
    rates = read_balancing_registry(_text(registry))
    keys = {address_of(each): each for each in _keys(owner_keys)}
    given = {form.subject: form for form in map(read_form, agreements)}
    with reached(where, acting=True) as exchange:
        lines = list(_lines(exchange, exchange.read(), rates, _named(exchange, names), keys, given))
        missing = [line.name for line in lines if line.form is None]
        if missing:
            why = "its owner has not agreed: name its key's folder, or the agreement's file"
            raise RatesRefused(", ".join(missing), why)
        exchange.fund(key)
        done = []
        for line in lines:
            assert line.form is not None, "whatever lacks one was refused"
            receipt = exchange.registering.register(issue(exchange, line.form, key, days=days), key)
            done.append({"name": line.name, "asset": to_text(line.asset), "block": receipt.block_number})
            output.say(f"{line.name}: {to_text(line.asset)}")
    skipped = [name for name in rates if name not in {line.name for line in lines}]
    output.result({"done": "imported", "registered": done, "held_already": skipped})
    output.text(f"{len(done)} balancing providers registered, {len(skipped)} were so already")


def _lines(
    exchange: Reached,
    known: Known,
    rates: Mapping[str, BalancingRates],
    named: Mapping[str, Address],
    keys: Mapping[Address, bytes],
    given: Mapping[Address, ClaimForm],
) -> Iterator[_Line]:
    """Yield what is to be registered, in the order of the dictionary, without what is registered already."""
    role, authority = exchange.role(EnergyRole.BALANCING_PROVIDER), known.registry.authority
    node = namehash(role)
    for name, pair in rates.items():
        asset = named.get(name)
        if asset is None:
            raise RatesRefused(name, "no asset is known by this name: say which is meant with --names")
        tenure = authority.tenures.present.get(asset)
        if tenure is None:
            raise NoSuchAsset(to_text(asset))
        held = authority.holds(asset, node, known.now)
        if held.holds and held.data == pair.pack():
            continue
        form = given.get(asset)
        if form is not None and (form.role, form.data) != (role, pair.pack()):
            raise RatesRefused(name, "its owner agreed to something else")
        if form is None and tenure.owner in keys:
            form = agree(exchange, role, asset, keys[tenure.owner], pair.pack(), days=SIGNED_FOR_DAYS)
        yield _Line(name, asset, pair, form)


def _named(exchange: Reached, names: Path | None) -> dict[str, Address]:
    """Return the assets by name: as the exchange's file calls them (`home-01 pv`), or as a JSON object says."""
    found = {}
    if exchange.founded is not None:
        for member in exchange.founded.members:
            for kind, place in member.assets.items():
                found[f"{member.name} {kind}"] = place.identity
    if names is not None:
        try:
            document = parse_object(_text(names))
        except NotStrict as error:
            raise RatesRefused("", f"{names}: {error}") from error
        for name, asset in document.items():
            found[name] = exchange.subject(asset if isinstance(asset, str) else json.dumps(asset))
    return found


def _keys(folder: Path | None) -> Iterator[bytes]:
    for path in sorted(folder.glob("*.key")) if folder is not None else ():
        yield read_key(path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RatesRefused("", f"{path} is no text: {error}") from error
