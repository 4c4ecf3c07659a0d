/* Log-linear buckets. */
#include "loadtest/replay/histogram.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/log.h"

void histogram_init(struct histogram *h, int bits)
{
    *h = (struct histogram){.bits = bits, .min_us = UINT64_MAX};
    h->size = histogram_index(h, HISTOGRAM_MAX_US) + 1;
    h->counts = xcalloc(h->size, sizeof *h->counts);
}

void histogram_free(struct histogram *h)
{
    free(h->counts);
    *h = (struct histogram){0};
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (into->bits != from->bits)
        log_panic("histograms_differ", "bits=%d other=%d", into->bits, from->bits);
    for (size_t i = 0; i < from->size; i++)
        into->counts[i] += from->counts[i];
    into->total += from->total;
    into->sum_us += from->sum_us;
    if (from->max_us > into->max_us)
        into->max_us = from->max_us;
    if (from->min_us < into->min_us)
        into->min_us = from->min_us;
}

uint64_t histogram_low(const struct histogram *h, size_t i)
{
    const size_t half = (size_t)1 << (h->bits - 1);
    if (i < 2 * half)
        return i;
    const size_t octave = i / half - 1;
    return (uint64_t)(i - octave * half) << octave;
}

uint64_t histogram_high(const struct histogram *h, size_t i)
{
    return histogram_low(h, i + 1) - 1;
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
    if (h->total == 0)
        return 0;
    uint64_t wanted = (uint64_t)ceil(q * (double)h->total);
    if (wanted < 1)
        wanted = 1;
    uint64_t seen = 0;
    for (size_t i = 0; i < h->size; i++) {
        seen += h->counts[i];
        if (seen >= wanted) {
            const uint64_t high = histogram_high(h, i);
            return high < h->max_us ? high : h->max_us;
        }
    }
    return h->max_us;
}
