/*
 * What the red packets' worker is asked about orders, by the broker thread: the ids that somebody at the
 * packet desk waits for, one question at a time. What it has decided about an order is final; it is told to
 * pending, which remembers it, and to the desk. Broker thread only.
 */
#ifndef SECKILL_ORDER_ASK_PACKETS_H
#define SECKILL_ORDER_ASK_PACKETS_H

#include <stdint.h>

#include "common/pipeline/rpc_client.h"
#include "services/order/metrics.h"
#include "services/order/packet_desk.h"
#include "services/order/pending.h"

struct ask_packets { /* zeroed, then the first four are set; it must stay where it is */
    struct rpc_client *rpc;
    struct pending *pending;
    struct packet_desk *desk;
    struct metrics *metrics;
    int64_t next_ns; /* there may be something to ask then; INT64_MAX: the desk's descriptor says when */
};

/* Asks what is to be asked now. E_CLOSED: the publish connection died of it. */
int ask_packets(struct ask_packets *a, int64_t now_ns) MUST_USE;

#endif
