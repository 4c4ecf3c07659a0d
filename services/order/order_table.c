/* Entries, table and lists. See order_table.h. */
#include "services/order/order_table.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"

#define FIRST_BUCKETS 4096 /* a power of two; doubled as the table fills */

struct entry *entry_new(const struct order *order, uint8_t shard, int64_t now_ns)
{
    size_t user_len = strlen(order->user_id), sku_len = strlen(order->sku);
    struct entry *e = xmalloc(sizeof *e + user_len + sku_len + 2);
    *e = (struct entry){
        .begun_ns = now_ns,
        .accepted_ms = order->accepted_ms,
        .quantity = order->quantity,
        .attempts = 1,
        .shard = shard,
        .state = SUBMITTING,
        .user_len = (uint8_t)user_len,
    };
    memcpy(e->order_id, order->order_id, ORDER_ID_SIZE);
    memcpy(e->names, order->user_id, user_len + 1);
    memcpy(e->names + user_len + 1, order->sku, sku_len + 1);
    return e;
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

/* The last 8 characters hold the MAC, which is as good as random. */
static size_t bucket_of(const struct order_table *t, const char *id)
{
    uint64_t tail;
    memcpy(&tail, id + ORDER_ID_CHARS - sizeof tail, sizeof tail);
    return (size_t)((tail * 0x9E3779B97F4A7C15ULL) >> 32) &
           (t->bucket_count - 1); /* Fibonacci hashing, Knuth 6.4 */
}

void order_table_init(struct order_table *t)
{
    t->entry_count = 0;
    t->bucket_count = FIRST_BUCKETS;
    t->buckets = xcalloc(t->bucket_count, sizeof *t->buckets);
}

void order_table_free(struct order_table *t)
{
    for (size_t i = 0; i < t->bucket_count; i++)
        for (struct entry *e = t->buckets[i], *next; e; e = next) {
            next = e->chain;
            free(e);
        }
    free(t->buckets);
}

struct entry *order_table_find(const struct order_table *t, const char *id)
{
    struct entry *e = t->buckets[bucket_of(t, id)];
    while (e && memcmp(e->order_id, id, ORDER_ID_CHARS) != 0)
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
            size_t b = bucket_of(t, e->order_id);
            e->chain = t->buckets[b];
            t->buckets[b] = e;
        }
    free(old);
}

void order_table_add(struct order_table *t, struct entry *e)
{
    if (t->entry_count >= t->bucket_count)
        table_grow(t);
    size_t b = bucket_of(t, e->order_id);
    e->chain = t->buckets[b];
    t->buckets[b] = e;
    t->entry_count++;
}

void order_table_remove(struct order_table *t, struct entry *e)
{
    struct entry **link = &t->buckets[bucket_of(t, e->order_id)];
    while (*link != e)
        link = &(*link)->chain;
    *link = e->chain;
    t->entry_count--;
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
