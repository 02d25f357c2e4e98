"""Who may act: questions to the authority index in memory, and what they add to taking an order.

    python -m bench.authority [--questions N] [--members N]

Half the assets have a delegate, a third of the questions are refused. The base of the questions is one view of a
contract asked over JSON-RPC, on a chain in this process and on the loopback; a whole question would take three of them.
The base of the orders is the same market with a registry that believes everybody.
"""

import argparse
import time
from collections.abc import Callable

from bench.measure import cpu_seconds, in_turns, load_line
from bench.town import CREDIT, EVER, FIRST_START, Clock, Town
from contracts.abi import abi_of
from contracts.deployment import RoleNodes, deploy
from contracts.devnet_keys import devnet_key
from contracts.devnet_server import DevnetServer
from contracts.local_evm import LocalEvm
from contracts.rpc_evm import RpcEvm
from exchange.events import ParametersSet
from exchange.market import Market
from exchange.order import SignedOrder
from exchange.receipt import Receipt
from exchange.recovered import Recovered
from identity.address import Address
from identity.authority import AuthorityIndex
from identity.errors import AuthorityRefused
from identity.facts import DelegateChanged
from identity.purposes import TRADE, delegate_type
from identity.registry import Registry, Standing
from identity.signature import Signer

Question = tuple[Address, Address]


class Trusting(Registry):
    """Believes everybody: what an exchange without identity would ask."""

    def judge(self, identity: Address, *_: object, **__: object) -> Standing:
        """Say yes."""
        asset = self.assets[identity]
        return Standing(asset, self.accounts[asset.account], as_delegate=False)


def delegated(town: Town) -> Address:
    """Let one aggregator trade for every other asset of the town."""
    aggregator = Signer(b"\7" * 32).address
    kind = delegate_type(TRADE, 1)
    for asset in town.assets[::2]:
        town.registry.apply(DelegateChanged(asset, kind, aggregator, EVER, 0))
    return aggregator


def questions(town: Town, aggregator: Address, count: int) -> list[Question]:
    """Return so many questions: owners, and the aggregator, half of whose are refused."""
    asked = []
    for number in range(count):
        member = number % len(town.assets)
        by_owner = number % 3 == 0
        asked.append((town.signers[member].address if by_owner else aggregator, town.assets[member]))
    return asked


def answer(index: AuthorityIndex, asked: list[Question], role: bytes, at: int) -> int:
    """Ask them all; return how many are refused."""
    refused = 0
    for signer, asset in asked:
        try:
            index.may_act(signer, asset, TRADE, at, role=role)
        except AuthorityRefused:
            refused += 1
    return refused


def seconds_of_a_call(calls: int = 200) -> float:
    """Return the wall seconds of one view over JSON-RPC."""
    evm = LocalEvm(lambda: FIRST_START, genesis_time=FIRST_START)
    nodes = RoleNodes(asset=b"\1" * 32, balancing_provider=b"\2" * 32, grid_operator=b"\3" * 32)
    deployment = deploy(evm, devnet_key(0), roles=nodes)
    data = abi_of("AssetRegistry").calldata("tenure", bytes(20))
    with DevnetServer(evm, port=0) as server:
        node = RpcEvm(server.url)
        node.call(deployment.asset_registry, data)
        began = time.perf_counter()
        for _ in range(calls):
            node.call(deployment.asset_registry, data)
        return (time.perf_counter() - began) / calls


def admissions(
    town: Town, registry: Registry, orders: list[SignedOrder], known: list[Recovered | None]
) -> Callable[[], None]:
    """Return the work of deciding on these orders with a registry, the receipts' signatures left out."""

    def work() -> None:
        market, clock = Market(), Clock()
        market.apply(ParametersSet(parameters=town.parameters, at=0))
        for signed, recovered in zip(orders, known, strict=True):
            market.apply(
                market.take(
                    signed,
                    registry=registry,
                    credit=lambda _: CREDIT,
                    receipt=lambda name, sequence, at: Receipt(name, sequence, at, bytes(64)),
                    sequence=market.next_sequence,
                    now=clock(),
                    known=recovered,
                )
            )

    return work


def main() -> None:
    """Print both figures beside their bases."""
    options = argparse.ArgumentParser(description="Questions of authority, and what they cost an order.")
    options.add_argument("--questions", type=int, default=300_000)
    options.add_argument("--members", type=int, default=1_000)
    options.add_argument("--orders", type=int, default=3_000)
    asked = options.parse_args()
    town = Town(asked.members)
    aggregator = delegated(town)
    everything = questions(town, aggregator, asked.questions)
    index, role, at = town.registry.authority, town.roles.asset, FIRST_START
    yes = [each for each in everything if not answer(index, [each], role, at)]
    spent = in_turns(
        {
            "mixed": lambda: answer(index, everything, role, at),
            "allowed": lambda: answer(index, yes, role, at),
        }
    )
    call = seconds_of_a_call()
    each, allowed = spent["mixed"] / len(everything), spent["allowed"] / len(yes)
    print(
        f"{len(everything):,} questions, {1 - len(yes) / len(everything):.0%} refused: {1 / each:,.0f} a core-second, "
        f"{1 / allowed:,.0f} where the answer is yes; one eth_call {call * 1e6:.0f} us wall, {call / allowed:,.0f} of "
        f"these; {load_line()}"
    )
    orders = list(town.orders(asked.orders))
    recovered = cpu_seconds(lambda: [each.order.digest(town.separator) for each in orders])
    known = [
        Recovered(each.order.digest(town.separator), town.signers[number % asked.members].address)
        for number, each in enumerate(orders)
    ]
    trusting = Trusting(town.roles)
    for fact in town.facts():
        trusting.apply(fact)
    spent = in_turns(
        {
            "with": admissions(town, town.registry, orders, [None] * len(orders)),
            "without": admissions(town, trusting, orders, [None] * len(orders)),
            "bare with": admissions(town, town.registry, orders, known),
            "bare without": admissions(town, trusting, orders, known),
        }
    )
    us = {name: seconds / len(orders) * 1e6 for name, seconds in spent.items()}
    print(
        f"an order admitted, its signer recovered: {us['with']:.1f} us CPU with identity, {us['without']:.1f} without, "
        f"{us['with'] / us['without']:.2f}; the decision alone {us['bare with']:.1f} and {us['bare without']:.1f}, "
        f"{us['bare with'] / us['bare without']:.2f}; its digest {recovered / len(orders) * 1e6:.1f}; {load_line()}"
    )


if __name__ == "__main__":
    main()
