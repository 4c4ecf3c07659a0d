/*
 * The ids that somebody waits for word about, and who does: the memory behind both desks (status_desk.c,
 * packet_desk.c). No lock, no rules: the desks have both.
 */
#ifndef SECKILL_ORDER_SUBJECT_TABLE_H
#define SECKILL_ORDER_SUBJECT_TABLE_H

#include <sodium.h>

#include "services/order/inquiry.h"

#define SUBJECT_BUCKETS 16384 /* a power of two, about as many as may be held */

TAILQ_HEAD(subject_list, subject);
TAILQ_HEAD(asker_list, inquiry);

struct subject { /* an id that somebody waits for */
    struct subject *chain;
    TAILQ_ENTRY(subject) in_list;
    struct subject_list *list; /* NULL: in none */
    struct asker_list askers;  /* never empty, once the first was added */
    char order_id[ORDER_ID_SIZE];
    /* The status desk's: */
    bool any_shard; /* the id does not say which */
    int shard;
    int shards_asked;
};

struct subject_table {
    unsigned char hash_key[crypto_shorthash_KEYBYTES];
    struct subject *buckets[SUBJECT_BUCKETS];
};

void subject_table_init(struct subject_table *t); /* after sodium_init */

struct subject *subject_find(struct subject_table *t, const char *order_id); /* NULL: nobody waits for it */
struct subject *subject_new(struct subject_table *t, const char *order_id); /* in no list, without an asker */
void subject_free(struct subject_table *t, struct subject *s);

/* Out of its list, to the end of this one (NULL: of none). */
void subject_move(struct subject *s, struct subject_list *to);

#endif
