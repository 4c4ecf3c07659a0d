/*
 * Lines about decided orders (log.orders). They are gathered while the transaction is open and written when
 * it is committed: what is rolled back was never decided.
 */
#ifndef SECKILL_INVENTORY_ORDER_TRAIL_H
#define SECKILL_INVENTORY_ORDER_TRAIL_H

#include <stdbool.h>

#include "common/base/buffer.h"
#include "common/pipeline/message.h"

struct order_trail { /* zeroed: off */
    bool is_on;
    struct buffer steps; /* of the open transaction: struct order_step, one after another */
};

/* is_again: it had been decided before, and the decision is only sent again. */
void order_trail_note(struct order_trail *t, const struct decision *d, bool is_again);
void order_trail_committed(struct order_trail *t);
void order_trail_rolled_back(struct order_trail *t);
void order_trail_free(struct order_trail *t);

#endif
