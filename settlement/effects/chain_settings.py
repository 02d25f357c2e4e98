"""How one chain is treated: finality, fees, gas, patience and the lease, as plain values."""

from dataclasses import dataclass

from settlement.effects.fees import LEAST_BUMP_PERCENT, FeePolicy
from settlement.parts import MAX_GAS

_GWEI = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSettings:
    """How one chain is treated. Fees are wei per gas.

    A batch is final when `confirmations` blocks lie on top of its own. `legacy` chains take no EIP-1559 transactions.
    `most_in_flight` transactions wait to be mined at once: nodes drop what queues too deep. Where gas is free, on a
    chain of one's own, only the session is tried before sending, not its orders and trades: if they are wrong, the
    block says so at no cost, and executing a large batch thrice in this process takes seconds.

    No transaction may use more than `gas_cap` gas. Its tip (or legacy gas price) is `priority_floor_wei` at least, it
    leaves room for the base fee to grow `base_fee_multiplier` times, and offers `max_fee_cap_wei` at most in all. One
    that was not mined within `patience_seconds`, though blocks were, is replaced by one that offers `bump_percent`
    more.

    Only one submitter works at a time: each step takes the lease for `lease_seconds`, and another waits that long
    after the last step of one that died. A batch is reported when less than `margin_seconds` of its window are left.
    """

    chain_id: int
    confirmations: int = 0
    legacy: bool = False
    most_in_flight: int = 16
    free_gas: bool = False
    max_fee_cap_wei: int = 500 * _GWEI
    priority_floor_wei: int = 0
    base_fee_multiplier: int = 2
    gas_cap: int = MAX_GAS
    bump_percent: int = LEAST_BUMP_PERCENT
    patience_seconds: int = 60
    lease_seconds: int = 15
    margin_seconds: int = 900

    def __post_init__(self) -> None:
        for name, value, least in (
            ("confirmations", self.confirmations, 0),
            ("most_in_flight", self.most_in_flight, 1),
            ("max_fee_cap_wei", self.max_fee_cap_wei, 1),
            ("priority_floor_wei", self.priority_floor_wei, 0),
            ("base_fee_multiplier", self.base_fee_multiplier, 1),
            ("gas_cap", self.gas_cap, 21_000),
            ("bump_percent", self.bump_percent, LEAST_BUMP_PERCENT),
            ("patience_seconds", self.patience_seconds, 1),
            ("lease_seconds", self.lease_seconds, 1),
            ("margin_seconds", self.margin_seconds, 0),
        ):
            if not least <= value < 1 << 63:
                raise ValueError(f"{name} is {value}, which is not between {least} and 2^63 - 1")
        if self.priority_floor_wei > self.max_fee_cap_wei:
            raise ValueError("the least tip is above the most that may be offered")

    @property
    def fees(self) -> FeePolicy:
        """What its transactions offer."""
        return FeePolicy(
            cap=self.max_fee_cap_wei,
            floor=self.priority_floor_wei,
            multiplier=self.base_fee_multiplier,
            bump_percent=self.bump_percent,
        )
