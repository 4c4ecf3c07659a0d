/* An operator adds stock. */
#ifndef SECKILL_INVENTORY_RESTOCK_ITEM_H
#define SECKILL_INVENTORY_RESTOCK_ITEM_H

#include "common/pipeline/rpc_server.h"
#include "services/inventory/stock_store.h"

/*
 * The question: {"sku", "quantity", "key"}: so many more units of an item that is there, once for each item
 * and key. The same key again adds nothing, whoever sends it and however often inventory was begun anew in
 * between, and gets the same answer; with another quantity it is an "idempotency_mismatch".
 *
 * Conserved: confirmed + left = stocked, since total and left rise together, in one transaction with the key.
 *
 * *is_new: units were added. 0, E_REFUSED with *refusal ("invalid", "not_found", "conflict": more than an
 * item may have), or a fault of the store.
 */
int restock_item(struct stock_store *stock, const struct json_t *question, int64_t now_ms,
                 struct restock *out, bool *is_new, struct rpc_refusal *refusal) MUST_USE;

#endif
