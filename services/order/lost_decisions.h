/*
 * Decisions are transient messages and can get lost with a connection. So the broker thread asks inventory,
 * once a second and many ids at once, for accepted orders that have waited for some seconds. An order that
 * inventory does not know although it decided later ones is given up (pending_not_decided), so that a slot
 * never leaks. Broker thread only.
 */
#ifndef SECKILL_ORDER_LOST_DECISIONS_H
#define SECKILL_ORDER_LOST_DECISIONS_H

#include <stdint.h>

#include "common/pipeline/rpc_client.h"
#include "services/order/pending.h"

struct lost_decisions {
    struct rpc_client *rpc;
    struct pending *pending;
    int shards;
    int64_t next_ns; /* when to look again */
};

/* Asks if it is time to. E_CLOSED: the publish connection died of it. */
int lost_decisions_ask(struct lost_decisions *l, int64_t now_ns) MUST_USE;

#endif
