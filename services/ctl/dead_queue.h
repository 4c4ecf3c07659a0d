/*
 * The queue seckill.dead, letter by letter from its head. A letter stays the broker's until it is
 * acknowledged: what was only looked at goes back when the queue is closed, and so does everything if this
 * process dies.
 *
 * Quorum queues put what comes back in front again, in its order. Each look counts as a delivery there, which
 * does no harm: the queue has no delivery limit, and must not get one.
 *
 * A letter that is looked at and kept takes room in the consumer's window, so another consumer is begun when
 * every window is full: a few hundred letters are on their way at once, however many are kept. One thread.
 */
#ifndef SECKILL_CTL_DEAD_QUEUE_H
#define SECKILL_CTL_DEAD_QUEUE_H

#include "services/ctl/command.h"
#include "services/ctl/dead_letter.h"

struct dead_queue;

/* Returns an exit code, and has said why on stderr unless it is EXIT_OK. */
int dead_queue_open(const struct ctl *ctl, struct dead_queue **out);
void dead_queue_close(struct dead_queue *q); /* NULL is fine */

int64_t dead_queue_count(const struct dead_queue *q); /* letters in it as it was opened */

/* The next letter. 1: *out is the caller's (letter_free). 0: those that were in it at the opening have all
 * been seen. -1: the broker is not to be had any more, which was said on stderr. */
int dead_queue_next(struct dead_queue *q, bool with_body, struct letter *out);

/* The letter is dealt with. EXIT_OK or EXIT_UNAVAILABLE, said. */
int dead_queue_ack(struct dead_queue *q, uint64_t tag);

/* Keeps the connection alive while a person thinks; fd becomes readable when they have. */
int dead_queue_wait_for(struct dead_queue *q, int fd);

#endif
