/*
 * Lines that go back to who asked, after the commit: decisions to the front ends' own queues. They are
 * transient and may get lost; who misses one asks. In memory only, one thread.
 */
#ifndef SECKILL_PIPELINE_REPLIES_H
#define SECKILL_PIPELINE_REPLIES_H

#include "common/base/slice.h"
#include "common/broker/connection.h"

struct replies;

struct replies *replies_new(void);
void replies_free(struct replies *r); /* NULL is fine */

/* Adds one line (with its "\n") for the queue named reply_to; nothing where that is empty. */
void replies_add(struct replies *r, struct slice reply_to, struct slice line);

/* Publishes what was added, one message for each queue (more where it would be larger than a frame), and
 * forgets it. A connection that breaks shows in its next pump. */
void replies_send(struct replies *r, struct broker_connection *publish);

/* Forgets what was added: after a rollback, or where there is nobody to send it through. */
void replies_discard(struct replies *r);

#endif
