/* What another AMQP client does with the stack's broker, by amqp_client.py (Debian's python3-pika). */
#ifndef SECKILL_TESTS_AMQP_H
#define SECKILL_TESTS_AMQP_H

#include <jansson.h>

#include "tests/support/stack.h"
#include "tests/support/text.h"

/* Publishes a persistent, mandatory message and waits for the confirm. 0, or -1 after having said why. */
int amqp_publish(struct stack *s, const char *exchange, const char *key, const char *body);

/* Takes so many messages off the queue: an array of {"body", "headers", "routing_key"}; NULL after having
 * said why. */
json_t *amqp_take(struct stack *s, const char *queue, int count, int seconds);

/* Takes messages off the queue until these many lines have come. */
json_t *amqp_take_lines(struct stack *s, const char *queue, int lines, int seconds);

/* Takes so many messages off the queue and gives them back: redelivered from now on. */
int amqp_touch(struct stack *s, const char *queue, int count, int seconds);

/* Starts a consumer of the queue, of one message, that acknowledges nothing until it gets SIGTERM, and waits
 * until it is known to the broker. Its process id, or -1 after having said why. */
pid_t amqp_hold(struct stack *s, const char *queue);

/* Makes a durable queue of the test's own, bound to the exchange. Delete it at the end. */
int amqp_make_queue(struct stack *s, const char *queue, const char *exchange, const char *key);

/* Asks the service behind the routing key ("redpacket") this method, once for each question: an array of its
 * answers ({"ok": true, "result": …} or {"ok": false, "error": {"code", "detail"}}) in the same order; NULL
 * after having said why. */
json_t *amqp_ask(struct stack *s, const char *key, const char *method, const json_t *questions);

/* rabbitmqctl of the stack's (first) node with these words, which end with NULL. What it prints is appended
 * to printed, if that is not NULL. 0, or -1 after having said why. */
int amqp_ctl(struct stack *s, const char *const words[], struct text *printed);

/* Mistakes of an operator. */
int amqp_delete_queue(struct stack *s, const char *queue);
int amqp_delete_exchange(struct stack *s, const char *exchange);
int amqp_unbind(struct stack *s, const char *queue, const char *exchange, const char *key);

/* The stack's own definitions once more, as after a mistake. */
int amqp_import_definitions(struct stack *s);

/* Puts a binding back in place. */
int amqp_bind(struct stack *s, const char *queue, const char *exchange, const char *key);

#endif
