/*
 * How a database is copied while its worker runs. Files in the folder "backup" beside it are the whole of it,
 * so that it works without the broker, and for this host's files only:
 *
 *   inventory.0.db.request   somebody (seckillctl backup) wants a copy; the worker takes it away and begins
 *   inventory.0.db.copying   being written; left by a worker that died, removed by the next one
 *   inventory.0.db.copy      whole; whoever asked makes it durable, verifies it and gives it its name
 *   inventory.0.db.failed    a line that says why there is none
 */
#ifndef SECKILL_PIPELINE_BACKUP_REQUEST_H
#define SECKILL_PIPELINE_BACKUP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/store/backup.h"

#define BACKUP_DIR "backup"

#define BACKUP_REQUEST "request"
#define BACKUP_COPYING "copying"
#define BACKUP_COPY    "copy"
#define BACKUP_FAILED  "failed"

#define BACKUP_PATH_SIZE 4352

/* "<folder of database>/backup/<its name>.<suffix>" */
void backup_path(const char *database, const char *suffix, char out[BACKUP_PATH_SIZE]);

/* The worker's side; belongs to its loop. Zeroed is one that does nothing. */
struct backup_request {
    struct store_backup *running;
    int64_t look_due_ns; /* when to look for a request */
    int64_t since_ns;
};

/* After the lock was taken: what a worker that died left half done has failed. */
void backup_request_recover(const char *database);

/* In each round of the loop, outside of a transaction: looks for a request once a second, and copies a
 * little. true: there is more to copy, so that the loop is not to sleep. What fails is logged and said to who
 * asked; the worker goes on. */
bool backup_request_run(struct backup_request *r, struct store *s, const char *database, int64_t now_ns);

/* Before the store is closed. */
void backup_request_end(struct backup_request *r, const char *database);

#endif
