/*
 * One SQLite file: opening it, transactions, checkpoints, and what its errors mean. This folder is the only
 * one that includes sqlite3.h.
 *
 * A store belongs to one thread. One process opens a file read-write (it holds a lock of its own beside the
 * file) and is then its only writer and its only checkpointer: before SQLite 3.51.3 a checkpoint that races a
 * write of another connection can corrupt a WAL database (sqlite.org/releaselog). Everybody else opens it
 * read-only.
 *
 * Errors, of every function of this folder that returns a code:
 *   E_IO       the disk is full, cannot be read or written, or may not be
 *   E_CORRUPT  the file is damaged, or is no database of ours
 *   E_BUSY     another connection held a lock for longer than the busy time-out
 *   E_EXISTS   the row is there already (a primary key or unique constraint)
 *   E_INVALID  the row breaks another rule of the schema, or the SQL does not fit it
 * The first three are faults of the environment (store_is_fault): give up, keep the work for later. After an
 * error in a transaction roll it back.
 */
#ifndef SECKILL_STORE_STORE_H
#define SECKILL_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"

struct store;

#define STORE_APPLICATION_ID 0x534b4c4c /* "SKLL", in the file's header: file(1) and we know our own */

enum store_mode {
    STORE_OWNER,  /* read and write; the file must exist */
    STORE_CREATE, /* the same; made if it is missing */
    STORE_READER, /* read only; works while the owner runs and while nobody does */
};

/* An owner's opening also makes durable what an earlier process left in the WAL. E_NOT_FOUND: there is no
 * such file, or (STORE_OWNER) it is empty. E_CORRUPT: it belongs to another application. E_IO. With detail.
 */
int store_open(struct store **out, const char *path, enum store_mode mode, struct detail *why) MUST_USE;

/* For a reader, outside of transactions: the file's tables too, as <schema>.<table>. Statements that are
 * begun read both, this store's first. Errors as store_open's. */
int store_attach(struct store *s, const char *path, const char *schema, struct detail *why) MUST_USE;

/* Rolls back what is open. The statements of this store must be freed before. s may be NULL. */
void store_close(struct store *s);

/* The same after a fault: nothing more is written, not even the checkpoint that SQLite makes of the last
 * closing. A disk that has just failed may say yes to the next call and not have what it was given before. */
void store_abandon(struct store *s);

/* The words of the latest failure on this store, also after the rollback that answered it, for logs. Valid
 * until the next call. */
const char *store_error(const struct store *s);

/* Does the code mean that the environment failed, not the row? */
bool store_is_fault(int code);

/* One or more SQL statements that return nothing. For set-up; work is done by prepared statements. */
int store_execute(struct store *s, const char *sql) MUST_USE;

/* Calls pulse now and then while a statement works, in its thread: after some milliseconds' work, by the
 * count of SQLite's instructions (sqlite3_progress_handler). NULL: no more. For statements that may take
 * long. */
void store_set_pulse(struct store *s, void (*pulse)(void));

/* A transaction that has the right to write from its beginning. */
int store_begin(struct store *s) MUST_USE;
/* Durable when it returns 0. After a failure the transaction is still open: roll it back. */
int store_commit(struct store *s) MUST_USE;
/* Ends the transaction, if one is open (SQLite ends some by itself on an error). Never fails: what cannot be
 * undone on disk is undone by the next opening. */
void store_rollback(struct store *s);
bool store_in_transaction(const struct store *s);

/* An owner's transaction that reads only: many small questions for the price of one lock, each answered from
 * the same state. store_end_reading ends it, whatever happened in it. */
int store_begin_reading(struct store *s) MUST_USE;
void store_end_reading(struct store *s);

/* A savepoint inside the transaction; one at a time. It costs a copy of every page touched: for the rare, not
 * the many. */
int store_savepoint(struct store *s) MUST_USE;
int store_savepoint_keep(struct store *s) MUST_USE;
int store_savepoint_undo(struct store *s) MUST_USE;

/*
 * Checkpoints, by the owner, outside of transactions. store_checkpoint_if_large copies the WAL into the
 * database when it has grown beyond a bound (PASSIVE: never waits for readers); store_checkpoint_truncate
 * empties it, for idle times. A reader that stands in the way is no error. E_IO, E_CORRUPT.
 */
int store_checkpoint_if_large(struct store *s) MUST_USE;
int store_checkpoint_truncate(struct store *s) MUST_USE;
bool store_has_wal(const struct store *s); /* something was written since the last full checkpoint */

/* PRAGMA user_version: the number of the last migration. */
int store_version(struct store *s, int *version) MUST_USE;

#endif
