"""The table `[balancing]` of a community's file: the seed's names, and markets beside the others."""

import pytest

from app.community import CommunityRefused, read_community
from exchange.balancing_settings import NO_BALANCING
from exchange.delivery import Mechanism, Product
from tests.actors import STRANGER
from tests.e2e.day import VILLAGE

ON = "enable_balancing_market = true\n"


def village(tmp_path, table):
    path = tmp_path / "village.toml"
    path.write_text(VILLAGE.read_text() + "\n[balancing]\n" + table)
    return read_community(path)


def settings_of(community):
    return community.balancing.settings(community.numbers())


def test_without_the_table_or_with_an_empty_one_there_is_no_balancing(tmp_path):
    for community in (read_community(VILLAGE), village(tmp_path, "")):
        assert settings_of(community) == NO_BALANCING
        assert len(community.markets()) == 1


def test_a_community_that_balances_has_two_markets_more(tmp_path):
    spot, up, down = village(tmp_path, ON).markets()
    assert [market.number for market in (spot, up, down)] == [7, 8, 9]
    assert [(market.title, market.product) for market in (up, down)] == [
        ("balancing-up", Product.BALANCING_UP),
        ("balancing-down", Product.BALANCING_DOWN),
    ]
    for market in (up, down):
        assert market.mechanism is Mechanism.PAY_AS_OFFER
        assert (market.period, market.opening, market.lead) == (spot.period, spot.lead, 60)


def test_nodes_are_numbered_after_the_markets(tmp_path):
    table = ON + '\n[[nodes]]\nname = "lane"\n'
    assert village(tmp_path, table).numbers() == {"village": 7, "lane": 10}
    assert village(tmp_path, '\n[[nodes]]\nname = "lane"\n').numbers() == {"village": 7, "lane": 8}


def test_the_settings_have_the_names_of_the_seed(tmp_path):
    table = ON + (
        "balancing_spot_trade_ratio_ppm = 300_000\nbalancing_offer_demand_ratio_ppm = 1\n"
        "balancing_offer_supply_ratio_ppm = 2\nbalancing_flexible_loads_support = false\nfree_balancing_rates = true\n"
        f'agents = [{{ node = "village", holder = "0x{STRANGER.address.hex()}" }}]\n'
    )
    settings = settings_of(village(tmp_path, table))
    assert (settings.spot_trade_ratio, settings.offer_demand_ratio, settings.offer_supply_ratio) == (300_000, 1, 2)
    assert (settings.flexible_loads_support, settings.free_rates) == (False, True)
    assert settings.agent(7) == STRANGER.address


AGENT = f'{{ node = "village", holder = "0x{STRANGER.address.hex()}" }}'


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("balancing_spot_trade_ratio_ppm = 0.2", "integer"),
        ("balancing_spot_trade_ratio_ppm = 1_000_001", "less than or equal"),
        ("balancing_spot_ratio = 1", "balancing_spot_ratio"),
        (ON + "lead_seconds = 300", "a gate opens before it closes"),
        (f"agents = [{AGENT.replace('village', 'moon')}]", "no node called moon"),
        (f"agents = [{AGENT}, {AGENT}]", "each node once"),
    ],
)
def test_a_table_that_cannot_be_is_refused(tmp_path, table, why):
    with pytest.raises(CommunityRefused, match=why):
        village(tmp_path, table)
