/*
 * Who is alive: the latest sign of life (heartbeat.h) of each run of each service of the deployment, this one
 * among them, as it came over the broker. Who has been silent for HEARTBEAT_GONE_NS is not there any more.
 * Bounded in number: beyond ALIVE_MAX no new ones are taken in. Any thread.
 */
#ifndef SECKILL_ORDER_ALIVE_H
#define SECKILL_ORDER_ALIVE_H

#include "common/pipeline/heartbeat.h"

#define ALIVE_MAX 1024

struct alive;

struct alive *alive_new(void);
void alive_free(struct alive *a); /* NULL is fine */

void alive_heard(struct alive *a, const struct heartbeat *h, int64_t now_ns); /* monotonic */

/* Each one, by service and then by instance, under the lock: visit must be quick. */
void alive_visit(struct alive *a, int64_t now_ns,
                 void (*visit)(void *context, const struct heartbeat *h, int64_t last_seen_ms),
                 void *context);

#endif
