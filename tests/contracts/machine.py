"""Two machines that run the contracts: revm, quick enough for properties, and py-evm, with a fork's rules and receipts.

Senders are actors by name; `tests.contracts.orders.key_of` has their keys.
"""

import re
from dataclasses import dataclass
from typing import Protocol

import pyrevm
from eth_abi import decode

from tests.contracts.orders import address_of, key_of

CHAIN_ID = 131277322940537  # eth-tester's, so that a signature means the same on both machines
GENESIS = 1_800_000_000


class Refused(Exception):
    """A call reverted, or a creation did; `reason` is its sentence, empty when it gave none."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason or "without a reason")
        self.reason = reason


@dataclass(frozen=True)
class Outcome:
    gas: int
    output: bytes
    logs: list[tuple[list[bytes], bytes]]


class Machine(Protocol):
    chain_id: int
    now: int

    def create(self, sender: str, code: bytes) -> bytes: ...
    def send(self, sender: str, to: bytes, data: bytes) -> Outcome: ...
    def read(self, to: bytes, data: bytes) -> bytes: ...
    def move_to(self, timestamp: int) -> None: ...


class Revm:
    """revm by pyrevm: no blocks and no fees; the clock stands where it is set."""

    def __init__(self, fork: str = "London", chain_id: int = CHAIN_ID) -> None:
        self.chain_id = chain_id
        self.evm = pyrevm.EVM(spec_id=fork.upper(), env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=chain_id)))
        self.move_to(GENESIS)

    def move_to(self, timestamp: int) -> None:
        self.now = timestamp
        self.evm.set_block_env(pyrevm.BlockEnv(number=1, timestamp=timestamp))

    def snapshot(self) -> object:
        """Mark this moment, to come back to it once; code and counts that a test put there stay."""
        return self.evm.snapshot()

    def revert(self, mark: object) -> None:
        self.evm.revert(mark)

    def code(self, address: bytes) -> bytes:
        return bytes(self.evm.basic("0x" + address.hex()).code)

    def put_code(self, address: bytes, code: bytes) -> None:
        """Put other code where a contract is; its storage stays."""
        self.evm.insert_account_info("0x" + address.hex(), pyrevm.AccountInfo(nonce=1, code=code))

    def raise_count(self, contract: bytes, count: int, to: int, *, near: int) -> None:
        """Set the one storage word after `near` that holds `count`, as if so many had come in between."""
        address = "0x" + contract.hex()
        [slot] = [slot for slot in range(near, near + 24) if self.evm.storage(address, slot) == count]
        self.evm.insert_account_storage(address, slot, to)

    def create(self, sender: str, code: bytes) -> bytes:
        try:
            return bytes.fromhex(self.evm.deploy("0x" + address_of(sender).hex(), code)[2:])
        except RuntimeError as error:
            raise self._refused(error) from None

    def send(self, sender: str, to: bytes, data: bytes) -> Outcome:
        output = self._call(sender, to, data, static=False)
        result = self.evm.result
        logs = [([bytes.fromhex(topic[2:]) for topic in log.topics], bytes(log.data[1])) for log in result.logs]
        return Outcome(gas=result.gas_used, output=output, logs=logs)

    def read(self, to: bytes, data: bytes) -> bytes:
        return self._call("a reader", to, data, static=True)

    def _call(self, sender: str, to: bytes, data: bytes, *, static: bool) -> bytes:
        try:
            return bytes(
                self.evm.message_call("0x" + address_of(sender).hex(), "0x" + to.hex(), data, is_static=static)
            )
        except RuntimeError as error:
            raise self._refused(error) from None

    def _refused(self, error: RuntimeError) -> Refused:
        reverted = re.match(r"Revert \{ gas_used: \d+, output: 0x([0-9a-f]*) \}", str(error))
        if reverted is None:
            raise error
        output = bytes.fromhex(reverted[1])
        told = output[:4] == bytes.fromhex("08c379a0")
        return Refused(str(decode(["string"], output[4:])[0]) if told else "")


class PyEvm:
    """py-evm by eth-tester: signed transactions, a block each, under the rules of `London` or `Prague`."""

    def __init__(self, fork: str) -> None:
        from eth.vm import forks
        from eth_tester.backends.pyevm import PyEVMBackend

        self.chain_id = CHAIN_ID
        self._backend = PyEVMBackend(
            PyEVMBackend.generate_genesis_params({"gas_limit": 60_000_000}),
            vm_configuration=((0, getattr(forks, f"{fork}VM")),),
        )
        self._funder = self._backend.get_accounts()[0]
        self._known: set[str] = set()
        self.move_to(GENESIS)

    def move_to(self, timestamp: int) -> None:
        """Set the time of the next block; each block after it is a second later."""
        self.now = timestamp
        self._backend.chain.header = self._backend.chain.header.copy(timestamp=timestamp)

    def create(self, sender: str, code: bytes) -> bytes:
        return self._send(sender, b"", code)["contract_address"]

    def send(self, sender: str, to: bytes, data: bytes) -> Outcome:
        receipt = self._send(sender, to, data)
        logs = [(list(log["topics"]), log["data"]) for log in receipt["logs"]]
        return Outcome(gas=receipt["gas_used"], output=b"", logs=logs)

    def read(self, to: bytes, data: bytes) -> bytes:
        return self._ask({"from": self._funder, "to": to, "data": data})

    def _ask(self, transaction: dict) -> bytes:
        from eth_tester.exceptions import TransactionFailed

        try:
            return self._backend.call({**transaction, "gas": 30_000_000})
        except TransactionFailed as error:
            raise Refused(str(error.args[0])) from None

    def _send(self, sender: str, to: bytes, data: bytes) -> dict:
        if sender not in self._known:
            self._known.add(sender)
            self._backend.add_account(key_of(sender))
            self._mine({"from": self._funder, "to": address_of(sender), "value": 10**20, "gas": 21_000})
        transaction = {"from": address_of(sender), "to": to, "data": data, "gas": 30_000_000}
        receipt = self._mine(transaction)
        if receipt["status"] == 0:
            self._ask(transaction)
        return receipt

    def _mine(self, transaction: dict) -> dict:
        name = self._backend.send_transaction({**transaction, "max_fee_per_gas": 10**10, "max_priority_fee_per_gas": 0})
        timestamp = self.now
        self._backend.mine_blocks()
        self.move_to(timestamp + 1)
        return self._backend.get_transaction_receipt(name)
