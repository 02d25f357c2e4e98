"""A town whose imbalance is settled: leaves, trees, claims, readings and charges, from the standards alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

from eth_abi import encode

from contracts.artifacts import load
from tests.contracts.caller import Contract
from tests.contracts.identities import digest_of
from tests.contracts.machine import Outcome
from tests.contracts.orders import address_of, keccak, key_of, merkle_root, sign
from tests.contracts.town import PERIOD, START, Town

METER = keccak(b"merit.meter.v1")
READING = "Reading(address asset,uint40 start,uint32 seconds,int64 netWh,uint64 version)"
CAP, DISPUTABLE, BOND = 1_000_000, 7_200, 10**9
SHORT, LONG = 400_000, 50_000
RULES = b"\x33" * 32
COUNTERPART, CLAIMANT = "the counterpart", "the operator"
BASE_OF_SALTS = b"\x5a" * 30


@dataclass(frozen=True, kw_only=True)
class Leaf:
    asset: int
    account: int
    net: int
    contracted: int = 0
    version: int = 1
    salt: bytes = b"\x77" * 32
    deviation: int | None = None

    def but(self, **changes: Any) -> Self:
        return replace(self, **changes)

    @property
    def deviates(self) -> int:
        return self.net - self.contracted if self.deviation is None else self.deviation

    @property
    def sealed(self) -> bytes:
        kinds = ["int256", "int256", "uint256", "bytes32"]
        return keccak(encode(kinds, [self.net, self.contracted, self.version, self.salt]))

    def hash(self, session: int) -> bytes:
        kinds = ["uint256", "uint256", "uint256", "int256", "bytes32"]
        return keccak(keccak(encode(kinds, [session, self.asset, self.account, self.deviates, self.sealed])))

    def values(self) -> tuple[Any, ...]:
        return self.asset, self.account, self.deviates, self.net, self.contracted, self.version, self.salt


def charge_word(place: int, leaf: Leaf, nano: int, *, high_bits: int = 0) -> int:
    word = high_bits << 240 | place << 224 | leaf.asset << 192 | leaf.account << 160
    return word | (leaf.deviates % 2**64) << 96 | nano % 2**96


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim as it was made; leaves stand in ascending order of their hash, as StandardMerkleTree has them."""

    leaves: Sequence[Leaf]
    account: int
    market: int = 1
    start: int = START
    short: int = SHORT
    long: int = LONG
    parameters: bytes = RULES
    claimed_at: int = 0
    count: int | None = None
    root: bytes | None = None

    def but(self, **changes: Any) -> Self:
        return replace(self, **changes)

    @property
    def session(self) -> int:
        return self.market << 48 | self.start

    def ordered(self) -> list[Leaf]:
        return sorted(self.leaves, key=lambda leaf: leaf.hash(self.session))

    def values(self) -> tuple[Any, ...]:
        count = len(self.leaves) if self.count is None else self.count
        return (
            self.market, self.start, self.the_root(), count, self.short, self.long, self.parameters, self.account,
            self.claimed_at,
        )  # fmt: skip

    def the_root(self) -> bytes:
        return self.root or merkle_root([leaf.hash(self.session) for leaf in self.ordered()])

    def proof(self, leaf: Leaf) -> list[bytes]:
        """By way of the array: node i has the children 2i + 1 and 2i + 2."""
        nodes = [each.hash(self.session) for each in self.ordered()]
        tree = [b""] * (len(nodes) - 1) + list(reversed(nodes))
        for i in reversed(range(len(nodes) - 1)):
            tree[i] = keccak(b"".join(sorted((tree[2 * i + 1], tree[2 * i + 2]))))
        at, siblings = tree.index(leaf.hash(self.session)), []
        while at:
            siblings.append(tree[at + 1 if at % 2 else at - 1])
            at = (at - 1) // 2
        return siblings

    def full(self, leaf: Leaf) -> int:
        """What the deviation comes to at its price."""
        return leaf.deviates * (self.short if leaf.deviates < 0 else self.long)

    def opened(self, charges: dict[int, int]) -> tuple[list[bytes], list[int]]:
        """What settling is told; `charges` are by asset."""
        nodes, words = [], {}
        for place, leaf in enumerate(self.ordered()):
            charged = leaf.asset in charges
            nodes.append(leaf.sealed if charged else leaf.hash(self.session))
            if charged:
                words[leaf.asset] = charge_word(place, leaf, charges[leaf.asset])
        return nodes, [words[asset] for asset in sorted(words)]


@dataclass
class Metered:
    """The town with the contract of imbalance beside its settlement, named there and open in market 1."""

    town: Town
    imbalance: Contract = field(init=False)
    last_gas: int = 0

    def __post_init__(self) -> None:
        town = self.town
        self.imbalance = Contract(town.machine, load("Imbalance"), "the deployer", town.settlement.address)
        town.open_account(COUNTERPART, 100)
        town.open_account(CLAIMANT, 100)

    def name_it(self) -> None:
        """Have it named, and let the time pass until it may move credit."""
        self.town.send("the admin", "name_clearer", self.imbalance.address)
        since = self.town.read("clearer") >> 160
        self.town.move_to(max(self.town.machine.now, since))

    def open(self, market: int = 1, **changes: Any) -> Outcome:
        terms = {
            "counterpart": self.town.accounts[COUNTERPART],
            "price_cap": CAP,
            "window_seconds": DISPUTABLE,
            "bond_nano": BOND,
            "sender": "the grid operator",
        } | changes
        sender = terms.pop("sender")
        return self.imbalance.send(sender, "open_imbalance", market, *terms.values())

    def wait_for_delivery(self) -> None:
        self.town.move_to(max(self.town.machine.now, START + PERIOD))

    def wait_for_the_window(self, claim: Claim) -> None:
        self.town.move_to(claim.claimed_at + DISPUTABLE + 1)

    @contextmanager
    def as_before(self) -> Iterator[Self]:
        with self.town.as_before():
            yield self

    def leaf(self, asset: str, net: int, **changes: Any) -> Leaf:
        """A leaf of a member's asset; the member's account, unless `changes` say otherwise."""
        fields = {"asset": self.town.assets[asset], "account": self.town.accounts.get(asset, 0), "net": net}
        number = self.town.assets[asset]
        return Leaf(**({"salt": BASE_OF_SALTS + number.to_bytes(2)} | fields | changes))

    def claim_of(self, leaves: Sequence[Leaf], **changes: Any) -> Claim:
        return Claim(**({"leaves": leaves, "account": self.town.accounts[CLAIMANT]} | changes))

    def claim(self, claim: Claim, sender: str = CLAIMANT) -> Claim:
        """Make the claim; returned with the time that it was made at."""
        outcome = self.imbalance.send(sender, "claim", *claim.values()[:-1])
        [(_, fields)] = self.imbalance.events(outcome)
        self.last_gas = outcome.gas
        return claim.but(claimed_at=fields["claimed_at"])

    def reading(self, asset: str, net: int, *, meter: str, version: int = 1, **changes: Any) -> tuple[Any, ...]:
        """What a meter signs, as the contract takes it: net, version, r, vs."""
        fields = {"identity": self.town.identities[asset], "start": START, "seconds": PERIOD} | changes
        contract = fields.pop("contract", self.town.settlement.address)
        digest = digest_of("Merit", "1", contract, READING, *fields.values(), net, version)
        r, parity, s = sign(digest, key_of(meter))
        return net, version, r, (parity << 255 | int.from_bytes(s)).to_bytes(32)

    def name_meter(self, asset: str, owner: str, meter: str, seconds: int = 2**32) -> None:
        self.town.registries.delegate(self.town.identities[asset], owner, meter, seconds, METER)

    def dispute(
        self, claim: Claim, leaf: Leaf, reading: tuple[Any, ...], *, account: str = "the producer", **changes: Any
    ) -> Outcome:
        proof = changes.get("proof") or claim.proof(leaf)
        arguments = claim.values(), leaf.values(), proof, *reading, self.town.accounts[account]
        return self.imbalance.send("a passer-by", "dispute", *arguments)

    def settle(self, claim: Claim, charges: dict[int, int], sender: str = CLAIMANT) -> Outcome:
        return self.imbalance.send(sender, "settle_imbalance", claim.values(), *claim.opened(charges))

    def bonds(self) -> int:
        return int(self.town.read("credit_of", self.imbalance.read("bond_account")))

    def moved(self, outcome: Outcome) -> list[tuple[int, int]]:
        """The entries that the settlement logged, each an account and the change of its credit."""
        [(_, fields)] = self.town.settlement.events(outcome)
        return [(entry >> 96, (entry & 2**96 - 1) - (2**96 if entry >> 95 & 1 else 0)) for entry in fields["entries"]]


def member_of(number: int) -> str:
    return f"member {number}"


def street(town: Town, members: int) -> Metered:
    """A metered town of so many more members, named and open, after delivery."""
    metered = Metered(town)
    town.euro.send("the admin", "mint", address_of("the sponsor"), 10**12)
    town.euro.send("the sponsor", "approve", town.settlement.address, 2**256 - 1)
    for number in range(members):
        town.open_account(member_of(number))
        town.send("the sponsor", "deposit", town.accounts[member_of(number)], 100 * 10**6)
        town.enrol(member_of(number))
    metered.name_it()
    metered.open()
    metered.wait_for_delivery()
    return metered
