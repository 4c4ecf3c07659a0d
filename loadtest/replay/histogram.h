/*
 * Counts durations so that any quantile of them is known within a fixed relative error, in a fixed size:
 * log-linear buckets, as in HDR histograms. Values are microseconds from 1 to one hour; what is outside is
 * counted at the nearest one inside.
 *
 * With `bits` = 11 each octave has 1024 buckets: 3 significant digits, exact below 2 ms (184 KiB). With 6,
 * two digits are not quite kept (3 %), in 7 KiB: for one among many moments.
 *
 * One thread; merging reads the other one.
 */
#ifndef SECKILL_REPLAY_HISTOGRAM_H
#define SECKILL_REPLAY_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_MAX_US 3600000000ULL
#define HISTOGRAM_FINE   11
#define HISTOGRAM_COARSE 6

struct histogram {
    uint64_t *counts; /* owned; size of them */
    size_t size;
    int bits;
    uint64_t total, sum_us, min_us, max_us; /* of the values themselves, not of their buckets */
};

void histogram_init(struct histogram *h, int bits);
void histogram_free(struct histogram *h);
void histogram_merge(struct histogram *into, const struct histogram *from); /* both with the same bits */

/* The lowest value that at least the share q (0 to 1) of all is not above, rounded up to its bucket's end; 0
 * without any. */
uint64_t histogram_quantile(const struct histogram *h, double q);

/* The lowest and highest value that bucket i counts. */
uint64_t histogram_low(const struct histogram *h, size_t i);
uint64_t histogram_high(const struct histogram *h, size_t i);

static inline size_t histogram_index(const struct histogram *h, uint64_t us)
{
    const int octave = 63 - __builtin_clzll(us | 1) - (h->bits - 1);
    return octave <= 0 ? (size_t)us : (size_t)(us >> octave) + ((size_t)octave << (h->bits - 1));
}

static inline void histogram_add(struct histogram *h, int64_t value_us)
{
    const uint64_t us = value_us < 1                            ? 1
                        : (uint64_t)value_us > HISTOGRAM_MAX_US ? HISTOGRAM_MAX_US
                                                                : (uint64_t)value_us;
    h->counts[histogram_index(h, us)]++;
    h->total++;
    h->sum_us += us;
    if (us > h->max_us)
        h->max_us = us;
    if (us < h->min_us)
        h->min_us = us;
}

#endif
