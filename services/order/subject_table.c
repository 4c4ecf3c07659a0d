/* Ids, and who waits for word about them. See subject_table.h. */
#include "services/order/subject_table.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"

void subject_table_init(struct subject_table *t)
{
    crypto_shorthash_keygen(t->hash_key);
}

/* Keyed, since anybody may ask for any id, and so could make all of them meet in one bucket. */
static struct subject **bucket_of(struct subject_table *t, const char *id)
{
    uint64_t hash;
    _Static_assert(sizeof hash == crypto_shorthash_BYTES, "a hash is 64 bits");
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)id, ORDER_ID_CHARS, t->hash_key);
    return &t->buckets[hash & (SUBJECT_BUCKETS - 1)];
}

struct subject *subject_find(struct subject_table *t, const char *order_id)
{
    struct subject *s = *bucket_of(t, order_id);
    while (s && memcmp(s->order_id, order_id, ORDER_ID_CHARS) != 0)
        s = s->chain;
    return s;
}

struct subject *subject_new(struct subject_table *t, const char *order_id)
{
    struct subject *s = xcalloc(1, sizeof *s);
    struct subject **bucket = bucket_of(t, order_id);
    TAILQ_INIT(&s->askers);
    memcpy(s->order_id, order_id, ORDER_ID_SIZE);
    s->chain = *bucket;
    *bucket = s;
    return s;
}

void subject_free(struct subject_table *t, struct subject *s)
{
    struct subject **link = bucket_of(t, s->order_id);
    while (*link != s)
        link = &(*link)->chain;
    *link = s->chain;
    subject_move(s, NULL);
    free(s);
}

void subject_move(struct subject *s, struct subject_list *to)
{
    if (s->list)
        TAILQ_REMOVE(s->list, s, in_list);
    s->list = to;
    if (to)
        TAILQ_INSERT_TAIL(to, s, in_list);
}
