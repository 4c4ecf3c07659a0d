#include "common/store/statement.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/store/store_internal.h"

struct statement {
    sqlite3_stmt *stmt;
    int bind_code; /* of the first binding that failed since the last run, or SQLITE_OK */
};

int statement_prepare(struct statement **out, struct store *s, const char *sql, struct detail *why)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
    if (code != SQLITE_OK) {
        detail_set(why, "%s, in: %s", sqlite3_errmsg(s->db), sql);
        return store_code(code);
    }
    struct statement *st = xcalloc(1, sizeof *st);
    st->stmt = stmt;
    *out = st;
    return 0;
}

void statement_free(struct statement *st)
{
    if (!st)
        return;
    sqlite3_finalize(st->stmt);
    free(st);
}

int statements_prepare(struct statement **out, struct store *s, const char *const *sql, int count,
                       struct detail *why)
{
    for (int i = 0; i < count; i++)
        out[i] = NULL;
    for (int i = 0; i < count; i++) {
        int error = statement_prepare(&out[i], s, sql[i], why);
        if (error) {
            statements_free(out, count);
            return error;
        }
    }
    return 0;
}

void statements_free(struct statement **statements, int count)
{
    for (int i = 0; i < count; i++) {
        statement_free(statements[i]);
        statements[i] = NULL;
    }
}

static void keep_code(struct statement *st, int code)
{
    if (code != SQLITE_OK && st->bind_code == SQLITE_OK)
        st->bind_code = code;
}

void statement_bind_int(struct statement *st, int position, int64_t value)
{
    keep_code(st, sqlite3_bind_int64(st->stmt, position, value));
}

/* A NULL pointer would bind SQL's NULL: an empty slice is an empty text. */
void statement_bind_text(struct statement *st, int position, struct slice text)
{
    const char *data = text.data ? text.data : "";
    keep_code(st, sqlite3_bind_text64(st->stmt, position, data, text.len, SQLITE_STATIC, SQLITE_UTF8));
}

void statement_bind_blob(struct statement *st, int position, struct slice bytes)
{
    const char *data = bytes.data ? bytes.data : "";
    keep_code(st, sqlite3_bind_blob64(st->stmt, position, data, bytes.len, SQLITE_STATIC));
}

void statement_bind_null(struct statement *st, int position)
{
    keep_code(st, sqlite3_bind_null(st->stmt, position));
}

int statement_next(struct statement *st)
{
    int code = st->bind_code;
    st->bind_code = SQLITE_OK;
    if (code == SQLITE_OK)
        code = sqlite3_step(st->stmt);
    if (code == SQLITE_ROW)
        return 1;
    sqlite3_reset(st->stmt);
    return store_code(code);
}

int statement_run(struct statement *st)
{
    int result = statement_next(st);
    if (result == 1) { /* a PRAGMA or RETURNING that has a row to say */
        sqlite3_reset(st->stmt);
        return 0;
    }
    return result;
}

int statement_run_counted(struct statement *st, int64_t *changed)
{
    int error = statement_run(st);
    if (!error)
        *changed = sqlite3_changes64(sqlite3_db_handle(st->stmt));
    return error;
}

void statement_reset(struct statement *st)
{
    sqlite3_reset(st->stmt);
}

int64_t statement_int(struct statement *st, int column)
{
    return sqlite3_column_int64(st->stmt, column);
}

struct slice statement_text(struct statement *st, int column)
{
    const char *data = (const char *)sqlite3_column_text(st->stmt, column);
    return (struct slice){.data = data, .len = (size_t)sqlite3_column_bytes(st->stmt, column)};
}

struct slice statement_blob(struct statement *st, int column)
{
    const char *data = sqlite3_column_blob(st->stmt, column);
    return (struct slice){.data = data, .len = (size_t)sqlite3_column_bytes(st->stmt, column)};
}

bool statement_is_null(struct statement *st, int column)
{
    return sqlite3_column_type(st->stmt, column) == SQLITE_NULL;
}

void statement_copy_text(struct statement *st, int column, char *out, size_t size)
{
    struct slice text = statement_text(st, column);
    size_t len = text.len < size - 1 ? text.len : size - 1;
    if (len > 0)
        memcpy(out, text.data, len);
    out[len] = '\0';
}
