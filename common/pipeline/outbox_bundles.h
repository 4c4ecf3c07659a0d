/*
 * Rows of the outbox that go out together: those of one routing key become one message, in the order in which
 * they were added. For outbox_relay.c.
 */
#ifndef SECKILL_PIPELINE_OUTBOX_BUNDLES_H
#define SECKILL_PIPELINE_OUTBOX_BUNDLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/slice.h"

#define ROUTING_KEY_SIZE 256
#define BUNDLES_MAX      4 /* different routing keys that gather side by side */

struct bundle {
    char routing_key[ROUTING_KEY_SIZE];
    struct buffer body;
    int64_t *ids; /* of its rows, rising */
    int count, cap;
};

struct bundles { /* a zeroed struct has none */
    struct bundle list[BUNDLES_MAX];
    int count;
};

/* Copies the row. false: there may be no further key (at most `most` of them, and BUNDLES_MAX), the
 * message would be larger than OUTBOX_BODY_MAX, or its last line has no end: then nothing is added. */
bool bundles_add(struct bundles *b, const char *routing_key, int64_t id, struct slice body, int most);

size_t bundles_bytes(const struct bundles *b); /* of all bodies */
void bundles_clear(struct bundles *b);         /* keeps the memory */
void bundles_free(struct bundles *b);          /* leaves none */

#endif
