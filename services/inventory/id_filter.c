#include "services/inventory/id_filter.h"

#include <stdlib.h>

#include "common/base/alloc.h"

#define BITS_PER_ID 16
#define PROBES      4

void id_filter_reset(struct id_filter *f, size_t ids)
{
    size_t bits = 1024;
    while (bits < ids * BITS_PER_ID)
        bits *= 2;
    free(f->words);
    *f = (struct id_filter){.words = xcalloc(bits / 64, sizeof *f->words), .mask = bits - 1};
}

void id_filter_free(struct id_filter *f)
{
    free(f->words);
    *f = (struct id_filter){.words = NULL};
}

bool id_filter_is_full(const struct id_filter *f)
{
    return !f->words || (f->count + 1) * BITS_PER_ID > f->mask + 1;
}

static uint64_t
hash_of(const char *id) /* FNV-1a, its bits mixed once more: the probes take them from both ends */
{
    uint64_t h = 14695981039346656037u;
    for (; *id; id++)
        h = (h ^ (unsigned char)*id) * 1099511628211u;
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    return h ^ h >> 33;
}

void id_filter_add(struct id_filter *f, const char *id)
{
    uint64_t h = hash_of(id), step = h >> 32 | 1;
    for (int i = 0; i < PROBES; i++, h += step)
        f->words[(h & f->mask) / 64] |= UINT64_C(1) << (h & 63);
    f->count++;
}

bool id_filter_may_have(const struct id_filter *f, const char *id)
{
    if (f->count == 0)
        return false;
    uint64_t h = hash_of(id), step = h >> 32 | 1;
    for (int i = 0; i < PROBES; i++, h += step)
        if (!(f->words[(h & f->mask) / 64] >> (h & 63) & 1))
            return false;
    return true;
}
