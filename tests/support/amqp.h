/* What another AMQP client does with the stack's broker, by amqp_client.py (Debian's python3-pika). */
#ifndef SECKILL_TESTS_AMQP_H
#define SECKILL_TESTS_AMQP_H

#include <jansson.h>

#include "tests/support/stack.h"

/* Publishes a persistent, mandatory message and waits for the confirm. 0, or -1 after having said why. */
int amqp_publish(struct stack *s, const char *exchange, const char *key, const char *body);

/* Takes so many messages off the queue: an array of {"body", "headers", "routing_key"}; NULL after having
 * said why. */
json_t *amqp_take(struct stack *s, const char *queue, int count, int seconds);

int amqp_delete_queue(struct stack *s, const char *queue);

#endif
