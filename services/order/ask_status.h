/*
 * What inventory is asked about orders, by the broker thread: the ids that somebody at the status desk waits
 * for, and those whose decision has not come. Decisions are transient messages and can get lost with a
 * connection; so accepted orders that have waited for some seconds are asked for, once a second and many ids
 * at once, or one question after the other while the answers bring decisions: all that was queued when a
 * connection broke names a reply queue that is gone, and those slots must not stay taken for minutes. One
 * that inventory does not know although it decided later ones is given up (pending_not_decided), so that a
 * slot never leaks. Both are the same question, and whatever is learned goes to pending and to the desk.
 * Broker thread only.
 */
#ifndef SECKILL_ORDER_ASK_STATUS_H
#define SECKILL_ORDER_ASK_STATUS_H

#include <stdint.h>

#include "common/pipeline/names.h"
#include "common/pipeline/rpc_client.h"
#include "services/order/metrics.h"
#include "services/order/pending.h"
#include "services/order/status_desk.h"

struct ask_status { /* zeroed, then the first five are set; it must stay where it is */
    struct rpc_client *rpc;
    struct pending *pending;
    struct status_desk *desk;
    struct metrics *metrics;
    int shards;
    bool gathers; /* there are ids to ask about within DESK_GAP_NS */
    struct ask_route {
        struct ask_status *asker;
        int shard;
        bool asks_for_lost; /* a question for lost decisions is under way: one at a time */
        int64_t lost_ns;    /* when to look for them again */
    } routes[MAX_SHARDS];   /* whom an answer is from */
};

/* Asks what is to be asked now; says in `gathers` whether it is to be called again soon. E_CLOSED: the
 * publish connection died of it. */
int ask_status(struct ask_status *a, int64_t now_ns) MUST_USE;

/* Decisions came, from wherever: pending learns of them, then whoever waits. */
void ask_status_decided(struct ask_status *a, const struct decision *decisions, int count);

#endif
