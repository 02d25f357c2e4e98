/* The base of bench/clearing.py: the same auction in plain C. Radix sort of both sides, then one merge per market.
 *
 * Sorts by 11-bit digits, so a million orders with few distinct keys take two or three passes over the data. The
 * energies are gathered once after the sort, so that the merge reads memory in order.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DIGIT 11
#define BUCKETS (1 << DIGIT)
#define MOST_DIGITS 6

typedef struct {
    uint64_t key; /* market and value */
    int64_t row;
} entry;

typedef struct {
    entry *sorted;
    int64_t *energy; /* what is left of each, in merit order */
    int64_t *fill;
    int64_t least; /* value of key zero */
    int value_bits;
} side;

static int64_t value_of(const side *s, int64_t i)
{
    return (int64_t)(s->sorted[i].key & (((uint64_t)1 << s->value_bits) - 1)) + s->least;
}

static int64_t market_of(const side *s, int64_t i)
{
    return (int64_t)(s->sorted[i].key >> s->value_bits);
}

static void release(side *s)
{
    free(s->sorted);
    free(s->energy);
    free(s->fill);
}

/* Put the rows in ascending order of market, then value, then position. Returns 0 where memory ran out. */
static int line_up(side *s, const int64_t *market, const int64_t *rate, const int64_t *energy, int64_t sign, int64_t n)
{
    static int64_t count[MOST_DIGITS][BUCKETS];
    entry *from = malloc((n + 1) * sizeof *from), *to = malloc((n + 1) * sizeof *to);
    int64_t least = INT64_MAX, most = INT64_MIN, last_market = 0;
    s->energy = malloc((n + 1) * sizeof *s->energy);
    s->fill = malloc((n + 1) * sizeof *s->fill);
    s->sorted = from;
    if (from == NULL || to == NULL || s->energy == NULL || s->fill == NULL) {
        free(to);
        return 0;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t value = sign * rate[i];
        least = value < least ? value : least;
        most = value > most ? value : most;
        last_market = market[i] > last_market ? market[i] : last_market;
    }
    int value_bits = 0, digits = 0, bits;
    while (n > 0 && (uint64_t)(most - least) >> value_bits)
        value_bits++;
    bits = value_bits;
    while (last_market >> (bits - value_bits))
        bits++;
    while (digits * DIGIT < bits)
        digits++;
    memset(count, 0, sizeof count);
    for (int64_t i = 0; i < n; i++) {
        uint64_t key = (uint64_t)market[i] << value_bits | (uint64_t)(sign * rate[i] - least);
        from[i] = (entry){key, i};
        for (int d = 0; d < digits; d++)
            count[d][key >> (d * DIGIT) & (BUCKETS - 1)]++;
    }
    for (int d = 0; d < digits; d++) {
        int64_t place = 0;
        for (int64_t b = 0; b < BUCKETS; b++) {
            int64_t here = count[d][b];
            count[d][b] = place;
            place += here;
        }
        for (int64_t i = 0; i < n; i++)
            to[count[d][from[i].key >> (d * DIGIT) & (BUCKETS - 1)]++] = from[i];
        entry *swap = from;
        from = to;
        to = swap;
    }
    free(to);
    s->sorted = from;
    s->least = least;
    s->value_bits = value_bits;
    for (int64_t i = 0; i < n; i++)
        s->energy[i] = energy[from[i].row];
    memset(s->fill, 0, n * sizeof *s->fill);
    return 1;
}

/* Clear all markets. Columns: market, rate, energy of bids, then of offers; keys must fit in 64 bits. Writes rate and
 * energy by market, fills by row, trades as bid row, offer row and energy. Returns the number of trades, or -1 where
 * memory ran out. */
int64_t clear_all(const int64_t *bid_market, const int64_t *bid_rate, const int64_t *bid_energy, int64_t bids,
                  const int64_t *offer_market, const int64_t *offer_rate, const int64_t *offer_energy, int64_t offers,
                  int64_t markets, int64_t *rate, int64_t *energy, int64_t *bid_fill, int64_t *offer_fill,
                  int64_t *trade_bid, int64_t *trade_offer, int64_t *trade_energy)
{
    side demand = {0}, supply = {0};
    int64_t b = 0, o = 0, trades = 0;
    if (!line_up(&demand, bid_market, bid_rate, bid_energy, -1, bids) ||
        !line_up(&supply, offer_market, offer_rate, offer_energy, 1, offers)) {
        release(&demand);
        release(&supply);
        return -1;
    }
    for (int64_t m = 0; m < markets; m++) {
        int64_t low = INT64_MIN, high = INT64_MAX, traded = 0;
        while (b < bids && o < offers && market_of(&demand, b) == m && market_of(&supply, o) == m &&
               value_of(&demand, b) + value_of(&supply, o) <= 0) {
            int64_t wanted = demand.energy[b], there = supply.energy[o], part = wanted < there ? wanted : there;
            demand.energy[b] -= part;
            supply.energy[o] -= part;
            demand.fill[b] += part;
            supply.fill[o] += part;
            traded += part;
            trade_bid[trades] = demand.sorted[b].row;
            trade_offer[trades] = supply.sorted[o].row;
            trade_energy[trades++] = part;
            low = value_of(&supply, o);
            high = -value_of(&demand, b);
            b += part == wanted;
            o += part == there;
        }
        if (traded) {
            if (b < bids && market_of(&demand, b) == m && -value_of(&demand, b) > low)
                low = -value_of(&demand, b);
            if (o < offers && market_of(&supply, o) == m && value_of(&supply, o) < high)
                high = value_of(&supply, o);
        }
        energy[m] = traded;
        rate[m] = traded ? (low + high) >> 1 : 0;
        while (b < bids && market_of(&demand, b) == m)
            b++;
        while (o < offers && market_of(&supply, o) == m)
            o++;
    }
    for (int64_t i = 0; i < bids; i++)
        bid_fill[demand.sorted[i].row] = demand.fill[i];
    for (int64_t i = 0; i < offers; i++)
        offer_fill[supply.sorted[i].row] = supply.fill[i];
    release(&demand);
    release(&supply);
    return trades;
}
