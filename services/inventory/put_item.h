/* An operator creates or changes an item. */
#ifndef SECKILL_INVENTORY_PUT_ITEM_H
#define SECKILL_INVENTORY_PUT_ITEM_H

#include "common/pipeline/item_change.h"
#include "common/pipeline/rpc_server.h"
#include "services/inventory/stock_store.h"

struct put_item {
    struct item item; /* as it is now */
    bool is_created;
    bool is_changed; /* or created; else the question said what is so already, and nothing was written */
};

/*
 * The question: {"sku"} and the members of an item_change. What is left out stays as it is. A new item needs
 * unit_price and stock; it is called like its sku, without limit and window, not paused. `stock` sets
 * stock_total, and stock_left moves by the difference; less than what is confirmed is a "conflict". Any other
 * member, or a value out of bounds, is "invalid".
 *
 * Each change raises the item's version, and may be bound: "if_match", an array of versions, or "*" for an
 * item that is there at all; "if_absent": true for one that is not. Otherwise it is "precondition".
 *
 * A new item is made only by the shard that its sku names among `shards` (shard_of_new_item): an asker with
 * another topology.shards would make the same item a second time. It is a "conflict" too.
 *
 * 0, E_REFUSED with *refusal, or a fault of the store.
 */
int put_item(struct stock_store *stock, int shards, const struct json_t *question, int64_t now_ms,
             struct put_item *out, struct rpc_refusal *refusal) MUST_USE;

#endif
