/*
 * Moves decided orders out of inventory's file into the archive: copied there, durably, and only then taken
 * out here. Conserved: an order that was decided is in one of the two files, or for a moment in both,
 * whatever happens in between; and the row of `shard` says how many were taken out, which the archive never
 * has fewer of.
 *
 * One thread, outside of transactions. Error codes are those of store.h.
 */
#ifndef SECKILL_INVENTORY_ARCHIVE_ORDERS_H
#define SECKILL_INVENTORY_ARCHIVE_ORDERS_H

#include "services/inventory/archive_store.h"

struct archive_orders;

/* store: inventory's file. With detail. */
int archive_orders_new(struct archive_orders **out, struct store *store, struct detail *why) MUST_USE;
void archive_orders_free(struct archive_orders *o);           /* before the store is closed; NULL is fine */
int64_t archive_orders_moved(const struct archive_orders *o); /* as the file says */

struct archiving { /* of the next `limit` orders behind an id, those that were decided before the moment */
    const char *after; /* "": from the first */
    int64_t decided_before_ms;
    int limit;
    int64_t moved, looked_at; /* out */
    char
        next[ORDER_ID_SIZE]; /* out: the id that was looked at last, to go on behind; "": there are no more */
};
int archive_orders(struct archive_orders *o, struct archive_store *archive, struct archiving *a) MUST_USE;

/* At take-over, before anything is decided: takes out of here what the archive has. */
int archive_orders_finish(struct archive_orders *o, struct archive_store *archive) MUST_USE;

#endif
