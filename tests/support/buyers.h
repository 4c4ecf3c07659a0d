/*
 * A stack whose messages to buyers go to a fake gateway in the test program: what a test asks of both. Every
 * function here fails the test (cmocka) where it says "assert", or where its work cannot be done.
 */
#ifndef SECKILL_TESTS_BUYERS_H
#define SECKILL_TESTS_BUYERS_H

#include <stdint.h>

#include "tests/support/gateway.h"
#include "tests/support/load.h"
#include "tests/support/stack.h"

enum { BUYERS_SECONDS = 90, BUYERS_STOCK = 1000000, BUYERS_IN_FLIGHT = 64 };

/* For run_with_stack: the sink webhook with short time-outs, and no thresholds. Call it in main, once. */
const char *const *buyers_settings(void);

/* A test's setup: the gateway is there and behaves, every service runs, the item "phone" is for sale. */
int buyers_ready(void **state);
int buyers_end(void **state); /* the last test's teardown */

struct gateway *buyers_gateway(void);

/* From here on the functions below wait for so long, and not for BUYERS_SECONDS. */
void buyers_wait_for(int seconds);

/* One number from notification.db; -1 after having said why. Waits for it to have this value. */
int64_t records_ask(struct stack *s, const char *select);
void assert_records_come_to(struct stack *s, const char *select, int64_t value);

/* "<order id>:order.confirmed" */
#define MESSAGE_KEY_SIZE 64
const char *message_key(const char *order_id, char out[MESSAGE_KEY_SIZE]);

/* An order of one "phone", confirmed. */
void buy(struct stack *s, const char *user, char order_id[27]);

/* So many orders, each of a user of its own: each is accepted and confirmed, whatever the gateway does. To be
 * freed. */
struct load *buy_many(struct stack *s, int count);

/* How many of the load's messages the gateway has taken. */
int count_taken(const struct load *l);
void assert_is_taken(const char *order_id);      /* within the seconds */
void assert_all_are_taken(const struct load *l); /* … of the 202s */

/* Nothing is under way any more: everything decided is recorded as sent, and the gateway took exactly what
 * is recorded, each under one key with one body. */
void assert_records_and_gateway_agree(struct stack *s);

#endif
