/*
 * What a buyer can check: that each 202 was decided, once and for what was ordered, that no more was sold
 * than there was, to no one more than allowed. It rests on nothing but the answers over HTTP; seckillctl
 * audit is the proof from within.
 */
#ifndef SECKILL_REPLAY_VERIFY_H
#define SECKILL_REPLAY_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loadtest/replay/follow.h"
#include "loadtest/replay/items.h"
#include "loadtest/replay/peak.h"
#include "loadtest/replay/tally.h"

enum check_kind {
    CHECK_DECIDED,
    CHECK_AS_SENT,
    CHECK_KEYS,
    CHECK_STANDS,
    CHECK_STOCK,
    CHECK_LIMIT,
    CHECK_RECEIPTS,
    CHECK_COUNT
};

struct check {
    const char *says; /* what holds */
    const char *of;   /* what was looked at: "orders" */
    int64_t checked, failed;
    char example[256]; /* of a failure */
};

struct verification {
    struct check checks[CHECK_COUNT];
    struct followed *orders; /* owned; each id once */
    size_t count;
    int64_t confirmed, rejected, undecided, missing;
    struct tally reasons; /* of rejections; the status is 0 */
};

/* The ids that came, each once; checks what can be seen of them alone (CHECK_KEYS). The orders stay the
 * caller's and are sorted. */
void verification_begin(struct verification *v, const struct plan *plan, struct accepted *orders,
                        size_t count);

/* After the orders were followed: the other checks. before and after: what /v1/items said then. */
void verification_end(struct verification *v, const struct plan *plan, const struct items *before,
                      const struct items *after);

bool verification_holds(const struct verification *v);
void verification_free(struct verification *v);

#endif
