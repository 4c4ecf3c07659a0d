/*
 * The archive of one shard: a file beside inventory's, with the decided orders that were moved out of it. The
 * same process is the only writer of both. There is no file until the first order is moved.
 *
 * An order that comes again (a redelivery, a client's retry with its key, a replayed dead letter) must be
 * found here, however late, and orders that are new must not pay for it. So, for every order that is
 * archived:
 *
 *   its id is not above `highest`, the ceiling of the ids that could be made by the moment before which it
 * was decided; or a filter in memory (a Bloom filter, 16 bits an id) has it. Those are ids with a key, which
 * are random, and strangers'.
 *
 * A new order's id without a key is above `highest`, and the filter, if there is one at all, says no: that
 * costs a comparison and four bits. Whatever is not ruled out so is looked up. No assumption about clocks or
 * producers is in it: ids that are made in another way only cost a look.
 *
 * One thread. NULL is an archive without orders. Error codes are those of store.h.
 */
#ifndef SECKILL_INVENTORY_ARCHIVE_STORE_H
#define SECKILL_INVENTORY_ARCHIVE_STORE_H

#include "services/inventory/stock_store.h"

extern const struct migration archive_migrations[]; /* schema/archive */

/* archived: how many orders inventory's file says are in it. E_NOT_FOUND: more than none, and there is no
 * file. E_INVALID: it is another shard's, or has fewer (an older copy). With detail. */
int archive_open(struct archive_store **out, const char *path, int shard, int64_t archived,
                 struct detail *why) MUST_USE;
void archive_close(struct archive_store *a); /* NULL is fine */

/* false: it surely does not. */
bool archive_may_have(const struct archive_store *a, const char *order_id);

/* E_NOT_FOUND. */
int archive_find(struct archive_store *a, const char *order_id, struct order_record *out) MUST_USE;

/* Adds the units that each user has confirmed of the item in the archive, by a statement of (item_id,
 * user_id, units) in the caller's transaction. */
int archive_count_buyers(struct archive_store *a, const char *sku, struct statement *buyer_add,
                         int64_t item_id) MUST_USE;

/* A transaction here that copies orders that were decided before the moment; an order that is here already
 * stays as it is. The commit is durable when it returns 0, and from then on archive_may_have knows them.
 * (from, to]: the ids that were looked at. */
int archive_begin(struct archive_store *a,
                  int64_t decided_before_ms) MUST_USE; /* makes the file, if need be */
int archive_add(struct archive_store *a, const struct order_record *record) MUST_USE;
int archive_commit(struct archive_store *a, const char *from, const char *to) MUST_USE;
void archive_rollback(struct archive_store *a);

/* For idle times: what was written goes from the WAL into the file. */
int archive_settle(struct archive_store *a) MUST_USE;

/* The next ids behind *after, at most `room` of them (fewer: there are no more), and *after is the last of
 * them then. only_last: of the range that was copied last. */
int archive_ids(struct archive_store *a, bool only_last, char after[ORDER_ID_SIZE],
                char (*ids)[ORDER_ID_SIZE], size_t room, size_t *count) MUST_USE;
int64_t archive_count(const struct archive_store *a); /* orders in it */

/* Its file, to be backed up; NULL while there is none. *path is the archive's. */
struct store *archive_file(const struct archive_store *a, const char **path);

const char *archive_error(const struct archive_store *a); /* SQLite's words for the latest failure */

#endif
