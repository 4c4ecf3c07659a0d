/*
 * One HTTP/1.1 answer, read out of the bytes that came so far. It believes nothing: what is no HTTP, is too
 * long, or has two lengths is an error.
 *
 * Pure: no state but the bytes. They are looked at from the beginning again when more came, which costs
 * nothing where answers come whole, as they nearly always do, and is bounded where they do not.
 */
#ifndef SECKILL_REPLAY_RESPONSE_H
#define SECKILL_REPLAY_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buffer.h"
#include "common/base/slice.h"

#define RESPONSE_HEAD_MAX 16384
#define RESPONSE_BODY_MAX ((size_t)8 << 20)

struct response {
    int status;
    bool close; /* the server will close the connection after it */
    bool chunked;
    struct slice body; /* into the bytes; of a chunked one: into `joined` */
};

enum { RESPONSE_BROKEN = -1, RESPONSE_INCOMPLETE = 0 };

/* Returns the length of the whole answer (the interim 1xx before it included), RESPONSE_INCOMPLETE, or
 * RESPONSE_BROKEN. at_end: no more bytes will come, which ends a body without a length. joined takes the
 * pieces of a chunked body. */
long response_parse(const char *data, size_t len, bool at_end, struct response *out, struct buffer *joined);

/* The text of a member of a flat JSON object, without its quotes, found without parsing it; empty if it is
 * not there or has an escape in it. For the two members that each answer is looked at for. */
struct slice response_member(struct slice body, const char *quoted_name);

#endif
