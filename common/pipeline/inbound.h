/* A message in hand: a copy of a delivery, because a delivery is gone when the pump returns. */
#ifndef SECKILL_PIPELINE_INBOUND_H
#define SECKILL_PIPELINE_INBOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "common/broker/connection.h"

struct inbound {
    uint64_t tag; /* to acknowledge it */
    bool redelivered;
    bool requeue;      /* out: a line said OUTCOME_RETRY */
    struct slice body; /* these four point behind the struct */
    struct slice message_id;
    struct slice reply_to;
    struct slice producer; /* empty: it carries no headers of ours */
    int64_t seq;
    int64_t orders; /* what the header says; without headers the lines found */
    void *prepared; /* set by whoever took it: of the worker's handler (worker.h); NULL: nothing */
};

struct inbound *inbound_copy(const struct broker_delivery *delivery); /* release it with inbound_free */
void inbound_free(struct inbound *m); /* and what was prepared; NULL is fine */

#endif
