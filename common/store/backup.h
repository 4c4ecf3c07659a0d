/*
 * Copies of a database. Only its owner may make one (store.h: a second connection that reads for long, or
 * that checkpoints, is a danger to it), and goes on writing meanwhile: the copy is made in steps, and what is
 * written between two of them goes into it as well. When the last step is done, the copy is the database of
 * that moment.
 */
#ifndef SECKILL_STORE_BACKUP_H
#define SECKILL_STORE_BACKUP_H

#include "common/store/store.h"

struct store_backup;

/* Begins to copy to `path`, which is made anew. *out is freed by store_backup_end, before the store is
 * closed. E_IO with detail. */
int store_backup_begin(struct store_backup **out, struct store *s, const char *path,
                       struct detail *why) MUST_USE;

/* Copies at most so many pages. 1: there is more; 0: the copy is whole; else an error of the copy (a full
 * disk), never of the store, and only store_backup_end may follow. Outside of transactions. */
int store_backup_step(struct store_backup *b, int pages, struct detail *why) MUST_USE;

/* Of the whole, in per cent. */
int store_backup_percent(const struct store_backup *b);

/* Frees; what is not whole is removed. b may be NULL. */
void store_backup_end(struct store_backup *b);

/* Makes the copy durable, which may take long, and reads the whole of it: PRAGMA integrity_check, and whether
 * it is a database of ours. E_CORRUPT, E_IO, E_NOT_FOUND with detail. */
int store_verify(const char *path, struct detail *why) MUST_USE;

#endif
