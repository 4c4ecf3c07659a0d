/*
 * The decision about an order: who gets what is left.
 *
 * Assumes a transaction, and that this process is the only writer. Ensures, when it is committed: the order
 * is decided, once; if confirmed, its units have left the item, the buyer's total does not exceed the limit
 * that held, it has a receipt number of its own, and its event is in the outbox. Conserved: stock_left +
 * confirmed units = stock_total.
 */
#ifndef SECKILL_INVENTORY_RESERVE_STOCK_H
#define SECKILL_INVENTORY_RESERVE_STOCK_H

#include "common/pipeline/trail.h"
#include "common/pipeline/worker.h"
#include "services/inventory/stock_store.h"

/* What the item alone says, in this order: unknown_item (item is NULL), paused (now), the window (by when the
 * order was accepted, never later than now), sold_out. REASON_NONE: nothing against it. */
enum reject_reason judge_item(const struct item *item, const struct order *order, int64_t now_ms);

/* And what the buyer's units say. limit 0: none. */
enum reject_reason judge_limit(int32_t limit, int64_t bought, int32_t quantity);

struct reserve_stock {
    struct stock_store *stock;
    struct trail *trail; /* NULL: none */
    struct buffer line;  /* scratch */
    int64_t confirmed;   /* in the open transaction, and since the start */
    uint64_t mismatches; /* the same id with another user, item or quantity: the first stood */
};

/* Decodes the line, decides it, writes the decision, its event and its reply. A worker_handler's `line`. */
enum outcome reserve_stock(struct reserve_stock *r, struct task *task);

#endif
