/*
 * The catalogue of the shard, fanned out to the front ends: the whole of it, after something changed (at most
 * ten times a second) and at least once a second.
 *
 * Each snapshot is numbered (epoch, seq), and a receiver ignores one that is not later than what it has. The
 * epoch is stored at each take-over and is higher than every one before it, even if the clock was set back;
 * seq counts from 1.
 */
#ifndef SECKILL_INVENTORY_BROADCAST_STOCK_H
#define SECKILL_INVENTORY_BROADCAST_STOCK_H

#include <stdbool.h>

#include "common/base/buffer.h"
#include "common/broker/connection.h"
#include "services/inventory/stock_store.h"

struct broadcast_stock {
    const struct stock_store *stock;
    uint8_t shard;
    int64_t seq;        /* of the latest snapshot */
    int64_t sent_ns;    /* monotonic; 0: none yet */
    bool changed;       /* since then */
    struct item *items; /* scratch */
    size_t cap;
    struct buffer body; /* scratch */
};

/* Sends one if it is time. Returns when it will be time again (monotonic), as things are. */
int64_t broadcast_stock(struct broadcast_stock *b, struct broker_connection *publish, int64_t now_ns);
void broadcast_stock_free(struct broadcast_stock *b); /* what is inside */

#endif
