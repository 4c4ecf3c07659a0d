/* Which shard a new item goes to. It stays there: whoever looks for an item that exists asks the catalogue,
 * or every shard, because the number of shards may have been another one when the item was made. */
#ifndef SECKILL_PIPELINE_SHARD_H
#define SECKILL_PIPELINE_SHARD_H

#include <stdint.h>

/* The same on every host and for all time: the sku's bytes by FNV-1a (64 bits), modulo the number of shards.
 */
static inline uint8_t shard_of_new_item(const char *sku, int shards)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const unsigned char *s = (const unsigned char *)sku; *s; s++)
        hash = (hash ^ *s) * UINT64_C(0x100000001b3);
    return (uint8_t)(hash % (uint64_t)shards);
}

#endif
