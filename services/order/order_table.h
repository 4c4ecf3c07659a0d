/*
 * The memory behind pending.c: its entries, a hash table of them by id, and lists that keep them in order. No
 * lock, no rules: pending.c has both. Table and entries are our own because 300 000 of them are in memory
 * during a sale: a chain is one pointer an entry, an id its 16 bytes, and the entries lie in a slab, apart
 * from the memory of connections that come and go between them.
 */
#ifndef SECKILL_ORDER_ORDER_TABLE_H
#define SECKILL_ORDER_ORDER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/slab.h"
#include "common/pipeline/message.h"

enum entry_state { SUBMITTING, ACCEPTED, DECIDED, UNKNOWN };

struct entry {
    struct entry *chain; /* the next in the bucket */
    struct entry *older, *newer;
    union {
        struct {              /* not DECIDED */
            uint64_t serial;  /* rises with pending_begin in its shard: the order of the queue, nearly */
            int64_t begun_ns; /* monotonic */
            int64_t asked_ns; /* 0: never */
        } waiting;
        struct { /* DECIDED; packet: see pending.h */
            int64_t at_ms, unit_price, total, receipt_no, packet;
        } decided;
    };
    int64_t accepted_ms;
    int32_t quantity;
    uint16_t attempts; /* submissions that are out */
    uint8_t shard;
    uint8_t state;     /* enum entry_state */
    uint8_t reason;    /* enum reject_reason; DECIDED */
    uint8_t denials;   /* pending_not_decided */
    bool confirmed;    /* DECIDED */
    bool maybe_queued; /* an attempt ended as UNKNOWN */
    uint8_t user_len;
    unsigned char id[ORDER_ID_BYTES];
    char names[]; /* user_id, NUL, sku, NUL */
};

void entry_id(const struct entry *e, char out[ORDER_ID_SIZE]);
const char *entry_user(const struct entry *e);
const char *entry_sku(const struct entry *e);

struct order_table {
    struct entry **buckets;
    size_t bucket_count, entry_count;
    struct slab slab;
};

void order_table_init(struct order_table *t);
void order_table_free(struct order_table *t); /* and every entry in it */

/* ORDER_ID_CHARS characters, which may be no order id. NULL: not there. */
struct entry *order_table_find(const struct order_table *t, const char *order_id);

/* A new entry for an order with a well-formed id that is not there yet: SUBMITTING, with one attempt. */
struct entry *order_table_add(struct order_table *t, const struct order *order, uint8_t shard,
                              int64_t now_ns);

/* Ends the entry, which is in no list any more. */
void order_table_remove(struct order_table *t, struct entry *e);

struct entry_list { /* a zeroed struct is an empty one */
    struct entry *oldest, *newest;
    int64_t count;
};

void entry_list_add(struct entry_list *l, struct entry *e); /* as the newest */
void entry_list_remove(struct entry_list *l, struct entry *e);

#endif
