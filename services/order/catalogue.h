/*
 * The latest catalogue snapshot of each shard, as inventory fanned it out. Any thread may read; the broker
 * thread updates. Sold out is read from here: a fact that the next snapshot changes, never a latch.
 */
#ifndef SECKILL_ORDER_CATALOGUE_H
#define SECKILL_ORDER_CATALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/pipeline/message.h"

struct catalogue;

#define CATALOGUE_STALE_MS 3000 /* snapshots come at least once a second */

struct catalogue *catalogue_new(int shards);
void catalogue_free(struct catalogue *c);

/* Takes the snapshot over (it is freed, and *s emptied) if it is newer than the one held. now_ns: monotonic.
 * Returns whether it was newer. */
bool catalogue_update(struct catalogue *c, struct snapshot *s, int64_t now_ns);

struct catalogue_entry { /* what admission needs to know */
    int64_t stock_left;
    int64_t starts_ms, ends_ms;
    bool paused;
    uint8_t shard;
};

/* false: no such item in the latest snapshots. */
bool catalogue_find(struct catalogue *c, const char *sku, struct catalogue_entry *out);

/* Every item of every shard, in the snapshots' order, under the read lock: visit must be quick. age_ms: of
 * its shard's snapshot. */
void catalogue_visit(struct catalogue *c, int64_t now_ns,
                     void (*visit)(void *context, const struct item *item, int64_t age_ms), void *context);

bool catalogue_is_complete(struct catalogue *c); /* a snapshot of each shard was seen; lock-free */
int64_t catalogue_shard_age_ms(struct catalogue *c, int shard, int64_t now_ns); /* -1: never seen */
int64_t catalogue_age_ms(struct catalogue *c,
                         int64_t now_ns); /* of the oldest shard's; -1 if one was never seen */

#endif
