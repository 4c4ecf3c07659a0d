/*
 * Where orders gather while a publish waits for its confirm (group commit). HTTP threads add; the broker
 * thread takes as much as one message may hold. Idle, an order is taken alone at once; under load dozens
 * share one message.
 */
#ifndef SECKILL_ORDER_COALESCER_H
#define SECKILL_ORDER_COALESCER_H

#include <stdbool.h>

#include "services/order/submission.h"

struct coalescer;

int coalescer_new(struct coalescer **out) MUST_USE; /* E_IO */
void coalescer_free(struct coalescer *c);           /* must be empty; NULL is fine */
int coalescer_fd(const struct coalescer *c); /* readable when orders were added to an empty coalescer */

/* Any thread. false: closed (as it is at first), nothing was taken over. */
bool coalescer_add(struct coalescer *c, struct submission *s);

/* Closed: coalescer_add refuses. Opened again when the broker is usable. Broker thread. */
void coalescer_open(struct coalescer *c);
void coalescer_close(struct coalescer *c);

/*
 * The oldest orders of one shard, at most max_orders, whose encoded lines together have at most max_bytes
 * (one order is always taken if there is one). Orders of other shards keep their places. Appends the lines to
 * *body. Broker thread. Ensures: what is taken is in *list and nowhere else; order of arrival is kept within
 * a shard.
 */
void coalescer_take(struct coalescer *c, int max_orders, size_t max_bytes, struct submission_list *list,
                    uint8_t *shard, struct buffer *body);

/* Everything that waits (to refuse it). */
struct submission_list coalescer_take_all(struct coalescer *c);

/* Those that were submitted before this moment (monotonic ns). */
struct submission_list coalescer_take_older(struct coalescer *c, int64_t before_ns);

int coalescer_count(struct coalescer *c); /* orders that wait; any thread */

#endif
