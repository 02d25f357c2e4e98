"""The contract of imbalance at one address of one chain: what it can be told, and what it can be asked.

The first half builds calldata and touches nothing; whoever holds the right key sends it. Readings are shown to it only
where one contradicts a claim. What stands in a claim is made by `settlement.claim_tree`.
"""

from collections.abc import Sequence
from typing import Any

from contracts.abi import abi_of
from contracts.evm import Evm
from exchange.units import MicroPerKwh, Nano, Wh
from identity.address import Address
from settlement.claim_tree import Charge, ClaimLeaf, ClaimTree, ImbalanceClaim
from settlement.facts import ImbalanceOpened


def open_imbalance(terms: ImbalanceOpened) -> bytes:
    """Open imbalance in a market on these terms for good, as one who holds the grid operator's role."""
    return _tell("open_imbalance", terms.market, terms.counterpart, terms.price_cap, terms.window, terms.bond)


def answer_for(responsible: int, account: int, until: int) -> bytes:
    """Answer for the imbalance of `account` in deliveries that start up to `until`, as the holder of `responsible`."""
    return _tell("answer_for", responsible, account, until)


def claim(tree: ClaimTree, *, short: MicroPerKwh, long: MicroPerKwh, parameters: bytes, account: int) -> bytes:
    """Claim a tree of readings at these prices, as an operator and the holder of `account`, which gives the bond."""
    market, start = tree.session >> 48, tree.session & (1 << 48) - 1
    return _tell("claim", market, start, tree.root, len(tree.leaves), short, long, parameters, account)


def dispute(
    claimed: ImbalanceClaim,
    leaf: ClaimLeaf,
    proof: Sequence[bytes],
    *,
    net: Wh,
    version: int,
    signature: bytes,
    account: int,
) -> bytes:
    """Void a claim by a meter's reading of the leaf's asset and period; the bond goes to `account`. Anybody may.

    `signature` is the meter's, of 64 bytes as in EIP-2098.
    """
    opened = (leaf.asset, leaf.account, leaf.deviation, leaf.net, leaf.contracted, leaf.version, leaf.salt)
    reading = net, version, signature[:32], signature[32:]
    return _tell("dispute", claimed.values(), opened, list(proof), *reading, account)


def settle_imbalance(claimed: ImbalanceClaim, tree: ClaimTree, charges: Sequence[Charge]) -> bytes:
    """Charge some leaves of a claim whose window is over, as an operator; raises what `ClaimTree.opened` raises."""
    return _tell("settle_imbalance", claimed.values(), *tree.opened(charges))


def collect(account: int) -> bytes:
    """Pay out a bond that was won during a pause; anybody may."""
    return _tell("collect", account)


class ImbalanceContract:
    """The contract of imbalance at `address`. Every question may raise an `EvmError` or `NoSuchContract`."""

    def __init__(self, evm: Evm, address: Address) -> None:
        self.evm = evm
        self.address = address

    def settlement(self) -> Address:
        """Return the settlement contract whose accounts are charged."""
        return Address(self._ask("settlement")[0])

    def bond_account(self) -> int:
        """Return the account that holds the bonds of the claims that stand."""
        number: int = self._ask("bond_account")[0]
        return number

    def terms(self, market: int, block: int | None = None) -> ImbalanceOpened | None:
        """Return the terms of a market, or None if imbalance is not open there."""
        counterpart, cap, window, bond, _ = self._ask("terms", market, block=block)
        if not bond:
            return None
        return ImbalanceOpened(
            market=market, counterpart=counterpart, price_cap=MicroPerKwh(cap), window=window, bond=Nano(bond)
        )

    def stands(self, claimed: ImbalanceClaim, block: int | None = None) -> bool:
        """Whether this very claim stands: neither voided nor settled."""
        kept: bytes = self._ask("claims", claimed.session, block=block)[0]
        return kept == claimed.hash()

    def is_settled(self, session: int, block: int | None = None) -> bool:
        """Whether the imbalance of a session was settled, so that nothing more is ever charged for it."""
        kept: bytes = self._ask("claims", session, block=block)[0]
        return kept == (1).to_bytes(32)

    def answering_until(self, responsible: int, account: int, block: int | None = None) -> int:
        """Return the last delivery start for which one account answers for another; zero if it never did."""
        until: int = self._ask("answering_until", responsible, account, block=block)[0]
        return until

    def owed(self, account: int, block: int | None = None) -> Nano:
        """Return what an account has won while nothing could be moved."""
        return Nano(self._ask("owed", account, block=block)[0])

    def _ask(self, name: str, *arguments: object, block: int | None = None) -> tuple[Any, ...]:
        return abi_of("Imbalance").ask(self.evm, self.address, name, *arguments, block=block)


def _tell(name: str, *arguments: object) -> bytes:
    return abi_of("Imbalance").calldata(name, *arguments)
