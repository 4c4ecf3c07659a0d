/* The parts of a worker that a transaction needs, on a store that is open. */
#ifndef SECKILL_TESTS_TRANSACTION_SUPPORT_H
#define SECKILL_TESTS_TRANSACTION_SUPPORT_H

#include "tests/unit/store_support.h"

#include "common/pipeline/transaction.h"

#define ATTEMPTS_MAX 5

static inline void transaction_open(struct transaction *t, struct store *store, const char *queue,
                                    const struct worker_handler *handler, void *context)
{
    *t = (struct transaction){.store = store,
                              .replies = replies_new(),
                              .handler = handler,
                              .handler_context = context,
                              .max_attempts = ATTEMPTS_MAX};
    assert_int_equal(inbox_new(&t->inbox, store, queue, NULL), 0);
    assert_int_equal(outbox_new(&t->outbox, store, NULL), 0);
}

static inline void transaction_close(struct transaction *t) /* before the store */
{
    replies_free(t->replies);
    outbox_free(t->outbox);
    inbox_free(t->inbox);
}

#endif
