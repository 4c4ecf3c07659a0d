/*
 * From messages in hand to a committed transaction: the part of a worker that keeps its promises.
 *
 * Ensures: when transaction_handle returns 0, each message is either handled whole (each of its lines DONE,
 * DUPLICATE or dead-lettered, committed) or marked to be requeued. When it returns a fault, what was not
 * committed left no trace.
 *
 * Messages are handled together in one transaction without savepoints, which cost a copy of every page
 * touched. If one line fails, all of it is rolled back and done again message by message, with savepoints. A
 * redelivered message gets a transaction of its own from the start, its attempt committed before: if it
 * brings the process down, it does so alone and not for ever.
 */
#ifndef SECKILL_PIPELINE_TRANSACTION_H
#define SECKILL_PIPELINE_TRANSACTION_H

#include <stdint.h>

#include "common/pipeline/inbound.h"
#include "common/pipeline/inbox.h"
#include "common/pipeline/outbox_relay.h"
#include "common/pipeline/worker.h"

struct transaction {
    struct store *store;
    struct inbox *inbox;
    struct outbox *outbox;
    struct outbox_relay *relay; /* its confirmed rows are deleted on the way; NULL: none */
    struct replies *replies;
    const struct worker_handler *handler;
    void *handler_context;
    int max_attempts;
    void (*committed)(void *context); /* after each commit: the time to send the replies */
    void *context;
    struct inbox_counts totals; /* out: lines, since the start; of what was committed */
    uint64_t commits;           /* out */
    int64_t lag_ms; /* out: how old, at most, a line was as it was handled; the reader resets it */
};

/* Returns 0 or a fault (E_IO, E_CORRUPT, E_BUSY) that was logged. */
int transaction_handle(struct transaction *t, struct inbound *const *messages, int count) MUST_USE;

/* A transaction that no message asked for (worker.h, struct worker_beside): begins, calls settle, and ends
 * like those of messages do: before_commit, outbox, commit, committed. A fault was logged and left no trace.
 */
int transaction_settle(struct transaction *t,
                       int (*settle)(void *context, const struct settlement *s)) MUST_USE;

#endif
