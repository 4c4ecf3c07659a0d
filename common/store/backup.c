#include "common/store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/file.h"
#include "common/store/statement.h"
#include "common/store/store_internal.h"

struct store_backup {
    sqlite3 *copy;
    sqlite3_backup *backup; /* NULL: nothing more to copy */
    char *path;
    bool whole;
};

static int fail(struct store_backup *b, int code, struct detail *why)
{
    detail_set(why, "%s: %s", b->path, b->copy ? sqlite3_errmsg(b->copy) : sqlite3_errstr(code));
    int error = store_code(code);
    return error ? error : E_IO;
}

int store_backup_begin(struct store_backup **out, struct store *s, const char *path, struct detail *why)
{
    struct store_backup *b = xcalloc(1, sizeof *b);
    b->path = xstrdup(path);
    unlink(path);
    int code = sqlite3_open_v2(
        path, &b->copy,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    /* Neither journal nor fsync: a copy that breaks off is thrown away, and the whole one is synced once. */
    if (code == SQLITE_OK)
        code = sqlite3_exec(b->copy, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL, NULL);
    if (code == SQLITE_OK) {
        b->backup = sqlite3_backup_init(b->copy, "main", s->db, "main");
        code = b->backup ? SQLITE_OK : sqlite3_errcode(b->copy);
    }
    if (code != SQLITE_OK) {
        int error = fail(b, code, why);
        store_backup_end(b);
        return error;
    }
    *out = b;
    return 0;
}

/* The copy says of itself that it has a WAL, as the database has: without one it can be read wherever it
 * lies. */
static int make_whole(struct store_backup *b, struct detail *why)
{
    int code = sqlite3_backup_finish(b->backup);
    b->backup = NULL;
    if (code == SQLITE_OK)
        code = sqlite3_exec(b->copy, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return fail(b, code, why);
    b->whole = true;
    return 0;
}

int store_backup_step(struct store_backup *b, int pages, struct detail *why)
{
    int code = sqlite3_backup_step(b->backup, pages);
    if (code == SQLITE_DONE)
        return make_whole(b, why);
    if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED)
        return 1;
    return fail(b, code, why);
}

int store_backup_percent(const struct store_backup *b)
{
    int all = b->backup ? sqlite3_backup_pagecount(b->backup) : 0;
    return all > 0    ? (int)((int64_t)100 * (all - sqlite3_backup_remaining(b->backup)) / all)
           : b->whole ? 100
                      : 0;
}

void store_backup_end(struct store_backup *b)
{
    if (!b)
        return;
    if (b->backup)
        sqlite3_backup_finish(b->backup);
    sqlite3_close(b->copy);
    if (!b->whole)
        unlink(b->path);
    free(b->path);
    free(b);
}

static int check_integrity(struct store *s, struct detail *why)
{
    struct statement *check = NULL;
    char answer[160] = "";
    int error = statement_prepare(&check, s, "PRAGMA integrity_check(1)", why);
    if (!error && statement_next(check) == 1)
        statement_copy_text(check, 0, answer, sizeof answer);
    statement_free(check);
    if (!error && strcmp(answer, "ok") != 0) {
        detail_set(why, "%s", *answer ? answer : store_error(s));
        error = E_CORRUPT;
    }
    return error;
}

static int sync_file(const char *path, struct detail *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int synced = fd < 0 ? -1 : fsync(fd);
    if (synced != 0)
        detail_set(why, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return synced == 0 ? 0 : E_IO;
}

int store_verify(const char *path, struct detail *why)
{
    struct store *s;
    struct detail reason = {.text = ""};
    int error = sync_file(path, why);
    if (!error)
        error = store_open(&s, path, STORE_READER, why);
    if (error)
        return error;
    int version = 0;
    error = check_integrity(s, &reason);
    if (!error)
        error = store_version(s, &version);
    if (!error && version == 0) {
        detail_set(&reason, "it is empty");
        error = E_CORRUPT;
    }
    if (error)
        detail_set(why, "%s: %s", path, reason.text[0] ? reason.text : store_error(s));
    store_close(s);
    return error;
}
