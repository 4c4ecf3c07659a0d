/*
 * Many keep-alive connections in one thread over epoll. Each has at most one request in flight; who sends
 * what and when is up to the handler. Bounded in time.
 */
#ifndef SECKILL_TESTS_SWARM_H
#define SECKILL_TESTS_SWARM_H

#include <stdint.h>

#include "tests/support/http_wire.h"

enum swarm_next {
    SWARM_SEND, /* *out has a request; *tag names it */
    SWARM_WAIT, /* nothing for now: ask again */
    SWARM_DONE, /* nothing any more */
};

enum swarm_failure {
    SWARM_ANSWERED = 0,
    SWARM_REFUSED, /* no connection: not a byte was sent */
    SWARM_LOST,    /* the connection ended and there was no answer */
    SWARM_LATE,    /* no answer when the time was over */
    SWARM_BAD,     /* the answer is not HTTP */
};

struct swarm_handler {
    void *context;
    /* Asked for every idle connection in every turn of the loop. */
    enum swarm_next (*next)(void *context, int connection, struct text *out, uint64_t *tag);
    /* The outcome of a request, exactly once for each: response is NULL unless why is SWARM_ANSWERED. Returns
     * how many milliseconds this connection rests. */
    int (*outcome)(void *context, uint64_t tag, const struct http_response *response, enum swarm_failure why);
};

/* Runs until next() said SWARM_DONE for all and nothing is in flight: 0. -1: the seconds were over before, or
 * there are no descriptors. */
int swarm_run(int port, int connections, int seconds, const struct swarm_handler *handler);

#endif
