/*
 * What the threads of one front end share. main() makes it before the HTTP threads start and it outlives
 * them; whatever changes in between is atomic or has its own lock.
 */
#ifndef SECKILL_ORDER_FRONT_END_H
#define SECKILL_ORDER_FRONT_END_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/pipeline/order_id.h"
#include "services/order/catalogue.h"
#include "services/order/metrics.h"
#include "services/order/pending.h"
#include "services/order/publisher.h"

struct front_end {
    struct pending *pending;
    struct catalogue *catalogue;
    struct publisher *publisher;
    struct metrics *metrics;
    const struct order_id_key *id_key;
    int shards;
    int64_t max_connections;     /* of the whole process; beyond it requests are answered 503 and closed */
    _Atomic int64_t connections; /* open right now; the HTTP threads count */
    _Atomic int64_t max_pending; /* admission.max_pending; SIGHUP may change it */
    _Atomic bool draining;       /* SIGTERM came: no new orders, and every answer closes its connection */
};

#endif
