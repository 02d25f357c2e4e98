"""Where readings are handed in, and where runs are made: decided in a transaction of the store, then answered."""

from collections.abc import Callable, Mapping, Sequence

from identity.address import Address
from identity.errors import BadSignature, IdentityRefused
from identity.signature import recover
from settlement.contracted import Obligation, Place
from settlement.effects.meter_store import MeterStore, Standing
from settlement.imbalance_rules import ImbalanceRules
from settlement.metering import Admitted, Registries, admit
from settlement.metering_errors import MeteringRefused, RunOutOfTurn
from settlement.reading import AcceptedReading, SignedReading
from settlement.readings import Readings
from settlement.runs import NO_RUN, Evidence, Run, make_run

_WEEKS_BACK_SECONDS = 4 * 7 * 86_400
"""How far back an estimate may look for the value of an earlier week."""

Answer = Admitted | MeteringRefused | IdentityRefused


class MeterDesk:
    """Takes readings under `rules`, as the registries say at the time, and makes runs.

    `separator` is that of the domain readings are signed under, `clock` gives unix seconds.
    """

    def __init__(
        self,
        store: MeterStore,
        registries: Callable[[], Registries],
        rules: ImbalanceRules,
        separator: bytes,
        clock: Callable[[], int],
    ) -> None:
        self.store = store
        self.rules = rules
        self._registries = registries
        self._separator = separator
        self._clock = clock

    def submit(self, readings: Sequence[SignedReading]) -> list[Answer]:
        """Decide on each reading by itself, in the order given; what is taken has reached the disk when this returns.

        Raises `StoreBroken`; then nothing was taken.
        """
        signers = self._recovered(readings)
        answers: list[Answer] = []

        def signer_of(digest: bytes, signature: bytes) -> Address:
            signer = signers[digest, signature]
            if isinstance(signer, BadSignature):
                raise signer
            return signer

        def decide(held: Readings) -> list[AcceptedReading]:
            now, registries, taken = self._clock(), self._registries(), []
            answers.clear()
            for signed in readings:
                try:
                    admitted = admit(
                        signed,
                        now,
                        held=held,
                        registries=registries,
                        rules=self.rules.metering,
                        separator=self._separator,
                        signer_of=signer_of,
                    )
                except (MeteringRefused, IdentityRefused) as refusal:
                    answers.append(refusal)
                    continue
                answers.append(admitted)
                if admitted.new:
                    held.add(admitted.accepted)
                    taken.append(admitted.accepted)
            return taken

        self.store.take(((one.reading.asset, one.reading.start) for one in readings), decide)
        return answers

    def settle(
        self,
        obligations: Mapping[Place, Obligation],
        account_of: Callable[[Address, int], int | None],
        as_of: int | None = None,
    ) -> Run:
        """Make the next run as of an instant, or else of now, and write it down.

        `obligations` are what assets are held against, of slots since `open_since` at least. Refuses an instant before
        the last run's, or one that has not come.
        """

        def decide(standing: Standing) -> Run:
            now = self._clock()
            last = standing.last
            instant = now if as_of is None else as_of
            if instant > now:
                raise RunOutOfTurn(instant, 0 if last is None else last.as_of, now)
            return make_run(
                instant,
                Evidence(
                    readings=standing.readings,
                    obligations=obligations,
                    account_of=account_of,
                    prices_of=standing.prices.get,
                ),
                self.rules,
                number=1 if last is None else last.number + 1,
                previous=NO_RUN if last is None else last.hash,
                previous_as_of=0 if last is None else last.as_of,
                settled=standing.settled,
            )

        return self.store.settle(self.rules, max(self.open_since() - _WEEKS_BACK_SECONDS, 0), decide)

    def open_since(self) -> int:
        """Return the instant since which slots were not final yet at the last run."""
        last = self.store.last_run()
        return 0 if last is None else max(last.as_of - self.rules.metering.cut_off - self.rules.slot + 1, 0)

    def _recovered(self, readings: Sequence[SignedReading]) -> dict[tuple[bytes, bytes], Address | BadSignature]:
        """Recover every signer before the store is held up; who signed nothing is told so where it is asked for."""
        found: dict[tuple[bytes, bytes], Address | BadSignature] = {}
        for signed in readings:
            name = signed.reading.digest(self._separator)
            try:
                found[name, signed.signature] = recover(name, signed.signature)
            except BadSignature as refusal:
                found[name, signed.signature] = refusal
        return found
