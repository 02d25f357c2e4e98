"""Readings decided on, with and without their signatures, written down, and settled in a run.

    python -m bench.metering [--readings N] [--assets N]

The base is the recovery of one signer. Deciding alone is given the signers; the registries are asked all the same.
"""

import argparse
from contextlib import closing
from tempfile import TemporaryDirectory

from bench.measure import cpu_seconds, in_turns, load_line
from exchange.units import MicroPerKwh, Wh
from identity.address import Address
from identity.authority import AuthorityIndex
from identity.claim_data import AssetKind, AssetProperties, EnergyType
from identity.facts import AssetCreated, ClaimRegistered, DelegateChanged, RoleDefined
from identity.hashing import keccak
from identity.purposes import METER, delegate_type
from identity.signature import Signer, recover
from identity.typed_data import Domain
from settlement.contracted import Obligation
from settlement.effects.meter_desk import MeterDesk
from settlement.effects.meter_store import MeterStore
from settlement.imbalance import Prices
from settlement.imbalance_rules import ImbalanceRules
from settlement.metering import MeteringRules, Registries, SignerOf, admit
from settlement.reading import Reading, SignedReading
from settlement.readings import Readings
from settlement.runs import Evidence, make_run

SLOT, FIRST, DAY, EVER = 900, 1_782_000_000, 86_400, (1 << 40) - 1
DEVICE, OWNER = Signer(b"\7" * 32), Signer(b"\x08" * 32)
ROLE = keccak(b"asset role")
SEPARATOR = Domain(1337, Address(b"\1" * 20)).separator()
RULES = ImbalanceRules(
    metering=MeteringRules(slot=SLOT, cut_off=30 * DAY),
    waiting=DAY,
    counterpart=1,
    prices=Prices(MicroPerKwh(400_000), MicroPerKwh(50_000)),
)


def street(assets: int) -> tuple[list[Address], Registries]:
    """Return loads that are certified and metered, and the registries that say so."""
    authority, properties = AuthorityIndex(), AssetProperties(AssetKind.LOAD, EnergyType.NONE, 4_000)
    nothing = bytes(32)
    authority.apply(
        RoleDefined(
            node=ROLE,
            name="asset",
            version=1,
            issuers=(OWNER.address,),
            issuer_role=nothing,
            revokers=(),
            revoker_role=nothing,
            prerequisites=(),
            all_prerequisites=False,
            most_seconds=0,
            ends_at_sale=False,
            metadata=b"",
            at=0,
        )
    )
    names = [Address(keccak(number.to_bytes(4, "big"))[12:]) for number in range(assets)]
    for asset in names:
        authority.apply(AssetCreated(asset, OWNER.address, 0))
        authority.apply(
            ClaimRegistered(
                subject=asset,
                role=ROLE,
                version=1,
                expiry=EVER,
                issuer=OWNER.address,
                data=properties.pack(),
                epoch=1,
                at=0,
            )
        )
        authority.apply(DelegateChanged(asset, delegate_type(METER, 1), DEVICE.address, EVER, 0))
    return names, Registries(authority=authority, asset_role=ROLE)


def main() -> None:
    """Print one figure a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, default=20_000)
    parser.add_argument("--assets", type=int, default=500)
    asked = parser.parse_args()
    assets, registries = street(asked.assets)
    readings = [
        Reading(
            asset=assets[turn % len(assets)],
            start=FIRST + turn // len(assets) * SLOT,
            seconds=SLOT,
            net=Wh(-(turn % 999)),
        )
        for turn in range(asked.readings)
    ]
    signed = [SignedReading(reading, DEVICE.sign(reading.digest(SEPARATOR))) for reading in readings]
    now = readings[-1].end

    def decide(signer_of: SignerOf = recover) -> Readings:
        held = Readings()
        for one in signed:
            admitted = admit(
                one,
                now,
                held=held,
                registries=registries,
                rules=RULES.metering,
                separator=SEPARATOR,
                signer_of=signer_of,
            )
            held.add(admitted.accepted)
        return held

    def run() -> None:
        obligations = {(reading.asset, reading.start): Obligation(contracted=Wh(-500)) for reading in readings}
        evidence = Evidence(readings=held, obligations=obligations, account_of=lambda *_: 2, prices_of=lambda _: None)
        make_run(now + DAY, evidence, RULES)

    held = decide(lambda *_: DEVICE.address)
    digests = [(reading.digest(SEPARATOR), one.signature) for reading, one in zip(readings, signed, strict=True)]
    spent = in_turns(
        {
            "decided, signers known": lambda: decide(lambda *_: DEVICE.address),
            "decided, signers recovered": decide,
            "settled in one run": run,
            "base: recovery alone": lambda: [recover(*one) for one in digests],
        },
        repeats=3,
    )
    with TemporaryDirectory() as folder, closing(MeterStore(f"sqlite:///{folder}/meters.db")) as store:
        desk = MeterDesk(store, lambda: registries, RULES, SEPARATOR, lambda: now)
        batches = [signed[first : first + 1_000] for first in range(0, len(signed), 1_000)]
        spent["taken in thousands, on the disk"] = cpu_seconds(lambda: [desk.submit(batch) for batch in batches])
    for name, seconds in spent.items():
        print(f"{name}: {asked.readings / seconds:,.0f} a core-second, {seconds / asked.readings * 1e6:.1f} µs each")
    print(load_line())


if __name__ == "__main__":
    main()
