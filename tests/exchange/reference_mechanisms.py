"""The mechanisms said slowly: buyers go to market one by one, dearest bid first, and take the cheapest offers left."""

from tests.exchange.reference_auction import Row, reference_auction

Traded = tuple[int, int, int, int]
"""A bid's row, an offer's row, energy, and what the seller gets for a kWh."""


def shopping(bids: list[Row], offers: list[Row]) -> list[tuple[int, int, int]]:
    """Let the buyers of one market go shopping; return (bid, offer, energy) in the order of their going."""
    left = [offer.energy for offer in offers]
    trades = []
    for bid in sorted(range(len(bids)), key=lambda row: (-bids[row].rate, row)):
        wanted = bids[bid].energy
        for offer in sorted(range(len(offers)), key=lambda row: (offers[row].rate, row)):
            energy = min(wanted, left[offer])
            if energy and offers[offer].rate <= bids[bid].rate:
                left[offer] -= energy
                wanted -= energy
                trades.append((bid, offer, energy))
    return trades


def reference_pay_as_offer(bids: list[Row], offers: list[Row]) -> list[Traded]:
    """Every purchase at what its offer asks."""
    return [(bid, offer, energy, offers[offer].rate) for bid, offer, energy in shopping(bids, offers)]


def reference_pay_as_bid(bids: list[Row], offers: list[Row]) -> list[Traded]:
    """Every purchase at what its bid allows."""
    return [(bid, offer, energy, bids[bid].rate) for bid, offer, energy in shopping(bids, offers)]


def reference_pay_as_clear(bids: list[Row], offers: list[Row]) -> list[Traded]:
    """Every purchase at the one rate of the market."""
    rate = reference_auction(bids, offers, 1).markets[0].rate
    return [(bid, offer, energy, rate) for bid, offer, energy in shopping(bids, offers) if rate is not None]
