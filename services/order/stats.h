/*
 * What happened in the last seconds: the counters as they were about once a second, so that what they are now
 * says how fast they rise. Any thread.
 */
#ifndef SECKILL_ORDER_STATS_H
#define SECKILL_ORDER_STATS_H

#include "services/order/metrics.h"

#define STATS_WINDOW_S 10

struct stats;

struct stats *stats_new(const struct metrics *metrics, int64_t now_ns);
void stats_free(struct stats *s); /* NULL is fine */

/* Keeps a sample if a second has passed since the last one. decided: orders, since the start. */
void stats_take(struct stats *s, uint64_t decided, int64_t now_ns);

struct stats_window {
    double seconds; /* STATS_WINDOW_S, about; less at first */
    uint64_t value[METRIC_COUNT];
    uint64_t bucket[HISTOGRAM_COUNT][HISTOGRAM_BOUNDS + 1];
    uint64_t decided;
};

/* What was added meanwhile. */
void stats_window(struct stats *s, uint64_t decided, int64_t now_ns, struct stats_window *out);

/* n in this window, for each second. */
double stats_per_second(const struct stats_window *w, uint64_t n);

#endif
