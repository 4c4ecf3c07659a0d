/* The key behind order ids, from the files that order.id_key_file names. */
#ifndef SECKILL_ORDER_ID_KEY_FILE_H
#define SECKILL_ORDER_ID_KEY_FILE_H

#include "common/pipeline/order_id.h"

/* files: one, or several separated by commas, the newest first. E_INVALID, E_NOT_FOUND, E_IO, E_FULL with
 * detail. */
int id_key_load(struct order_id_key **out, const char *files, struct detail *why) MUST_USE;

#endif
