/*
 * Migrations: numbered SQL files, schema/<service>/NNN_name.sql, built into the program
 * (embed_migrations.cmake) and applied at start, in order, each in a transaction of its own. What was applied
 * is recorded in the file: its number in PRAGMA user_version, and (version, name, applied_ms) in the table
 * `migration`.
 */
#ifndef SECKILL_STORE_MIGRATE_H
#define SECKILL_STORE_MIGRATE_H

#include "common/store/store.h"

struct migration {
    int version; /* 1, 2, 3, … without a gap */
    const char *name;
    const char *sql;
};

/*
 * Brings the file to the last version of the list (ended by version 0). *applied (may be NULL) is how many
 * were missing. Pings the watchdog meanwhile (notify.h): a large table may take minutes to copy. E_NEWER: the
 * file has a version that this program does not know, and is not touched. E_INVALID: a migration does not
 * work; it is undone, those before it stay. Others as in store.h. With detail.
 */
int migrate_apply(struct store *s, const struct migration *list, int *applied, struct detail *why) MUST_USE;

/* For readers: 0 if the file has exactly this list's last version, E_NEWER, or E_INVALID where it is older.
 */
int migrate_check(struct store *s, const struct migration *list, struct detail *why) MUST_USE;

#endif
