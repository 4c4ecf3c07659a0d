/* The workers' database files of this host: which there are, whose they are, and how to have one to oneself.
 */
#ifndef SECKILL_CTL_DATABASE_FILES_H
#define SECKILL_CTL_DATABASE_FILES_H

#include "common/pipeline/settings.h"
#include "services/ctl/service_file.h"

struct database_file {
    char path[STORE_PATH_SIZE];
    char lock[STORE_PATH_SIZE + 8]; /* of the worker that owns it: the archive has none of its own */
    char name[32];                  /* "inventory.0.db", "inventory.0.archive.db" */
    char unit[40];                  /* "seckill-inventory@0", for people */
    int shard;                      /* of inventory; else -1 */
    const struct migration *migrations;
};

#define DATABASE_FILES_MAX (2 * 64 + 2)

/* Those that exist, of all shards that the settings have; an archive behind its inventory, so that the copy
 * of it, made later, never has fewer of the orders that were moved there. */
int database_files_list(const struct settings *s, struct database_file out[DATABASE_FILES_MAX]);

/* The one that a backup named "inventory.0-….db" is of. E_INVALID with detail. */
int database_files_of_backup(const struct settings *s, const char *backup, struct database_file *out,
                             struct detail *why) MUST_USE;

/* As root: from here on this process is the user who owns store.dir, so that no file of a service comes to
 * belong to root. E_IO, E_NOT_FOUND with detail. */
int database_files_become_owner(const struct settings *s, struct detail *why) MUST_USE;

/* The worker's lock. The descriptor, E_BUSY while a worker has it, or E_IO with detail. */
int database_file_lock(const struct database_file *f, struct detail *why) MUST_USE;

/* "2026-11-11T03-30-00Z": the present moment, as it stands in the names of backups. */
#define BACKUP_STAMP_SIZE 24
void backup_stamp(char out[BACKUP_STAMP_SIZE]);

#endif
