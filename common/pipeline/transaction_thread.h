/*
 * The thread that makes long transactions, so that the worker's own can take meanwhile what comes for the
 * next one. One transaction at a time.
 *
 * While it is made, all that transaction_handle touches is this thread's: the messages, the store, inbox and
 * outbox, the replies and the connection that they go through, and the handler's memory. Before
 * transaction_thread_begin and after transaction_thread_end it is the caller's, so nothing of it needs a
 * lock.
 */
#ifndef SECKILL_PIPELINE_TRANSACTION_THREAD_H
#define SECKILL_PIPELINE_TRANSACTION_THREAD_H

#include "common/pipeline/transaction.h"

struct transaction_thread;

/* `t` outlives it. E_IO, and errno says why: the system has no thread or descriptor left. */
int transaction_thread_start(struct transaction_thread **out, struct transaction *t) MUST_USE;

/* NULL is fine. Waits for a transaction that is under way. */
void transaction_thread_free(struct transaction_thread *tt);

/* Begins transaction_handle(t, messages, count) in the thread and returns at once. */
void transaction_thread_begin(struct transaction_thread *tt, struct inbound *const *messages, int count);

/* Becomes readable when what was begun is done; not to be read from. */
int transaction_thread_fd(const struct transaction_thread *tt);

/* Waits until it is done. Returns what transaction_handle returned. */
int transaction_thread_end(struct transaction_thread *tt) MUST_USE;

#endif
