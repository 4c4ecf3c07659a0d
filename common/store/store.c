#include "common/store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/alloc.h"
#include "common/base/fault.h"
#include "common/base/file.h"
#include "common/store/statement.h"
#include "common/store/store_internal.h"

#define BUSY_TIMEOUT_MS    5000
#define PULSE_INSTRUCTIONS 100000 /* SQLite does so many in a few milliseconds */

/* Pages in the WAL before they are copied back. Large, because a page that is written again and again (the
 * same leaf, the same item) is copied once; small enough that a crash is recovered from in less than a
 * second. (In a rush the worker looks later: there may be more, of two seconds at most.) */
#define WAL_PAGES_MAX 8192

/* The cache holds the upper levels of the order index, so that a random id costs one page and not three. */
#define OWNER_PRAGMAS                                                                                        \
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"                   \
    "PRAGMA secure_delete = OFF; PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536; PRAGMA temp_store = " \
    "MEMORY;"

int store_code(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_CONSTRAINT:
        return sqlite_code == SQLITE_CONSTRAINT_PRIMARYKEY || sqlite_code == SQLITE_CONSTRAINT_UNIQUE ||
                       sqlite_code == SQLITE_CONSTRAINT_ROWID
                   ? E_EXISTS
                   : E_INVALID;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return E_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return E_CORRUPT;
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_SCHEMA:
    case SQLITE_TOOBIG:
        return E_INVALID;
    default: /* FULL, IOERR, READONLY, CANTOPEN, PERM, NOMEM, … */
        return E_IO;
    }
}

bool store_is_fault(int code)
{
    return code == E_IO || code == E_CORRUPT || code == E_BUSY;
}

/* A rollback that succeeds replaces SQLite's words by "not an error". */
const char *store_error(const struct store *s)
{
    bool is_after_rollback = s->undone[0] && store_code(sqlite3_errcode(s->db)) == 0;
    return is_after_rollback ? s->undone : sqlite3_errmsg(s->db);
}

int store_execute(struct store *s, const char *sql)
{
    return store_code(sqlite3_exec(s->db, sql, NULL, NULL, NULL));
}

static int beat(void *context)
{
    const struct store *s = context;
    s->pulse();
    return 0; /* go on */
}

void store_set_pulse(struct store *s, void (*pulse)(void))
{
    s->pulse = pulse;
    sqlite3_progress_handler(s->db, PULSE_INSTRUCTIONS, pulse ? beat : NULL, s);
}

static int remember_wal_pages(void *context, sqlite3 *db, const char *schema, int pages)
{
    (void)db;
    (void)schema;
    struct store *s = context;
    s->wal_pages = pages;
    return SQLITE_OK;
}

static int pragma_int(struct store *s, const char *sql, int *value)
{
    struct statement *query = NULL;
    int error = statement_prepare(&query, s, sql, NULL);
    if (!error)
        error = statement_next(query);
    if (error == 1) {
        *value = (int)statement_int(query, 0);
        error = 0;
    }
    statement_free(query);
    return error;
}

int store_version(struct store *s, int *version)
{
    return pragma_int(s, "PRAGMA user_version", version);
}

/* Ours, or new and empty: then it is made ours. A file of somebody else's is not touched. */
static int claim_file(struct store *s, enum store_mode mode, struct detail *why)
{
    int id = 0, tables = 0;
    int error = pragma_int(s, "PRAGMA application_id", &id);
    if (!error)
        error = pragma_int(s, "SELECT count(*) FROM sqlite_schema", &tables);
    if (error) {
        detail_set(why, "%s", store_error(s));
        return error;
    }
    if (id == STORE_APPLICATION_ID)
        return 0;
    if (id != 0 || tables != 0) {
        detail_set(why, "it is a database of another application");
        return E_CORRUPT;
    }
    if (mode == STORE_READER)
        return 0;
    if (mode == STORE_OWNER) { /* a restore that broke off: to fill it would be to begin a new one quietly */
        detail_set(why, "the file is empty");
        return E_NOT_FOUND;
    }
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d", STORE_APPLICATION_ID);
    error = store_execute(s, sql);
    if (error)
        detail_set(why, "%s", store_error(s));
    return error;
}

static int prepare_transactions(struct store *s, struct detail *why)
{
    const struct {
        struct statement **out;
        const char *sql;
    } wanted[] = {
        {&s->begin, "BEGIN IMMEDIATE"},
        {&s->begin_reading, "BEGIN"},
        {&s->commit, "COMMIT"},
        {&s->rollback, "ROLLBACK"},
        {&s->savepoint, "SAVEPOINT line"},
        {&s->savepoint_keep, "RELEASE line"},
        {&s->savepoint_undo, "ROLLBACK TO line"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        int error = statement_prepare(wanted[i].out, s, wanted[i].sql, why);
        if (error)
            return error;
    }
    return 0;
}

/* The process before us may have ended over an fsync that failed. What it had written to the WAL can still be
 * read, from the page cache, counts as clean there and is not on the disk: no later fsync of the WAL helps
 * ("fsyncgate"). So nothing rests on it before it was written once more, into the database. */
static int settle_wal(struct store *s)
{
    return store_code(sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL));
}

static int open_owner(struct store *s, const char *path, enum store_mode mode, struct detail *why)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (mode == STORE_CREATE)
        flags |= SQLITE_OPEN_CREATE;
    int error = store_code(sqlite3_open_v2(path, &s->db, flags, NULL));
    if (!error) {
        sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        error = claim_file(s, mode, why);
        if (error)
            return error;
        error = store_execute(s, OWNER_PRAGMAS);
    }
    if (!error)
        error = settle_wal(s);
    if (error) {
        detail_set(why, "%s", store_error(s));
        return error;
    }
    sqlite3_wal_hook(s->db, remember_wal_pages, s);
    s->wal_pages = 1; /* the file's length is not known: the first idle moment empties it */
    return prepare_transactions(s, why);
}

static bool wal_is_empty(const char *path)
{
    char wal[4096];
    struct stat st;
    snprintf(wal, sizeof wal, "%s-wal", path);
    return stat(wal, &st) != 0 || st.st_size == 0;
}

/*
 * While the owner runs, the "-shm" beside the file is there and is all that a reader needs. When nobody runs,
 * SQLite makes one, where this user may write in the folder. Where he may not, and the owner left no WAL, the
 * file alone is the whole truth and does not change: it is opened as immutable.
 */
static int open_reader(struct store *s, const char *path, struct detail *why)
{
    const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_URI;
    int error = store_code(sqlite3_open_v2(path, &s->db, flags, NULL));
    if (!error) {
        sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        error = claim_file(s, STORE_READER, why);
    } else {
        detail_set(why, "%s", store_error(s));
    }
    if (error != E_IO || !wal_is_empty(path))
        return error;
    sqlite3_close(s->db);
    s->db = NULL;
    char *uri =
        sqlite3_mprintf("file:%s?immutable=1", path); /* a path with ? or # in it cannot be opened this way */
    error = store_code(sqlite3_open_v2(uri, &s->db, flags, NULL));
    sqlite3_free(uri);
    if (!error)
        error = claim_file(s, STORE_READER, why);
    else
        detail_set(why, "%s", store_error(s));
    return error;
}

int store_open(struct store **out, const char *path, enum store_mode mode, struct detail *why)
{
    struct detail reason = {.text = ""};
    struct stat st;
    if (mode != STORE_CREATE && stat(path, &st) != 0) {
        detail_set(why, "%s: %s", path, strerror(errno));
        return errno == ENOENT || errno == ENOTDIR ? E_NOT_FOUND : E_IO;
    }
    struct store *s = xcalloc(1, sizeof *s);
    int error = mode == STORE_READER ? open_reader(s, path, &reason) : open_owner(s, path, mode, &reason);
    if (!error && mode == STORE_CREATE && dir_sync_parent(path) != 0) {
        detail_set(&reason, "cannot sync its folder");
        error = E_IO;
    }
    if (error) {
        detail_set(why, "%s: %s", path, reason.text);
        store_close(s);
        return error;
    }
    *out = s;
    return 0;
}

static int attach(struct store *s, const char *name, const char *schema)
{
    char *sql =
        sqlite3_mprintf("ATTACH %Q AS %Q; SELECT count(*) FROM %w.sqlite_schema", name, schema, schema);
    int error = store_execute(s, sql);
    sqlite3_free(sql);
    return error;
}

/* As open_reader: what cannot be opened because there is no "-shm", and has no WAL, is read as it is. */
int store_attach(struct store *s, const char *path, const char *schema, struct detail *why)
{
    int error = attach(s, path, schema);
    if (error == E_IO && wal_is_empty(path)) {
        char *detach = sqlite3_mprintf("DETACH %Q", schema);
        (void)!store_execute(s, detach); /* the file may have failed when it was first read */
        sqlite3_free(detach);
        char *uri = sqlite3_mprintf("file:%s?immutable=1", path);
        error = attach(s, uri, schema);
        sqlite3_free(uri);
    }
    if (error)
        detail_set(why, "%s: %s", path, store_error(s));
    return error;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    statement_free(s->begin);
    statement_free(s->begin_reading);
    statement_free(s->commit);
    statement_free(s->rollback);
    statement_free(s->savepoint);
    statement_free(s->savepoint_keep);
    statement_free(s->savepoint_undo);
    sqlite3_close(s->db);
    free(s);
}

void store_abandon(struct store *s)
{
    if (s && s->db)
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    store_close(s);
}

int store_begin(struct store *s)
{
    s->undone[0] = '\0';
    return statement_run(s->begin);
}

int store_begin_reading(struct store *s)
{
    s->undone[0] = '\0';
    return statement_run(s->begin_reading);
}

void store_end_reading(struct store *s)
{
    if (statement_run(s->commit) != 0) /* nothing was written: nothing is lost */
        store_rollback(s);
}

int store_commit(struct store *s)
{
    return statement_run(s->commit);
}

void store_rollback(struct store *s)
{
    if (store_code(sqlite3_errcode(s->db)) != 0)
        snprintf(s->undone, sizeof s->undone, "%s", sqlite3_errmsg(s->db));
    if (store_in_transaction(s))
        (void)!statement_run(s->rollback);
}

bool store_in_transaction(const struct store *s)
{
    return !sqlite3_get_autocommit(s->db);
}

int store_savepoint(struct store *s)
{
    return statement_run(s->savepoint);
}

int store_savepoint_keep(struct store *s)
{
    return statement_run(s->savepoint_keep);
}

int store_savepoint_undo(struct store *s)
{
    int error = statement_run(s->savepoint_undo);
    return error ? error : statement_run(s->savepoint_keep);
}

static int checkpoint(struct store *s, int mode)
{
    int in_wal = 0, copied = 0;
    FAULT_POINT("store.before_checkpoint");
    int code = sqlite3_wal_checkpoint_v2(s->db, NULL, mode, &in_wal, &copied);
    FAULT_POINT("store.checkpointed");
    if ((code & 0xff) == SQLITE_BUSY) /* a reader: the rest is for the next time */
        return 0;
    if (code == SQLITE_OK && in_wal == copied)
        s->wal_pages = 0; /* the next write begins at the WAL's start */
    return store_code(code);
}

int store_checkpoint_if_large(struct store *s)
{
    return s->wal_pages > WAL_PAGES_MAX ? checkpoint(s, SQLITE_CHECKPOINT_PASSIVE) : 0;
}

int store_checkpoint_truncate(struct store *s)
{
    if (s->wal_pages == 0)
        return 0;
    sqlite3_busy_timeout(s->db, 0); /* not worth waiting for a reader */
    int error = checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE);
    sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
    return error;
}

bool store_has_wal(const struct store *s)
{
    return s->wal_pages > 0;
}
