/*
 * The peak: the plan's requests on their way, and what became of each. A thread takes every threads-th
 * request of the plan and counts by itself; the counts are added up at the end.
 */
#ifndef SECKILL_REPLAY_PEAK_H
#define SECKILL_REPLAY_PEAK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "loadtest/replay/engine.h"
#include "loadtest/replay/histogram.h"
#include "loadtest/replay/plan.h"
#include "loadtest/replay/tally.h"
#include "loadtest/replay/timeline.h"

#define ORDER_ID_LEN 26

struct accepted { /* a 202 */
    char order_id[ORDER_ID_LEN + 1];
    uint32_t intent;
};

/* What a thread counted, or all of them together. */
struct peak_counts {
    int64_t sent, answered, not_sent;
    int64_t accepted, refused; /* refused: 4xx and 5xx */
    int64_t ends[ENGINE_ENDS]; /* of what was sent */
    int64_t nameless;          /* 202 without an order id */
    struct tally tally;
    /* Latency counts from the intended time, service from when the request left. What timed out, and what was
     * never sent, is in `latency` with the time that it waited. */
    struct histogram latency, service, accepted_latency;
    struct timeline timeline;
    int64_t last_ns;         /* when the last request ended, from the start */
    struct accepted *orders; /* owned */
    size_t order_count, order_room;
};

void peak_counts_init(struct peak_counts *c, int64_t slot_ns);
void peak_counts_free(struct peak_counts *c);
void peak_counts_merge(struct peak_counts *into, const struct peak_counts *from); /* the orders, too */

/* For a progress line, while it runs; any thread. */
struct peak_live {
    atomic_llong sent, accepted, refused, failed;
    atomic_llong late_ns; /* by how much the latest request left later than intended */
};

struct peak_share { /* one thread's */
    const struct plan *plan;
    struct engine *engine;
    const char *host;
    size_t first, step; /* which requests */
    int64_t start_ns;   /* when the peak begins, by clock_mono_ns */
    int64_t timeout_ns, overtime_ns;
    const atomic_bool *stop;
    struct peak_live live;
    struct peak_counts counts;
};

/* Sends the share. The counts have been initialised. */
void peak_run(struct peak_share *share);

#endif
