/* For a restore: the orders that inventory decided and will not know any more, as far as others were told of
 * them. */
#ifndef SECKILL_CTL_UNKNOWN_ORDERS_H
#define SECKILL_CTL_UNKNOWN_ORDERS_H

#include "services/ctl/database_files.h"

struct unknown_orders {
    int64_t count;                   /* -1: there is no redpacket.db on this host to say */
    int64_t homeless;                /* of them: of items that the file does not have */
    char list[STORE_PATH_SIZE + 16]; /* the file that names them */
};

/* Holds redpacket.db, which has every confirmed order whose event has come through the broker, against what
 * is to become the file of a shard; `path` is where that lies, the caller's alone. Orders of its items that
 * are confirmed there and unknown here are written to "<database>.unknown.csv", and their items are paused:
 * nothing more is to be sold of them before somebody has put their stock right. The file's receipt numbers
 * go on a million later than both files', so that none that was told is given again. Codes of store.h, with
 * detail. */
int unknown_orders_find(const struct settings *s, const struct database_file *file, const char *path,
                        struct unknown_orders *found, struct detail *why) MUST_USE;

#endif
