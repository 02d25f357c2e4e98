"""What assets have promised to balance, by slot, and whether an offer of balancing is within what they can still do.

An open offer counts wholly, since all of it may be awarded; once its session is cleared, what was awarded does.
"""

from collections.abc import Iterable, Mapping

from exchange.balancing_admission import certified_properties
from exchange.balancing_errors import BeyondHeadroom, ChargeOutOfBounds, ChargeOvertaken, NoStateOfCharge
from exchange.charge import StateOfCharge
from exchange.clearing import Clearing
from exchange.delivery import BALANCING, Market, Product, SessionKey
from exchange.errors import SessionNotCleared
from exchange.events import ChargeStated
from exchange.headroom import StoredEnergy, Use, headroom
from exchange.held_session import Session
from exchange.order import Order, Side
from exchange.positions import Positions, fills_of, slots_of
from exchange.units import NO_ENERGY, Wh
from identity.address import Address, to_text
from identity.claim_data import AssetProperties
from identity.registry import Registry
from identity.signature import recover

_NEVER = 1 << 40


class Reserves:
    """Energy promised, up and down, by asset and slot, and how full storages said they are.

    `slot` is the seconds of one, `markets` are the products by number. What is no offer of balancing is passed over.
    """

    def __init__(self, markets: Mapping[int, Market], slot: int) -> None:
        self._markets = markets
        self._slot = slot
        self._promised: dict[Address, dict[int, dict[Product, int]]] = {}
        self._charges: dict[Address, ChargeStated] = {}
        self._by_digest: dict[bytes, Address] = {}

    # What is promised

    def add(self, order: Order) -> None:
        """Count an offer that was taken."""
        self._promise(order, order.energy)

    def remove(self, order: Order) -> None:
        """Count an offer no longer: it was taken back, or its session is cleared."""
        self._promise(order, -order.energy)

    def award(self, session: Session, clearing: Clearing) -> None:
        """Count what was awarded in a session in place of the offers that stood in it."""
        if session.key.product not in BALANCING:
            return
        fills = fills_of(clearing)
        for accepted in session.live():
            self.remove(accepted.signed.order)
            self._promise(accepted.signed.order, fills.get(accepted.digest, (NO_ENERGY, NO_ENERGY))[1])

    def of(self, asset: Address, product: Product, slot: int) -> Wh:
        """Return what an asset has promised of a balancing product in a slot."""
        return Wh(self._promised.get(asset, {}).get(slot, {}).get(product, 0))

    def forget(self, before: int) -> None:
        """Let go of the slots that begin before an instant."""
        for asset, slots in list(self._promised.items()):
            for slot in [slot for slot in slots if slot < before]:
                del slots[slot]
            if not slots:
                del self._promised[asset]

    def _promise(self, order: Order, energy: int) -> None:
        if order.product not in BALANCING or order.side is not Side.OFFER or not energy:
            return
        slots = self._promised.setdefault(order.asset, {})
        promised = slots.setdefault(order.delivery_start, {})
        left = promised.pop(order.product, 0) + energy
        assert left >= 0, "no more is taken back than was promised"
        if left:
            promised[order.product] = left
        if not promised:
            del slots[order.delivery_start]
        if not slots:
            del self._promised[order.asset]

    # How full storages are

    def stated(self, asset: Address) -> ChargeStated | None:
        """Return the last statement of how full an asset is."""
        return self._charges.get(asset)

    def held(self, digest: bytes) -> ChargeStated | None:
        """Return the statement with this name, if it still is its asset's last."""
        stated = self._charges.get(self._by_digest.get(digest, Address(b"")))
        return stated if stated is not None and stated.digest == digest else None

    def decide(
        self, charge: StateOfCharge, signature: bytes, *, separator: bytes, registry: Registry, now: int
    ) -> ChargeStated | None:
        """Decide on a signed state of charge; nothing is to be done for one that is held already.

        Refuses a signature of nobody, one of who may not sign for the asset, and what `must_follow` refuses.
        """
        digest = charge.digest(separator)
        signer = recover(digest, signature)
        if self.held(digest) is not None:
            return None
        account = registry.judge(charge.asset, signer, charge.epoch, now).account.number
        self.must_follow(charge, certified_properties(registry, charge.asset, now))
        return ChargeStated(digest=digest, charge=charge, signature=signature, signer=signer, account=account, at=now)

    def must_follow(self, charge: StateOfCharge, properties: AssetProperties) -> None:
        """Refuse a statement that was overtaken, or that the asset cannot be in."""
        held = self._charges.get(charge.asset)
        if held is not None and charge.serial <= held.charge.serial:
            raise ChargeOvertaken(charge.serial, held.charge.serial)
        if charge.at % self._slot:
            raise ChargeOutOfBounds(f"no slot of {self._slot} s begins at {charge.at}")
        if charge.stored > properties.capacity_wh:
            raise ChargeOutOfBounds(f"{charge.stored} Wh are more than the capacity of {properties.capacity_wh} Wh")

    def state(self, event: ChargeStated) -> None:
        """Take a statement in place of the asset's last."""
        former = self._charges.get(event.charge.asset)
        if former is not None:
            del self._by_digest[former.digest]
        self._charges[event.charge.asset] = event
        self._by_digest[event.digest] = event.charge.asset

    # Headroom

    def must_fit(self, order: Order, positions: Positions, uncleared: Iterable[SessionKey], registry: Registry) -> None:
        """Refuse an offer beyond what its asset can do beside what it has traded and promised.

        Power and capacity are those that it is certified for as of gate closure. While a session is `uncleared` that
        could still change what the asset has traded for that time, nothing is offered.
        """
        if order.product not in BALANCING or order.side is not Side.OFFER:
            return
        asset, slot = order.asset, order.delivery_start
        for key in sorted(uncleared):
            if key.product not in BALANCING and slot in slots_of(key, self._markets, self._slot):
                closure = self._markets[key.market].gate_closure(key.delivery_start)
                raise SessionNotCleared(str(key), closure)
        at = self._markets[order.market].gate_closure(slot)
        properties = certified_properties(registry, asset, at)
        begin, end, stored = slot, slot + 1, None
        if properties.capacity_wh:
            stated = self._charges.get(asset)
            if stated is None or stated.charge.at > slot or stated.charge.at < positions.kept_from:
                raise NoStateOfCharge(to_text(asset), energy=order.energy, slot=slot)
            charge, begin, end = stated.charge, stated.charge.at, _NEVER
            if charge.stored > properties.capacity_wh:  # certified anew, for less than it was stated to hold
                raise NoStateOfCharge(to_text(asset), energy=order.energy, slot=slot)
            stored = StoredEnergy(charge.stored, charge.least, Wh(properties.capacity_wh))
        room = headroom(
            order.product, properties, self._slot, self._uses(asset, positions, slot, begin, end), slot, stored
        )
        if order.energy > room.energy:
            raise BeyondHeadroom(
                to_text(asset),
                energy=order.energy,
                headroom=room.energy,
                bound=room.bound,
                figure=room.figure,
                slot=room.slot,
            )

    def _uses(self, asset: Address, positions: Positions, slot: int, begin: int, end: int) -> list[Use]:
        """Return what an asset has agreed on from `begin` up to `end`, and for `slot` in any case."""
        net: dict[int, int] = {slot: 0}
        for held in positions.between(asset, begin, end):
            net[held.slot] = net.get(held.slot, 0) + held.position.out - held.position.into
        for promised in self._promised.get(asset, {}):
            if begin <= promised < end:
                net.setdefault(promised, 0)
        return [
            Use(
                start,
                fed,
                self.of(asset, Product.BALANCING_UP, start),
                self.of(asset, Product.BALANCING_DOWN, start),
            )
            for start, fed in sorted(net.items())
        ]
