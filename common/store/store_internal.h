/* The inside of a store, for the files of this folder only. */
#ifndef SECKILL_STORE_STORE_INTERNAL_H
#define SECKILL_STORE_STORE_INTERNAL_H

#include <sqlite3.h>

#include "common/store/store.h"

struct statement;

struct store {
    sqlite3 *db;
    void (*pulse)(void); /* while a statement works; NULL: nobody listens */
    int wal_pages;       /* in the WAL after the latest commit */
    struct statement *begin, *begin_reading, *commit, *rollback;
    struct statement *savepoint, *savepoint_keep, *savepoint_undo;
    char undone[160]; /* what SQLite said before the latest rollback; empty since the transaction after it */
};

/* SQLite's result code → ours; 0 for OK, ROW and DONE. */
int store_code(int sqlite_code);

#endif
