/*
 * Which orders are let in. Pure: (clock, thresholds, catalogue entry, counters, states) → verdict. No I/O, no
 * clock of its own, so that every verdict and their order can be tested; the two rates take their token from
 * the counters that they are given.
 *
 * It is decided in three steps. What needs only the front end's own state is known before the body is there;
 * the user's rate as soon as it has been read, before anything is looked up for it; then the rest. The order
 * of the verdicts is the order of the questions below; the first "no" is the answer.
 *
 * A token is taken by whoever passes its question, whatever a later question answers, and is not given back:
 * the rates bound what clients can make us do, and a repeat, an unknown item or a sold-out one is work as
 * well. Who is refused by an earlier question, or by this one, takes none.
 */
#ifndef SECKILL_ORDER_ADMISSION_H
#define SECKILL_ORDER_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "services/order/catalogue.h"
#include "services/order/publisher.h"
#include "services/order/user_rate.h"

enum admission_verdict {
    VERDICT_ADMITTED,
    /* before the body */
    VERDICT_DRAINING,
    VERDICT_BROKER_UNREACHABLE,
    VERDICT_BROKER_BLOCKED,
    VERDICT_NO_LEDGER,
    VERDICT_RATE_LIMITED,    /* the front end's request rate */
    VERDICT_UNAUTHENTICATED, /* no good token came with it */
    /* with the order */
    VERDICT_FORBIDDEN,        /* the token is another user's */
    VERDICT_USER_LIMITED,     /* this user's rate */
    VERDICT_ALREADY_ACCEPTED, /* a repeat of a keyed order: its 202 again */
    VERDICT_NO_CATALOGUE,
    VERDICT_UNKNOWN_ITEM,
    VERDICT_SALE_NOT_STARTED,
    VERDICT_SALE_ENDED,
    VERDICT_SALE_PAUSED,
    VERDICT_SOLD_OUT,
    VERDICT_OVERLOADED,
    VERDICT_COUNT
};

struct admission_state { /* of the front end, as the request's headers come in */
    bool draining;
    enum broker_state broker;
    struct rate_bucket *requests; /* shared by all threads */
    int64_t max_rate;             /* requests/s; 0: no threshold */
    int64_t now_ns;               /* monotonic */
};

/* VERDICT_ADMITTED: read the body and ask the others. */
enum admission_verdict admission_early(const struct admission_state *state);

struct admission_user {
    struct user_rates *users;
    const char *user_id;
    int64_t rate, burst; /* orders/s, 0: no threshold; and at once */
    int64_t now_ns;      /* monotonic */
};

/* VERDICT_USER_LIMITED, with *wait_ns until the user's next token; or VERDICT_ADMITTED. */
enum admission_verdict admission_user(const struct admission_user *user, int64_t *wait_ns);

struct admission_facts { /* about one order that was read */
    int64_t now_ms;      /* wall clock: when the order counts as accepted */
    int32_t quantity;
    bool already_accepted;   /* a keyed order that this front end has in memory as accepted or decided */
    bool catalogue_complete; /* a snapshot of each shard was seen */
    const struct catalogue_entry *entry; /* NULL: not in the snapshots that were seen */
    int64_t backlog;                     /* of the item's shard */
    int64_t max_pending;                 /* 0: no threshold */
};

/*
 * A window that is not open says more than a pause, which may be over by then: so not started and ended come
 * before paused. An item that is missing while a shard's snapshot is missing too is no unknown item: it may
 * be there.
 */
enum admission_verdict admission_order(const struct admission_facts *facts);

/*
 * Retry-After, whole seconds from 1 to 60. noise is any 64 random bits: clients that were refused together
 * must not come back together.
 *
 * Overloaded: between a quarter and the whole of the time that the backlog takes to drain at the measured
 * rate; with nothing draining, between 15 and 60.
 */
int retry_after_backlog_s(int64_t backlog, double drained_per_s, uint64_t noise);

/* No broker: from the delay until the next attempt (seconds) to twice that and one more. */
int retry_after_delay_s(int delay_s, uint64_t noise);

/* Rate limited: the same, of the wait for a token in nanoseconds, rounded up to whole seconds. */
int retry_after_wait_s(int64_t wait_ns, uint64_t noise);

#endif
