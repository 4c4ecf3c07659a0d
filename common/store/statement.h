/*
 * Prepared statements: prepared once, bound by position, run many times.
 *
 *     statement_bind_text(s, 1, slice_of(sku));
 *     statement_bind_int(s, 2, quantity);
 *     int error = statement_run(s);
 *
 * Positions count from 1 when binding and columns from 0 when reading, as in SQLite. Binding cannot fail on
 * its own: a failure is kept and returned by the run or next that follows. Bytes that are bound are not
 * copied and must stay until then. Every statement is owned by who prepared it and freed before its store is
 * closed. Error codes: see store.h.
 */
#ifndef SECKILL_STORE_STATEMENT_H
#define SECKILL_STORE_STATEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/store/store.h"

struct statement;

int statement_prepare(struct statement **out, struct store *s, const char *sql, struct detail *why) MUST_USE;
void statement_free(struct statement *st); /* NULL is fine */

/* Prepares a whole table of them; on failure all are freed and set to NULL. `out` is an array of count
 * pointers. */
int statements_prepare(struct statement **out, struct store *s, const char *const *sql, int count,
                       struct detail *why) MUST_USE;
void statements_free(struct statement **statements, int count); /* those that are there; sets them to NULL */

void statement_bind_int(struct statement *st, int position, int64_t value);
void statement_bind_text(struct statement *st, int position, struct slice text);
void statement_bind_blob(struct statement *st, int position, struct slice bytes);
void statement_bind_null(struct statement *st, int position);

/* Runs a statement that returns no row, and makes it ready for the next time. */
int statement_run(struct statement *st) MUST_USE;

/* The same for an INSERT, UPDATE or DELETE, and says how many rows it changed. */
int statement_run_counted(struct statement *st, int64_t *changed) MUST_USE;

/* Steps to the next row: 1 when there is one, 0 after the last, or an error. After 0 or an error the
 * statement is ready for the next time; to leave earlier, reset it. */
int statement_next(struct statement *st) MUST_USE;
void statement_reset(struct statement *st);

/* The current row. Slices are valid until the next step or reset. */
int64_t statement_int(struct statement *st, int column);
struct slice statement_text(struct statement *st, int column);
struct slice statement_blob(struct statement *st, int column);
bool statement_is_null(struct statement *st, int column);

/* Copies the text into out, cut to fit, with a NUL behind it. */
void statement_copy_text(struct statement *st, int column, char *out, size_t size);

#endif
