/* What the red packets' worker says: campaigns, packets of orders, balances. Each function fails the test if
 * there is no answer. */
#ifndef SECKILL_TESTS_RED_PACKETS_H
#define SECKILL_TESTS_RED_PACKETS_H

#include <jansson.h>
#include <stdint.h>

#include "tests/support/load.h"
#include "tests/support/stack.h"

struct campaign {
    int64_t budget, packets, min_amount, budget_left, packets_left;
};

void campaign_read(struct stack *s, const char *sku, struct campaign *c);
void campaign_put(struct stack *s, const char *sku, const char *budget, const char *packets,
                  const char *min_amount);

/* The ids of the load's accepted orders that have this status at the front end now ("confirmed"). After
 * load_join. */
json_t *load_ids(struct stack *s, const struct load *l, const char *status);

/* The answers to packet.show for these orders, in their order (amqp_ask). */
json_t *packets_ask(struct stack *s, const json_t *ids);

/* An answer's result, or NULL: it was refused. */
const json_t *answer_result(const json_t *answers, size_t index);

/* Waits until each of them was decided there, one way or the other. */
void packets_wait(struct stack *s, const json_t *ids, int seconds);

struct packets_tally {
    int64_t granted, amount, none_left;
};

/* Every order has an answer, none_left or an amount of at least the minimum; fails otherwise. */
struct packets_tally packets_count(struct stack *s, const json_t *ids, int64_t min_amount);

/* The answers to balance.show for the users buyer-0 … of a load. */
json_t *balances_ask(struct stack *s, int users);
int64_t balances_sum(struct stack *s, int users);

#endif
