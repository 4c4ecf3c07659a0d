/* Asking the inventory services, from a command. Everything that goes wrong is said on stderr; what is
 * returned is an exit code. */
#ifndef SECKILL_CTL_INVENTORY_H
#define SECKILL_CTL_INVENTORY_H

#include "services/ctl/ask.h"

struct inventory;

int inventory_open(const struct ctl *ctl, struct inventory **out);
void inventory_close(struct inventory *i); /* NULL is fine */

/* Asks one shard. EXIT_OK: *result is the caller's. EXIT_FAILED: it says no. EXIT_UNAVAILABLE: it does not
 * answer. *not_found (may be NULL) is set, and nothing said, where the answer is that there is no such thing.
 */
int inventory_ask(struct inventory *i, int shard, const char *method, json_t *body, json_t **result,
                  bool *not_found);

/* Looks for the item on every shard, that of its name's hash first. *item (the caller's) is NULL and *shard
 * the hash's where no shard has it. */
int inventory_find_item(struct inventory *i, const char *sku, int *shard, json_t **item);

#endif
