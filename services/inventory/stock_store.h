/*
 * Stock and orders of one shard, in the database and in memory. This process is the only writer (it holds the
 * lock), so the items are kept in memory and the database is told once for each transaction what was taken.
 *
 * Conserved: outside of a transaction the items in memory are those of the database. In one, stock_take
 * lowers the memory and stock_store_flush, before the commit, the database by the same units, on the
 * condition that they are there; after a rollback stock_store_load reads everything again.
 *
 * One thread. Error codes are those of store.h.
 */
#ifndef SECKILL_INVENTORY_STOCK_STORE_H
#define SECKILL_INVENTORY_STOCK_STORE_H

#include <stdbool.h>

#include "common/pipeline/item_change.h"
#include "common/pipeline/message.h"
#include "common/store/migrate.h"

extern const struct migration inventory_migrations[]; /* schema/inventory */

struct stock_store;
struct archive_store;
struct statement;

struct stock_item {
    struct item item;
    int64_t item_id;
    int64_t taken; /* in the open transaction, not yet told to the database */
};

/* Takes the shard over: checks that the file is this shard's (E_INVALID with detail if it is another's),
 * begins a new epoch, reads the items. Outside of a transaction. */
int stock_store_new(struct stock_store **out, struct store *store, int shard, struct detail *why) MUST_USE;
void stock_store_free(struct stock_store *s); /* before the store is closed; NULL is fine */

/* From now on orders are looked for in the archive too, which stays the caller's. NULL: in none. */
void stock_store_use_archive(struct stock_store *s, struct archive_store *archive);

int stock_store_load(struct stock_store *s) MUST_USE; /* memory := database */

int stock_store_shard(const struct stock_store *s);
int64_t stock_store_epoch(const struct stock_store *s);     /* rises with each take-over */
const char *stock_store_error(const struct stock_store *s); /* SQLite's words for the latest failure */

/* The item, or NULL. Valid until items are added or loaded again. */
struct stock_item *stock_find(struct stock_store *s, const char *sku);
const struct stock_item *stock_items(const struct stock_store *s,
                                     size_t *count); /* in the order of creation */

/* ---- in a transaction ---- */

/* Units that the user has of an item with a limit. */
int stock_buyer_units(struct stock_store *s, const struct stock_item *item, const char *user_id,
                      int64_t *units) MUST_USE;

/* Writes the decision, unless the order was decided before: then *is_new is false and nothing was written.
 * limit: that held for a confirmed order. */
int stock_add_order(struct stock_store *s, const struct order *order, const struct decision *decision,
                    int32_t limit, bool *is_new) MUST_USE;
int stock_add_buyer(struct stock_store *s, const struct stock_item *item, const char *user_id,
                    int32_t quantity) MUST_USE;

int64_t stock_next_receipt(const struct stock_store *s); /* the number that stock_take will use up */

/* In memory: the units leave the item, and the receipt number is used. Assumes that they are there. Cannot
 * fail, so it comes after all statements of the order. */
void stock_take(struct stock_store *s, struct stock_item *item, int32_t quantity);
void stock_count_mismatch(struct stock_store *s);

/* The last statements of a transaction. E_CORRUPT: the database has less than the memory says. */
int stock_store_flush(struct stock_store *s) MUST_USE;
void stock_store_committed(struct stock_store *s);

/* ---- any time ---- */

struct order_record { /* all that is stored of a decided order */
    struct decision decision;
    int64_t accepted_ms;
    int32_t limit_per_user; /* that held for a confirmed order; 0: none */
    bool archived;          /* in the archive (archive_store.h) */
};

/* E_NOT_FOUND. */
int stock_find_record(struct stock_store *s, const char *order_id, struct order_record *out) MUST_USE;

/* Around many finds: see store_begin_reading. */
int stock_begin_reading(struct stock_store *s) MUST_USE;
void stock_end_reading(struct stock_store *s);

/* The stored decision alone. E_NOT_FOUND. */
int stock_find_order(struct stock_store *s, const char *order_id, struct decision *out) MUST_USE;

/* A row of SQL_ORDER_FIND. */
void order_record_read(struct statement *row, const char *order_id, struct order_record *out);

/* Creates the item, or replaces what it says and raises its version (a transaction of its own). stock_total
 * and stock_left are taken as they are in *item; the caller has worked them out. */
int stock_put_item(struct stock_store *s, const struct item *item, int64_t now_ms) MUST_USE;

struct restock {
    char sku[NAME_SIZE];
    char key[IDEMPOTENCY_KEY_MAX + 1];
    int64_t quantity;
    int64_t stock_total, version; /* of the item, as this restock left it */
    int64_t at_ms;
};

/* The restock of this item with r->key: fills in the numbers. E_NOT_FOUND. */
int stock_find_restock(struct stock_store *s, const struct stock_item *item, struct restock *r) MUST_USE;

/* Adds r->quantity units under r->key (a transaction of its own; there is none with this key yet), and fills
 * in what became of it. Loads the items again. */
int stock_restock(struct stock_store *s, const struct stock_item *item, int64_t now_ms,
                  struct restock *r) MUST_USE;

#endif
