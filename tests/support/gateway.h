/*
 * A fake SMS gateway on loopback: it takes POSTs with an Idempotency-Key, counts them, and behaves as the
 * test wants: slow, failing, hanging, refusing connections, breaking off. One thread, plain sockets, HTTP/1.1
 * with keep-alive; it serves thousands of connections at once. Every function may be called from any thread.
 *
 * It can be a program, too (gateway_main.c): then the paths under /control, which are served here as well,
 * do what these functions do.
 *
 *   PUT /control/rule   {"status":503,"first_tries":2,"user_prefix":"u","delay_ms":5,"manner":"hangs",
 *                        "headers":"Retry-After: 1\r\n"}, each member may be missing
 *   GET /control/tally  {"received":…,"keys":…,…} as in struct gateway_tally
 *   GET /control/keys   {"<key>":{"tries":…,"accepted":…},…}
 */
#ifndef SECKILL_TESTS_GATEWAY_H
#define SECKILL_TESTS_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/support/text.h"

enum gateway_manner { /* what it does with a request when its delay is over */
                      GATEWAY_ANSWERS,
                      GATEWAY_ANSWERS_IN_CHUNKS,
                      GATEWAY_HANGS,       /* never answers; nor later */
                      GATEWAY_RESETS,      /* answers nothing, resets the connection */
                      GATEWAY_BREAKS_HEAD, /* resets in the middle of the answer's head … */
                      GATEWAY_BREAKS_BODY, /* … closes in the middle of its body */
                      GATEWAY_FLOODS_HEAD, /* headers without end … */
                      GATEWAY_FLOODS_BODY, /* … a body without end */
                      GATEWAY_TRICKLES,    /* a byte of the answer in 50 ms */
};

struct gateway_rule {     /* what it does not hit is answered with 200 at once */
    int first_tries;      /* hits only the first so many tries of each key; 0: all of them */
    char user_prefix[65]; /* hits only users whose id begins so */
    int status;           /* 0: 200 */
    int delay_ms;
    enum gateway_manner manner;
    char headers[160]; /* whole lines, each with its "\r\n" */
    char body[160];    /* "" is "{}" */
};

struct gateway_tally {
    int64_t received; /* whole requests */
    int64_t keys;     /* different ones among them */
    int64_t accepted; /* answered with a whole 2xx */
    int64_t accepted_keys;
    int64_t unkeyed;                   /* requests without an Idempotency-Key */
    int64_t differing;                 /* tries whose body was not that of the key's first */
    int64_t in_flight, most_in_flight; /* received and not answered */
    int64_t connections;               /* taken so far */
};

struct gateway;

/* Serves on 127.0.0.1:port; port 0: a free one, below those that the kernel gives to outgoing connections.
 * NULL after having said why. */
struct gateway *gateway_start(int port);
void gateway_free(struct gateway *g); /* NULL is fine */
int gateway_port(const struct gateway *g);

void gateway_set(struct gateway *g,
                 const struct gateway_rule *rule); /* for requests from now on; NULL: none */

/* Closes every connection and refuses new ones; takes them again. Returns when that is so. */
void gateway_shut(struct gateway *g);
void gateway_open(struct gateway *g);

void gateway_tally(struct gateway *g, struct gateway_tally *tally);
int gateway_tries(struct gateway *g, const char *key); /* 0: never seen */
int gateway_accepted(struct gateway *g, const char *key);

/* false: the seconds are over. */
bool gateway_wait_received(struct gateway *g, int64_t count, int seconds);
bool gateway_wait_accepted_keys(struct gateway *g, int64_t count, int seconds);

/* The latest request, head and body, appended. */
void gateway_last(struct gateway *g, struct text *out);

#endif
