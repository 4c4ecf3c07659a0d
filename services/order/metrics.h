/*
 * Counters of a front end, for /metrics. Each is an atomic that any thread may raise; the table in metrics.c
 * gives each its Prometheus name and help.
 */
#ifndef SECKILL_ORDER_METRICS_H
#define SECKILL_ORDER_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "common/base/buffer.h"

enum metric {
    /* Answers of POST /v1/orders, by verdict */
    METRIC_ACCEPTED,         /* 202 */
    METRIC_MALFORMED,        /* 400 */
    METRIC_UNAUTHENTICATED,  /* 401 */
    METRIC_FORBIDDEN,        /* 403 */
    METRIC_TOO_LARGE,        /* 413 */
    METRIC_UNSUPPORTED_TYPE, /* 415 */
    METRIC_INVALID,          /* 422 */
    METRIC_UNKNOWN_ITEM,     /* 422 */
    METRIC_SALE_NOT_STARTED, /* 409 */
    METRIC_SALE_ENDED,       /* 409 */
    METRIC_SALE_PAUSED,      /* 409 */
    METRIC_SOLD_OUT,         /* 409 */
    METRIC_RATE_LIMITED,     /* 429 */
    METRIC_OVERLOADED,       /* 429 */
    METRIC_UNAVAILABLE,      /* 503 */
    METRIC_OUTCOME_UNKNOWN,  /* 504 */
    /* Whose threshold it was: the three add up to METRIC_RATE_LIMITED */
    METRIC_LIMITED_FRONT_END,
    METRIC_LIMITED_USER,
    METRIC_LIMITED_ADDRESS,
    /* The broker thread */
    METRIC_BATCHES_PUBLISHED, /* messages, second copies included */
    METRIC_BATCHES_CONFIRMED,
    METRIC_BATCHES_NACKED,
    METRIC_BATCHES_RETURNED,
    METRIC_BATCHES_TIMED_OUT,
    METRIC_ORDERS_CONFIRMED, /* by the broker */
    METRIC_CONFIRM_WAIT_US,  /* summed over batches: divide by confirmed batches */
    METRIC_BROKER_CONNECTS,
    METRIC_BROKER_LOSSES,
    METRIC_DECISIONS, /* lines that came back */
    METRIC_SNAPSHOTS,
    METRIC_STATUS_QUESTIONS, /* messages to inventory about orders */
    METRIC_STATUS_IDS,       /* orders in them */
    METRIC_PACKET_QUESTIONS, /* messages to the red packets' worker about orders */
    METRIC_PACKET_IDS,       /* orders in them */
    METRIC_RPC_LATE,         /* answers that nobody waited for any more */
    /* Changes by operators, by what came of them */
    METRIC_ADMIN_DONE,
    METRIC_ADMIN_REFUSED, /* 4xx */
    METRIC_ADMIN_DENIED,  /* 401, 403 */
    METRIC_ADMIN_FAILED,  /* 503, 504 */
    /* HTTP */
    METRIC_HTTP_REQUESTS,
    METRIC_HTTP_SHED,         /* refused because of too many connections */
    METRIC_HTTP_ADDRESS_FULL, /* connections not taken: their address has enough */
    METRIC_HTTP_TOO_SLOW,     /* connections shut down: a request that was not complete in time */
    METRIC_COUNT
};

enum histogram {
    /* From the request's headers to its answer, of POST /v1/orders, in microseconds */
    HISTOGRAM_ANSWER_ACCEPTED, /* 202 */
    HISTOGRAM_ANSWER_REFUSED,  /* every other answer but … */
    HISTOGRAM_ANSWER_UNKNOWN,  /* 504 */
    HISTOGRAM_CONFIRM,         /* from a batch's publish to its confirm, in microseconds */
    HISTOGRAM_BATCH,           /* orders in a published batch */
    HISTOGRAM_COUNT
};

#define HISTOGRAM_BOUNDS 16 /* upper bounds at most; beyond the last one is +Inf */

struct metrics {
    _Atomic uint64_t value[METRIC_COUNT];
    struct {
        _Atomic uint64_t count[HISTOGRAM_BOUNDS + 1], sum; /* count: of each bucket alone */
    } histograms[HISTOGRAM_COUNT];
    _Atomic int64_t
        clock_ahead_ms; /* of inventory's clock, by the latest snapshot; its way is a part of it */
};

static inline void metric_add(struct metrics *m, enum metric which, uint64_t n)
{
    atomic_fetch_add_explicit(&m->value[which], n, memory_order_relaxed);
}

/* Two relaxed additions and a short search. Any thread. */
void histogram_add(struct metrics *m, enum histogram which, uint64_t value);

/* The value below which this part (0 to 1) of the counted ones lie, in the histogram's own unit
 * (microseconds, orders), between the bounds of its bucket; beyond the last bound, that bound. -1: none were
 * counted. */
double histogram_quantile(enum histogram which, const uint64_t count[HISTOGRAM_BOUNDS + 1], double part);

/* Appends the counters and histograms in Prometheus text format 0.0.4. */
void metrics_print(const struct metrics *m, struct buffer *out);

/* What is kept elsewhere is appended by the caller. help NULL: one more sample of the family before it.
 * labels: `shard="0"`, or "". */
void metrics_counter(struct buffer *out, const char *name, const char *help, const char *labels,
                     uint64_t value);
void metrics_gauge(struct buffer *out, const char *name, const char *help, const char *labels, double value);

#endif
