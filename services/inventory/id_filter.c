#include "services/inventory/id_filter.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/pipeline/order_id.h"

#define BITS_PER_ID 16
#define PROBES      4
#define BLOCK_WORDS 8 /* a cache line: all of an id's bits are in one, so that looking costs one miss */
#define BLOCK_BITS  (64 * BLOCK_WORDS)

void id_filter_reset(struct id_filter *f, size_t ids)
{
    size_t blocks = 1;
    while (blocks * BLOCK_BITS < ids * BITS_PER_ID)
        blocks *= 2;
    free(f->words);
    *f = (struct id_filter){.words = xcalloc(blocks * BLOCK_WORDS, sizeof *f->words), .mask = blocks - 1};
}

void id_filter_free(struct id_filter *f)
{
    free(f->words);
    *f = (struct id_filter){.words = NULL};
}

bool id_filter_is_full(const struct id_filter *f)
{
    return !f->words || (f->count + 1) * BITS_PER_ID > (f->mask + 1) * BLOCK_BITS;
}

static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}

/* Of the 26 characters, by eights: the last eight overlap. */
static uint64_t hash_of(const char *id)
{
    static const int at[] = {0, 8, 16, ORDER_ID_CHARS - 8};
    uint64_t h = 0;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        uint64_t part;
        memcpy(&part, id + at[i], sizeof part);
        h = (h ^ part) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return mix(h);
}

/* The id's block by the hash, and its bits in it by nine bits each of another one. */
static uint64_t *block_of(const struct id_filter *f, uint64_t hash)
{
    return f->words + (hash & f->mask) * BLOCK_WORDS;
}

void id_filter_add(struct id_filter *f, const char *id)
{
    uint64_t hash = hash_of(id), *block = block_of(f, hash), bits = mix(hash);
    for (int i = 0; i < PROBES; i++, bits >>= 9)
        block[bits >> 6 & (BLOCK_WORDS - 1)] |= UINT64_C(1) << (bits & 63);
    f->count++;
}

bool id_filter_may_have(const struct id_filter *f, const char *id)
{
    if (f->count == 0)
        return false;
    uint64_t hash = hash_of(id), bits = mix(hash);
    const uint64_t *block = block_of(f, hash);
    for (int i = 0; i < PROBES; i++, bits >>= 9)
        if (!(block[bits >> 6 & (BLOCK_WORDS - 1)] >> (bits & 63) & 1))
            return false;
    return true;
}
