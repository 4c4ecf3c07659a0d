/* An operator creates or changes an item. */
#ifndef SECKILL_INVENTORY_PUT_ITEM_H
#define SECKILL_INVENTORY_PUT_ITEM_H

#include "common/pipeline/rpc_server.h"
#include "services/inventory/stock_store.h"

#define UNIT_PRICE_MAX                                                                                       \
    INT64_C(1000000000000) /* times QUANTITY_MAX it is exact in every JSON reader (below 2^53) */
#define STOCK_MAX          INT64_C(1000000000)
#define LIMIT_PER_USER_MAX 1000000

/*
 * The question: {"sku", "name", "unit_price", "stock", "limit_per_user", "starts_at", "ends_at", "paused"}.
 * What is left out stays as it is. A new item needs unit_price and stock; it is called like its sku, without
 * limit and window, not paused. `stock` sets stock_total, and stock_left moves by the difference; less than
 * what is confirmed is a "conflict". Any other member, or a value out of bounds, is "invalid". Writes the
 * item as it is then into *out.
 *
 * A new item is made only by the shard that its sku names among `shards` (shard_of_new_item): an asker with
 * another topology.shards would make the same item a second time. It is a "conflict" too.
 *
 * 0, E_REFUSED with *refusal, or a fault of the store.
 */
int put_item(struct stock_store *stock, int shards, const struct json_t *question, int64_t now_ms,
             struct item *out, struct rpc_refusal *refusal) MUST_USE;

#endif
