/* What became of orders: every 202 that a client holds must be found decided, and the stock must say the
 * same. */
#ifndef SECKILL_TESTS_ORDERS_H
#define SECKILL_TESTS_ORDERS_H

#include <stdint.h>

#include "tests/support/load.h"
#include "tests/support/stack.h"

struct orders_tally {
    int ids; /* different ones */
    int confirmed, rejected;
    int undecided; /* not found decided when the time was over */
    int64_t confirmed_units;
};

/* Asks the front end, and for what it does not know seckillctl, until each of these orders is decided or the
 * seconds are over. The same id may occur several times. Prints the first few that are not. Returns how many
 * are not. */
int orders_wait_decided(struct stack *s, const char *const *ids, int count, int seconds,
                        struct orders_tally *tally);

/* The status of one order by seckillctl order show: "confirmed", "rejected", …; "" if it knows none. */
#define ORDER_STATUS_SIZE 32
void order_status(struct stack *s, const char *order_id, char status[ORDER_STATUS_SIZE]);

/*
 * After load_join: fails the test unless every 202 of the load is decided, the stock of its item fits (each
 * confirmed unit is either known to the client or within what it was told is unknown; confirmed + left =
 * stock) and the audit passes.
 */
void assert_load_is_accounted_for(struct stack *s, const struct load *l, const char *sku, int64_t stock,
                                  struct orders_tally *tally);

#endif
