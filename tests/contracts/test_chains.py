"""What the house knows of each chain, and how an operator says otherwise."""

from dataclasses import replace

import pytest

from contracts.chains import MAX_TRANSACTION_GAS, PRESETS, ChainPreset, preset_of, read_overrides
from contracts.errors import ChainSettingsRefused, FeeAboveCap

GWEI = 10**9
HASH = b"\xab" * 32


@pytest.fixture
def settings(tmp_path):
    """Write a file of chain settings and return its path."""

    def write(text: str):
        path = tmp_path / "chains.toml"
        path.write_text(text)
        return path

    return write


def test_the_known_chains_are_found_by_their_id():
    assert {preset.chain_id: preset.name for preset in PRESETS} == {
        1337: "local",
        131277322940537: "eth-tester",
        31337: "anvil",
        246: "energy-web-chain",
        73799: "volta",
        1284: "moonbeam",
    }
    assert all(preset_of(preset.chain_id) is preset for preset in PRESETS)


def test_an_unknown_chain_is_treated_with_care():
    unknown = preset_of(999)
    assert (unknown.chain_id, unknown.name) == (999, "chain-999")
    assert unknown.confirmations >= 12
    assert unknown.gas_cap == MAX_TRANSACTION_GAS
    assert not unknown.play
    assert unknown.explorer is None


def test_public_keys_are_for_chains_of_ones_own_only():
    assert {preset.name for preset in PRESETS if preset.play} == {"local", "eth-tester", "anvil"}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_chain_where_money_is_real_waits_for_confirmations(preset):
    assert preset.play or preset.confirmations > 0


def test_a_link_leads_to_the_transaction_where_somebody_shows_the_chain():
    assert preset_of(246).link(HASH) == "https://explorer.energyweb.org/tx/0x" + "ab" * 32
    assert preset_of(1337).link(HASH) is None


def test_no_transaction_takes_more_than_its_share_of_a_block():
    chain = ChainPreset(name="small", chain_id=5, block_gas_share=80)
    assert chain.gas_cap_where(6_000_000) == 4_800_000
    assert chain.gas_cap_where(60_000_000) == MAX_TRANSACTION_GAS


def test_a_fee_leaves_room_for_the_base_fee_to_grow():
    chain = ChainPreset(name="x", chain_id=5, base_fee_multiplier=3)
    assert chain.fee(base_fee=10 * GWEI, tip=2 * GWEI, gas_price=0) == (32 * GWEI, 2 * GWEI)


def test_a_tip_is_no_less_than_the_floor():
    chain = ChainPreset(name="x", chain_id=5, priority_floor_wei=GWEI)
    assert chain.fee(base_fee=0, tip=0, gas_price=0) == (GWEI, GWEI)


def test_room_to_grow_ends_at_the_cap():
    chain = ChainPreset(name="x", chain_id=5, max_fee_cap_wei=15 * GWEI)
    assert chain.fee(base_fee=10 * GWEI, tip=GWEI, gas_price=0) == (15 * GWEI, GWEI)


def test_a_chain_that_asks_for_more_than_the_cap_is_refused():
    chain = ChainPreset(name="x", chain_id=5, max_fee_cap_wei=10 * GWEI)
    with pytest.raises(FeeAboveCap) as caught:
        chain.fee(base_fee=10 * GWEI, tip=1, gas_price=0)
    assert (caught.value.needed, caught.value.cap) == (10 * GWEI + 1, 10 * GWEI)


def test_a_legacy_chain_is_offered_the_nodes_gas_price():
    chain = ChainPreset(name="x", chain_id=5, legacy=True, priority_floor_wei=2 * GWEI, max_fee_cap_wei=5 * GWEI)
    assert chain.fee(base_fee=0, tip=0, gas_price=3 * GWEI)[0] == 3 * GWEI
    assert chain.fee(base_fee=0, tip=0, gas_price=1)[0] == 2 * GWEI
    with pytest.raises(FeeAboveCap):
        chain.fee(base_fee=0, tip=0, gas_price=6 * GWEI)


def test_a_file_changes_a_preset_key_by_key(settings):
    path = settings('[chain.246]\nconfirmations = 7\nlegacy = true\nexplorer = "https://example.org/{tx}"\n')
    (chain,) = read_overrides(path).values()
    assert chain == replace(preset_of(246), confirmations=7, legacy=True, explorer="https://example.org/{tx}")


def test_a_file_may_name_a_chain_nobody_here_knows(settings):
    assert read_overrides(settings("[chain.999]\nconfirmations = 3\n")) == {
        999: replace(preset_of(999), confirmations=3)
    }


def test_an_empty_file_changes_nothing(settings):
    assert read_overrides(settings("")) == {}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[chain.246]\nconfirmation = 7\n", "confirmation"),
        ("[chain.246]\nchain_id = 1\n", "chain_id"),
        ("[chains.246]\nconfirmations = 7\n", "chain.<id>"),
        ("[chain.volta]\nconfirmations = 7\n", "chain.volta"),
        ("chain = 5\n", "chain.<id>"),
        ("[chain]\n246 = 7\n", "chain.246"),
        ("[chain.246]\nconfirmations = -1\n", "confirmations is -1"),
        ("[chain.246]\nconfirmations = true\n", "confirmations"),
        ("[chain.246]\nconfirmations = 1.5\n", "confirmations"),
        ("[chain.246]\nlegacy = 1\n", "legacy"),
        ("[chain.246]\nbump_percent = 10\n", "bump_percent"),
        ("[chain.246]\npriority_floor_wei = 60_000_000_000\n", "priority_floor_wei"),
        ("[chain.246]\ngas_cap = 20_999\n", "gas_cap"),
        ("[chain.246]\nblock_gas_share = 101\n", "block_gas_share"),
        ('[chain.246]\nexplorer = "https://example.org/"\n', "explorer"),
        ('[chain.246]\nexplorer = "javascript:{tx}"\n', "explorer"),
        ("[chain.246\n", "chains.toml"),
    ],
)
def test_a_mistake_in_the_file_is_named(settings, text, named):
    with pytest.raises(ChainSettingsRefused) as caught:
        read_overrides(settings(text))
    assert named in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ChainSettingsRefused):
        read_overrides(tmp_path / "chains.toml")
