/* One shard's inventory file, as the audit reads it. */
#ifndef SECKILL_CTL_AUDIT_SHARD_H
#define SECKILL_CTL_AUDIT_SHARD_H

#include "common/store/store.h"
#include "services/ctl/audit.h"
#include "services/ctl/audit_batches.h"

/* Marks those batches that the file has and that were not seen yet, and finds fault with those that it has
 * otherwise. */
int shard_mark_seen(struct store *store, struct batch_set *batches, struct audit_report *report,
                    struct detail *why) MUST_USE;

/* Invariants 1, 2, 3 and 5 as far as one file shows them, all of the same moment. */
int shard_check(struct store *store, int shard, struct audit_report *report, struct detail *why) MUST_USE;

/* An order that more than one shard has decided (invariant 1). */
int shards_check_distinct(struct store *const *stores, int count, struct audit_report *report,
                          struct detail *why) MUST_USE;

#endif
