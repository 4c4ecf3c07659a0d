/*
 * Follows accepted orders to their decisions by GET /v1/orders/{id}?wait=, on all of an engine's connections
 * at once; or asks once more, and compares. A thread takes every step-th order.
 */
#ifndef SECKILL_REPLAY_FOLLOW_H
#define SECKILL_REPLAY_FOLLOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "loadtest/replay/engine.h"
#include "loadtest/replay/peak.h"

enum decision { UNDECIDED, CONFIRMED, REJECTED, MISSING /* 404: nobody knows it */ };

struct followed {
    char order_id[ORDER_ID_LEN + 1];
    char reason[24]; /* REJECTED */
    uint32_t intent; /* one that brought this id */
    enum decision decision;
    bool differs; /* the decided order is not what was sent */
    bool changed; /* asked again, it was another decision */
    bool asked_again;
    int64_t receipt; /* CONFIRMED */
};

struct follow_share { /* one thread's */
    const struct plan *plan;
    struct engine *engine;
    const char *host;
    struct followed *orders; /* of all threads; each touches its own */
    size_t count, first, step;
    size_t again;   /* 0: to their decisions. Else: ask every again-th one that is decided, and compare */
    int64_t end_ns; /* what is undecided then stays so */
    const atomic_bool *stop;
    atomic_llong settled; /* for a progress line */
};

void follow_run(struct follow_share *share);

#endif
