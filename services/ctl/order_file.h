/* One order in the inventory files of this host: read only, nobody is asked, nothing is locked. */
#ifndef SECKILL_CTL_ORDER_FILE_H
#define SECKILL_CTL_ORDER_FILE_H

#include "services/ctl/order_life.h"

/* Looks in every shard's file, that of the id first. An exit code, said on stderr unless it is EXIT_OK;
 * EXIT_UNAVAILABLE: a file is not on this host. */
int order_file_find(const struct ctl *ctl, const char *id, struct order_life *out);

#endif
