/* Single GETs beside the load, on a kept connection of their own; each has a bound in time. One thread. */
#ifndef SECKILL_REPLAY_GETTER_H
#define SECKILL_REPLAY_GETTER_H

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "loadtest/replay/request.h"
#include "loadtest/replay/target.h"

#define GETTER_SECONDS 5

struct getter {
    const struct target *target;
    struct request_maker maker;
    struct buffer request, received, joined;
    int fd; /* -1: not connected */
};

void getter_init(struct getter *g, const struct target *target);
void getter_free(struct getter *g);

/* The status of the answer, and its body in *body (valid until the next call). E_CLOSED, E_TIMEOUT, E_CORRUPT
 * if there is none. */
int getter_get(struct getter *g, const char *path, struct slice *body) MUST_USE;

#endif
