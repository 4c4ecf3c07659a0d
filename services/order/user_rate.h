/*
 * The rate of each user, for any number of users in a fixed 2 MiB: nothing is allocated, looked for or
 * evicted, whoever attacks with however many names. Any thread.
 *
 * It is an approximation in one direction only. Four rows have 65 536 buckets each, all of the same rate; a
 * user's id is hashed (SipHash with a key that this process draws at random, so nobody can choose names that
 * meet) to one bucket in each row. There is a token for the user if there is one in *any* of the four; then
 * each that would be fuller than this user's taking explains is lowered to that, and no further (a count-min
 * sketch with conservative update, of token buckets).
 *
 * Ensures: no user ever gets more than rate and burst. Strangers can only add to what a bucket has given
 * out, never take from it; all takings of one user are one after the other.
 *
 * The price: a user is limited by strangers if strangers have emptied all four buckets. An order that is let
 * in makes at most one bucket of each row busy, for 1 / user_rate seconds. So with n orders let in each
 * second, at most a share n / (65 536 × user_rate) of a row is anything but full, and a quiet user is limited
 * with a probability below its fourth power: at the default thresholds (n ≤ 20 000, rate 5) below 1 in 70 000
 * even if *all* of these orders come from users who exhaust their own rate; with orders of users who each
 * send a few, far below that, since a bucket that one stranger has used has nine of ten tokens left. There is
 * no "full": more users only raise that share. Beyond n = 65 536 × user_rate (320 000 orders a second by
 * default) everybody would be limited by everybody.
 */
#ifndef SECKILL_ORDER_USER_RATE_H
#define SECKILL_ORDER_USER_RATE_H

#include <stddef.h>

#include "services/order/rate_limit.h"

#define USER_RATES_KEY_BYTES 16

struct user_rates;

/* key: NULL draws a random one; tests pass their own. */
struct user_rates *user_rates_new(const unsigned char *key);
void user_rates_free(struct user_rates *u); /* NULL is fine */

/* false: no token for this user; *wait_ns says when there will be one. The rate may be another one at each
 * call: what was taken stays taken, in time. */
bool user_rates_take(struct user_rates *u, const char *user_id, struct rate rate, int64_t now_ns,
                     int64_t *wait_ns);

#endif
