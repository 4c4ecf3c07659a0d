/* The catalogue as /v1/items tells it. */
#ifndef SECKILL_REPLAY_ITEMS_H
#define SECKILL_REPLAY_ITEMS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "loadtest/replay/getter.h"
#include "loadtest/replay/plan.h"

struct item_told {
    char sku[65];
    int64_t stock_total, stock_left, limit_per_user, shard;
};

struct items {
    struct item_told *list; /* owned */
    size_t count;
};

/* E_REFUSED with the reason if the server does not tell; E_CORRUPT if it makes no sense. */
int items_get(struct items *items, struct getter *getter, struct detail *why) MUST_USE;
void items_free(struct items *items);
const struct item_told *items_find(const struct items *items, struct slice sku); /* NULL: not there */

#endif
