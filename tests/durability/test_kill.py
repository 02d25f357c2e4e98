"""What was acknowledged survives a kill at any instant; `python -m bench.kill --times 50` is the long version."""

import pytest

from bench.kill import run


@pytest.mark.slow
def test_a_server_that_is_killed_again_and_again_loses_nothing(tmp_path):
    figures = run(tmp_path, times=5, seed=7, a_second=60, longest=1.5)
    assert figures["kills"]["under load"] == 5
    assert figures["acknowledged"] > 20
    assert figures["sessions_settled"] > 0
