"""Whatever bits are flipped in whatever file, the audit ends: sound if nothing depends on them, else with a reason."""

import random

import pytest

from app.auditing import audit_folder
from app.exit_codes import Exit
from app.refusals import exit_of

EXPECTED = {Exit.INVALID_INPUT, Exit.VERIFICATION_FAILED}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["journal.db", "settlement.db", "exchange.json", "chain.jsonl"])
def test_no_flipped_bit_makes_the_audit_fail_in_a_way_nobody_expects(played, tmp_path, name):
    chosen, endings = random.Random(name), []
    for attempt in range(40):
        copy = played.copy(tmp_path / str(attempt))
        raw = bytearray((copy / name).read_bytes())
        for _ in range(chosen.randrange(1, 4)):
            raw[chosen.randrange(len(raw))] ^= 1 << chosen.randrange(8)
        (copy / name).write_bytes(raw)
        try:
            verdict = audit_folder(copy)
        except Exception as error:
            endings.append(exit_of(error))
            if endings[-1] not in EXPECTED:
                raise
        else:
            endings.append(Exit.DONE if verdict.sound else Exit.VERIFICATION_FAILED)
    assert any(ending is not Exit.DONE for ending in endings)
    if name == "chain.jsonl":
        # a capital letter in a hexadecimal number says the same
        assert {*endings} <= {Exit.DONE, Exit.VERIFICATION_FAILED}
