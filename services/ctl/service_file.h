/* The workers' database files, as the operator's program opens them: to read only, and only in the form that
 * this version knows. */
#ifndef SECKILL_CTL_SERVICE_FILE_H
#define SECKILL_CTL_SERVICE_FILE_H

#include "common/store/migrate.h"

/* schema/pipeline with schema/inventory, schema/redpacket, schema/notification; and schema/archive */
extern const struct migration inventory_migrations[], redpacket_migrations[], notification_migrations[],
    archive_migrations[];

/* E_NEWER: written by a newer program. E_INVALID: by an older one, and not brought up to date yet. Others as
 * store_open. *out is NULL after an error. */
int service_file_open(struct store **out, const char *path, const struct migration *migrations,
                      struct detail *why) MUST_USE;

/* Inventory's file; with its archive, where there is one beside it: then the table `orders` has the orders of
 * both, each once. */
int inventory_file_open(struct store **out, const char *path, struct detail *why) MUST_USE;

#endif
