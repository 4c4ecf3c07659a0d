/* A set of order ids that may say yes to one that it does not have, and never no to one that it has (a Bloom
 * filter). */
#ifndef SECKILL_INVENTORY_ID_FILTER_H
#define SECKILL_INVENTORY_ID_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id_filter { /* zeroed: without ids */
    uint64_t *words;
    size_t mask;  /* of block numbers: their count is a power of two */
    size_t count; /* ids that were added */
};

/* An empty one for this many ids: 16 to 32 bits each, so that it is wrong about one stranger in 400 or fewer.
 */
void id_filter_reset(struct id_filter *f, size_t ids);
void id_filter_free(struct id_filter *f);

bool id_filter_is_full(const struct id_filter *f); /* more would make it wrong more often */
void id_filter_add(struct id_filter *f, const char *id);
bool id_filter_may_have(const struct id_filter *f, const char *id);

#endif
