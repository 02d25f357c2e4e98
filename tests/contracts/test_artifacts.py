"""What is committed is what the sources say."""

import subprocess
import sys

import pytest

from contracts.artifacts import DEPLOYABLE, Artifact, build, load, path_of


@pytest.mark.slow  # `make check` builds them, too
@pytest.mark.parametrize("name", DEPLOYABLE)
def test_building_again_gives_what_is_committed(name):
    assert build(name).to_json() == path_of(name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DEPLOYABLE)
def test_an_artifact_reads_back_as_written(name):
    assert Artifact.from_json(load(name).to_json()) == load(name)


@pytest.mark.parametrize("name", DEPLOYABLE)
def test_the_code_fits_in_a_contract(name):
    assert load(name).runtime_size < 24_576


def test_the_largest_contract_fits_with_what_it_is_told_when_deployed(town):
    """What never changes after that is appended to the code; the bound is EIP-170's. Some bytes are kept for later."""
    size = len(town.machine.code(town.settlement.address))
    assert size > load("Settlement").runtime_size
    assert size <= 24_576 - 400


def test_a_contract_that_does_not_exist_is_named():
    with pytest.raises(KeyError, match="no contract is called Bank"):
        load("Bank")


def test_loading_needs_no_compiler():
    program = "import sys; from contracts.artifacts import load; load('Settlement'); print('vyper' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
    )
