/*
 * A bounded load of orders from many connections, in a thread of its own, that remembers every answer: what
 * the client was told is what the system must keep.
 */
#ifndef SECKILL_TESTS_LOAD_H
#define SECKILL_TESTS_LOAD_H

#include <stdbool.h>

#include "tests/support/swarm.h"

#define LOAD_ID_SIZE   27
#define LOAD_CODE_SIZE 24

struct load_spec {
    int port, connections;
    int max_orders, seconds; /* bounds: it ends when either is reached */
    int stop_after_accepted; /* … or when so many got 202; 0: no matter */
    const char *sku;
    int quantity;       /* 0: 1 */
    int users;          /* order n is of user n modulo users; 0: a user for each order */
    const char *user;   /* all orders are of this user, if not NULL */
    const char *key;    /* all orders have this Idempotency-Key, if not NULL */
    bool own_keys;      /* order n has the key "<sku>-<n>" */
    int repeats;        /* each order, with its user and key, is sent so often in a row; 0: once */
    int pace_ms;        /* a connection rests so long after each answer */
    int backoff_ms;     /* … and so long after anything but a 202; 0: as after a 202 */
    const char *prefix; /* before "-" and every user's name, if not NULL */
};

struct load_answer {
    int status; /* 0: none; why says how */
    enum swarm_failure why;
    char code[LOAD_CODE_SIZE];          /* of a refusal */
    char order_id[LOAD_ID_SIZE];        /* of a 202 or 504, "" else */
    bool has_retry_after, has_location; /* a Retry-After of 1 to 60; a Location that names order_id */
};

struct load;

struct load *load_start(const struct load_spec *spec); /* the strings must outlive it */
int load_accepted(struct load *l);                     /* 202s so far */
int load_refused(struct load *l);                      /* anything but 202 so far */
bool load_wait_accepted(struct load *l, int count, int seconds);
bool load_wait_refused(struct load *l, int count, int seconds); /* … anything but 202 */
void load_stop(struct load *l); /* no new orders; those under way still get their answer */
void load_join(struct load *l); /* waits for its end, which is bounded */
void load_free(struct load *l);

/* After load_join: the answers to the orders that were sent. */
int load_count(const struct load *l);
const struct load_answer *load_answer(const struct load *l, int index);
int load_count_status(const struct load *l, int status);
int load_count_code(const struct load *l, const char *code);
int load_count_failure(const struct load *l, enum swarm_failure why);
/* Orders that may or may not be queued: 504, and those that were sent and got no answer. */
int load_count_unknown(const struct load *l);
int load_quantity(const struct load *l); /* units of each order */

/* Which order of this load the request was for: less than its index where orders are repeated. */
int load_order(const struct load *l, int index);
/* The number of its Idempotency-Key in this load, the same for the same key; -1: it has none. */
int load_key(const struct load *l, int index);
#define LOAD_USER_SIZE 80
void load_user(const struct load *l, int index, char user[LOAD_USER_SIZE]);
void load_print(const struct load *l); /* how many of what, for a failed test */

/* start, join. */
struct load *load_run(const struct load_spec *spec);

#endif
