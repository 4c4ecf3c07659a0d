/* Consuming, acknowledging, and the private queues that end with their connection. */
#ifndef SECKILL_BROKER_CONSUME_H
#define SECKILL_BROKER_CONSUME_H

#include "common/broker/connection.h"

#define BROKER_NAME_SIZE 256 /* AMQP short strings have at most 255 bytes */

/* Starts a consumer named `tag` on the queue. prefetch: messages without ack in flight, 0 for no bound.
 * no_ack: the broker forgets a message as it sends it. E_NOT_FOUND: no such queue (the connection is dead
 * then, as the broker closes the channel); E_CLOSED, E_TIMEOUT, E_REFUSED. */
int broker_consume(struct broker_connection *c, const char *queue, const char *tag, int prefetch, bool no_ack,
                   struct detail *why) MUST_USE;

/* Holds this name until the connection ends: E_REFUSED (and the connection is dead) while another one has it,
 * on whatever node of a cluster. It is the name of an exclusive queue that nothing is sent to. An exclusive
 * consumer would not do: a quorum queue takes a second one without a word. */
int broker_hold(struct broker_connection *c, const char *name, struct detail *why) MUST_USE;
int broker_cancel(struct broker_connection *c, const char *tag, struct detail *why) MUST_USE;

/* multiple: this one and all before it on the channel. E_CLOSED. */
int broker_ack(struct broker_connection *c, uint64_t tag, bool multiple) MUST_USE;
int broker_requeue(struct broker_connection *c, uint64_t tag) MUST_USE;

/* Declares an exclusive, auto-deleted queue whose name the server chooses, drop-head beyond max_length
 * messages (0: no bound), and writes the name. */
int broker_declare_private_queue(struct broker_connection *c, int max_length, char name[BROKER_NAME_SIZE],
                                 struct detail *why) MUST_USE;
int broker_bind(struct broker_connection *c, const char *queue, const char *exchange, const char *routing_key,
                struct detail *why) MUST_USE;

/* Looks, without changing anything, whether the queue or exchange is there. E_NOT_FOUND; the connection stays
 * usable (a new channel is opened in the place of the one that the broker closes). `ready` (may be NULL):
 * messages that wait; those that are delivered and unacknowledged are not counted. */
int broker_queue_check(struct broker_connection *c, const char *queue, uint32_t *ready, uint32_t *consumers,
                       struct detail *why) MUST_USE;
int broker_exchange_check(struct broker_connection *c, const char *exchange, struct detail *why) MUST_USE;

#endif
