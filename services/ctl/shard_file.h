/* Inventory's database files, as the operator's program opens them: to read only, and only in the form that
 * this version knows. */
#ifndef SECKILL_CTL_SHARD_FILE_H
#define SECKILL_CTL_SHARD_FILE_H

#include "common/store/store.h"

/* E_NEWER: written by a newer program. E_INVALID: by an older one, and not brought up to date yet. Others as
 * store_open. *out is NULL after an error. */
int shard_file_open(struct store **out, const char *path, struct detail *why) MUST_USE;

#endif
