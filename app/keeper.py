"""The keeper: has the settlement contract enrol certified assets and ask the registries anew, before anybody misses it.

Anybody may send these transactions, so the keeper's key has no duty of its own and owns nothing but the gas. It waits
for no receipt: what was done shows in the log, and what was not is tried again.
"""

import logging
from collections.abc import Callable, Hashable, Iterable

from contracts.chains import ChainPreset
from contracts.errors import EvmError
from contracts.evm import Evm
from contracts.transacting import send
from identity.address import Address, to_text
from identity.registry import Registry
from settlement.effects import settlement_contract
from settlement.upkeep import upkeep

AT_ONCE = 64
"""How many enrolments the contract refreshes in one transaction."""

PAUSE_SECONDS = 15
"""How long between two looks at what is due."""

PATIENCE_SECONDS = 300
"""How long something that was sent is given before it is sent again."""

_log = logging.getLogger("merit.keeper")


class Keeper:
    """Keeps one settlement contract's answers fresh, paying with `key`, which nobody else sends with."""

    def __init__(
        self,
        evm: Evm,
        contract: Address,
        registry: Callable[[], Registry],
        key: bytes,
        *,
        cache_seconds: int,
        preset: ChainPreset,
    ) -> None:
        self._evm = evm
        self._contract = contract
        self._registry = registry
        self._key = key
        self._cache_seconds = cache_seconds
        self._preset = preset
        self._sent: dict[Hashable, int] = {}
        self._looked_at: int | None = None

    def keep(self, now: int) -> int:
        """Send what is due at `now`, at most every `PAUSE_SECONDS`; return how many transactions were sent."""
        if self._looked_at is not None and now - self._looked_at < PAUSE_SECONDS:
            return 0
        self._looked_at = now
        return self.keep_now(now)

    def keep_now(self, now: int) -> int:
        """Send what is due at `now`; return how many transactions were sent."""
        self._sent = {item: at for item, at in self._sent.items() if now - at < PATIENCE_SECONDS}
        due = upkeep(self._registry(), now, self._cache_seconds)
        sent = 0
        for identity, account in due.enrol:
            if (identity, account) not in self._sent:
                sent += self._send(
                    settlement_contract.enrol(identity, account), f"the enrolment of {to_text(identity)}"
                )
                self._sent[identity, account] = now
        numbers = [number for number in due.refresh if number not in self._sent]
        for some in _in_lots(numbers):
            sent += self._send(settlement_contract.refresh(some), f"asking anew about {len(some)} assets")
            self._sent |= dict.fromkeys(some, now)
        return sent

    def _send(self, data: bytes, what: str) -> bool:
        try:
            send(self._evm, self._key, self._contract, data, preset=self._preset)
        except EvmError as error:
            _log.warning("%s was not sent: %s", what, error)
            return False
        _log.info("%s was sent", what)
        return True


def _in_lots(numbers: list[int]) -> Iterable[list[int]]:
    return (numbers[start : start + AT_ONCE] for start in range(0, len(numbers), AT_ONCE))
