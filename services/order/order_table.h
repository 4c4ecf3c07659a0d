/*
 * The memory behind pending.c: its entries, a hash table of them by id, and lists that keep them in order. No
 * lock, no rules: pending.c has both. The table is our own because 300 000 entries live in it: a chain is one
 * pointer an entry.
 */
#ifndef SECKILL_ORDER_ORDER_TABLE_H
#define SECKILL_ORDER_ORDER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/pipeline/message.h"

enum entry_state { SUBMITTING, ACCEPTED, DECIDED, UNKNOWN };

struct entry {
    struct entry *chain; /* the next in the bucket */
    struct entry *older, *newer;
    uint64_t serial;  /* rises with pending_begin in its shard: the order of the queue, nearly */
    int64_t begun_ns; /* monotonic */
    int64_t asked_ns; /* 0: never */
    int64_t accepted_ms;
    int64_t decided_ms, unit_price, total, receipt_no, packet; /* DECIDED; packet: see pending.h */
    int32_t quantity;
    uint16_t attempts; /* submissions that are out */
    uint8_t shard;
    uint8_t state;     /* enum entry_state */
    uint8_t reason;    /* enum reject_reason; DECIDED */
    uint8_t denials;   /* pending_not_decided */
    bool confirmed;    /* DECIDED */
    bool maybe_queued; /* an attempt ended as UNKNOWN */
    uint8_t user_len;
    char order_id[ORDER_ID_SIZE];
    char names[]; /* user_id, NUL, sku, NUL */
};

/* SUBMITTING, with one attempt. Not in the table yet; free() it once it is nowhere any more. */
struct entry *entry_new(const struct order *order, uint8_t shard, int64_t now_ns);
const char *entry_user(const struct entry *e);
const char *entry_sku(const struct entry *e);

struct order_table {
    struct entry **buckets;
    size_t bucket_count, entry_count;
};

void order_table_init(struct order_table *t);
void order_table_free(struct order_table *t);                                      /* and every entry in it */
struct entry *order_table_find(const struct order_table *t, const char *order_id); /* NULL: not there */
void order_table_add(struct order_table *t, struct entry *e);
void order_table_remove(struct order_table *t, struct entry *e);

struct entry_list { /* a zeroed struct is an empty one */
    struct entry *oldest, *newest;
    int64_t count;
};

void entry_list_add(struct entry_list *l, struct entry *e); /* as the newest */
void entry_list_remove(struct entry_list *l, struct entry *e);

#endif
