/* Entries, table and lists. See order_table.h. */
#include "services/order/order_table.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"

#define FIRST_BUCKETS 4096 /* a power of two; doubled as the table fills */

static size_t entry_bytes(size_t user_len, size_t sku_len)
{
    return offsetof(struct entry, names) + user_len + sku_len + 2;
}

static struct entry *entry_new(struct slab *slab, const struct order *order, uint8_t shard, int64_t now_ns)
{
    size_t user_len = strlen(order->user_id), sku_len = strlen(order->sku);
    struct entry *e = slab_take(slab, entry_bytes(user_len, sku_len));
    memset(e, 0, offsetof(struct entry, names));
    e->waiting.begun_ns = now_ns;
    e->accepted_ms = order->accepted_ms;
    e->quantity = order->quantity;
    e->attempts = 1;
    e->shard = shard;
    e->state = SUBMITTING;
    e->user_len = (uint8_t)user_len;
    if (!order_id_pack(order->order_id, e->id))
        abort(); /* it was made here */
    memcpy(e->names, order->user_id, user_len + 1);
    memcpy(e->names + user_len + 1, order->sku, sku_len + 1);
    return e;
}

void entry_id(const struct entry *e, char out[ORDER_ID_SIZE])
{
    order_id_unpack(e->id, out);
}

const char *entry_user(const struct entry *e)
{
    return e->names;
}

const char *entry_sku(const struct entry *e)
{
    return e->names + e->user_len + 1;
}

/* ---- the table ---- */

/* The last bytes hold the MAC, which is as good as random. */
static size_t bucket_of(const struct order_table *t, const unsigned char id[ORDER_ID_BYTES])
{
    uint64_t tail;
    memcpy(&tail, id + ORDER_ID_BYTES - sizeof tail, sizeof tail);
    return (size_t)((tail * 0x9E3779B97F4A7C15ULL) >> 32) &
           (t->bucket_count - 1); /* Fibonacci hashing, Knuth 6.4 */
}

void order_table_init(struct order_table *t)
{
    *t = (struct order_table){.bucket_count = FIRST_BUCKETS};
    t->buckets = xcalloc(t->bucket_count, sizeof *t->buckets);
}

void order_table_free(struct order_table *t)
{
    slab_free(&t->slab);
    free(t->buckets);
}

struct entry *order_table_find(const struct order_table *t, const char *order_id)
{
    unsigned char id[ORDER_ID_BYTES];
    if (!order_id_pack(order_id, id))
        return NULL;
    struct entry *e = t->buckets[bucket_of(t, id)];
    while (e && memcmp(e->id, id, sizeof id) != 0)
        e = e->chain;
    return e;
}

static void table_grow(struct order_table *t)
{
    struct entry **old = t->buckets;
    size_t old_count = t->bucket_count;
    t->bucket_count *= 2;
    t->buckets = xcalloc(t->bucket_count, sizeof *t->buckets);
    for (size_t i = 0; i < old_count; i++)
        for (struct entry *e = old[i], *next; e; e = next) {
            next = e->chain;
            size_t b = bucket_of(t, e->id);
            e->chain = t->buckets[b];
            t->buckets[b] = e;
        }
    free(old);
}

struct entry *order_table_add(struct order_table *t, const struct order *order, uint8_t shard, int64_t now_ns)
{
    struct entry *e = entry_new(&t->slab, order, shard, now_ns);
    if (t->entry_count >= t->bucket_count)
        table_grow(t);
    size_t b = bucket_of(t, e->id);
    e->chain = t->buckets[b];
    t->buckets[b] = e;
    t->entry_count++;
    return e;
}

void order_table_remove(struct order_table *t, struct entry *e)
{
    struct entry **link = &t->buckets[bucket_of(t, e->id)];
    while (*link != e)
        link = &(*link)->chain;
    *link = e->chain;
    t->entry_count--;
    slab_give_back(&t->slab, e, entry_bytes(e->user_len, strlen(entry_sku(e))));
}

/* ---- the lists ---- */

void entry_list_add(struct entry_list *l, struct entry *e)
{
    e->older = l->newest;
    e->newer = NULL;
    if (l->newest)
        l->newest->newer = e;
    else
        l->oldest = e;
    l->newest = e;
    l->count++;
}

void entry_list_remove(struct entry_list *l, struct entry *e)
{
    if (e->older)
        e->older->newer = e->newer;
    else
        l->oldest = e->newer;
    if (e->newer)
        e->newer->older = e->older;
    else
        l->newest = e->older;
    l->count--;
}
