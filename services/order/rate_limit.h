/*
 * A rate as a token bucket, in integer nanoseconds, with the clock as a parameter. Any number of threads
 * share a bucket: it is one atomic, and a refusal does not even write to it.
 *
 * What a bucket holds is the moment at which it will be full again (GCRA, the generic cell rate algorithm).
 * Taking a token moves that moment by the time that one token takes to come; there is none to take when it
 * would then be further away than the whole bucket takes to fill. Nobody has to refill anything, and whatever
 * is refused takes nothing: who goes on asking too often still gets the rate.
 *
 * Ensures: within any span of t ns no more than burst + t / interval_ns tokens are taken, however many
 * threads ask. Assumes: the clock of two threads differs by less than RATE_SKEW_NS (one may be preempted
 * between reading it and asking). A clock that jumps back further, or new settings, leave an empty bucket at
 * worst, never one that stays empty.
 */
#ifndef SECKILL_ORDER_RATE_LIMIT_H
#define SECKILL_ORDER_RATE_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RATE_SKEW_NS INT64_C(100000000)

struct rate {
    int64_t interval_ns; /* in which one token comes; 0: no threshold */
    int64_t span_ns;     /* in which an empty bucket fills: burst × interval_ns */
};

/*
 * per_s 0: no threshold. burst: at least 1. The interval is rounded up to whole nanoseconds, so the rate is
 * never exceeded; it is exact where per_s divides 10^9 and short by at most one part in 10^9 / per_s.
 */
struct rate rate_of(int64_t per_s, int64_t burst);

/*
 * The rate of a whole front end: it may take in at once what comes in a tenth of a second, so that neither
 * the threads' turns nor the network's lumps refuse anybody below the rate, and yet no second sees a tenth
 * more than the rate. A rate below 100/s has a burst of 10, or of one second's worth if that is less.
 */
struct rate rate_of_requests(int64_t per_s);

struct rate_bucket { /* a zeroed one is full */
    _Atomic int64_t full_at_ns;
};

/* false: there is no token. */
bool rate_bucket_take(struct rate_bucket *b, struct rate rate, int64_t now_ns);

/* How long until there is a token; 0: there is one. */
int64_t rate_bucket_wait_ns(const struct rate_bucket *b, struct rate rate, int64_t now_ns);

/*
 * For Retry-After: the refused are thought of as standing in a line which is served at the bucket's rate.
 * Each joins at its end and learns how long the line is in time; who leaves without coming back is served all
 * the same. So the more are refused, the later they are told to come. At most RATE_LINE_MAX_NS: a flood must
 * not send honest buyers away for long.
 */
#define RATE_LINE_MAX_NS INT64_C(10000000000)

struct rate_line { /* a zeroed one is empty */
    _Atomic int64_t served_at_ns;
};

int64_t rate_line_join(struct rate_line *l, struct rate rate, int64_t now_ns); /* 1 ns to RATE_LINE_MAX_NS */

/*
 * The arithmetic of one bucket, for those that keep it elsewhere (user_rate.c). rate_level: the moment at
 * which it is full, as the threshold sees it; beyond the whole span only by skew. rate_next: that moment
 * after one more token; there is no token if it is later than now_ns + span_ns.
 */
int64_t rate_level(struct rate rate, int64_t full_at_ns, int64_t now_ns);
int64_t rate_next(struct rate rate, int64_t level_ns, int64_t now_ns);

#endif
