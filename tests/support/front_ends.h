/* Talking to one front end of several by its port: a stack can have a second one on a port of its own. */
#ifndef SECKILL_TESTS_FRONT_ENDS_H
#define SECKILL_TESTS_FRONT_ENDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/support/stack.h"

/* Starts order@N on a port of its own, with these "--set", "section.key=value" (ends with NULL; or NULL), and
 * waits until it is ready. Returns the port; fails the test otherwise. */
int front_end_start(struct stack *s, const char *instance, const char *const sets[]);

/* The process that listens there. Fails the test if there is none. */
pid_t front_end_pid(struct stack *s, int port);

/* GET /v1/orders/{id}{query}: the status code; *body (if not NULL) is to be freed. */
int front_end_ask(int port, const char *order_id, const char *query, json_t **body);

/* Asks until the order has this status there; fails the test after a minute. */
void front_end_assert_becomes(int port, const char *order_id, const char *status);

/* POST of one unit, with an Idempotency-Key if that is not NULL: the status code. order_id gets the id that
 * the body names, which is "" if it names none; a Location has to name the same. */
int front_end_order(int port, const char *user, const char *sku, const char *key, char order_id[27]);

/* A sample of /metrics by its name with labels; -1 if there is none. */
int64_t front_end_metric(int port, const char *name);

/* Waits until the sample has this value. */
bool front_end_wait_metric(int port, const char *name, int64_t value, int seconds);

/* Waits until the catalogue there shows so many left; fails the test after a minute. */
void front_end_assert_left(int port, const char *sku, int64_t left);

#endif
