/* The bytes of requests. The part that is the same in all of them is made once. One thread for each. */
#ifndef SECKILL_REPLAY_REQUEST_H
#define SECKILL_REPLAY_REQUEST_H

#include "common/base/buffer.h"
#include "loadtest/replay/plan.h"

struct request_maker {
    struct buffer head; /* of a POST, up to the body's length */
    struct buffer tail; /* of a GET, behind its path */
    struct buffer body; /* room */
};

void request_maker_init(struct request_maker *m, const char *host);
void request_maker_free(struct request_maker *m);

/* Appends the POST of this intent. */
void request_post(struct request_maker *m, const struct plan *plan, const struct intent *n,
                  struct buffer *out);

/* Appends a GET of this path. */
void request_get(struct request_maker *m, struct slice path, struct buffer *out);

#endif
