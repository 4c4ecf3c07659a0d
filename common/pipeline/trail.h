/*
 * Log lines about orders (log.orders) that are gathered while a transaction is open and written when it is
 * committed: what is rolled back never happened. One thread.
 */
#ifndef SECKILL_PIPELINE_TRAIL_H
#define SECKILL_PIPELINE_TRAIL_H

#include <stdbool.h>

#include "common/base/buffer.h"

struct trail { /* zeroed: off */
    bool is_on;
    struct buffer steps; /* of the open transaction */
};

/* One line at level info: `event` is a constant, what follows are its "key=value"s. Nothing while it is off,
 * but the arguments are worked out all the same. */
void trail_note(struct trail *t, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);
void trail_committed(struct trail *t);
void trail_rolled_back(struct trail *t);
void trail_free(struct trail *t);

#endif
