#include "common/pipeline/backup_request.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"

#define LOOK_NS      (1 * NS_PER_S)
#define PAGES_A_STEP 256 /* a megabyte: about a millisecond, in which nothing else is done */

void backup_path(const char *database, const char *suffix, char out[BACKUP_PATH_SIZE])
{
    const char *slash = strrchr(database, '/');
    const char *name = slash ? slash + 1 : database;
    snprintf(out, BACKUP_PATH_SIZE, "%.*s" BACKUP_DIR "/%s.%s", (int)(name - database), database, name,
             suffix);
}

static void say_failed(const char *database, const char *why)
{
    char path[BACKUP_PATH_SIZE], quoted[512];
    backup_path(database, BACKUP_FAILED, path);
    log_error("backup_failed", "database=%s why=%s", database, log_quote(why, quoted, sizeof quoted));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (dprintf(fd, "%s\n", why) < 0)
        log_warn("backup_report_failed", "file=%s", path);
    close(fd);
}

void backup_request_recover(const char *database)
{
    char path[BACKUP_PATH_SIZE];
    backup_path(database, BACKUP_COPYING, path);
    if (unlink(path) == 0)
        say_failed(database, "the worker ended while it was copying");
}

static void begin(struct backup_request *r, struct store *s, const char *database, int64_t now_ns)
{
    char path[BACKUP_PATH_SIZE];
    struct detail why = {.text = ""};
    backup_path(database, BACKUP_COPYING, path);
    if (store_backup_begin(&r->running, s, path, &why) != 0)
        say_failed(database, why.text);
    r->since_ns = now_ns;
}

/* Gives the whole copy its name. */
static void finish(struct backup_request *r, const char *database, int64_t now_ns)
{
    char from[BACKUP_PATH_SIZE], to[BACKUP_PATH_SIZE];
    backup_path(database, BACKUP_COPYING, from);
    backup_path(database, BACKUP_COPY, to);
    store_backup_end(r->running);
    r->running = NULL;
    if (rename(from, to) != 0 || dir_sync_parent(to) != 0) {
        say_failed(database, strerror(errno));
        return;
    }
    log_info("backup_copied", "database=%s ms=%" PRId64, database,
             (int64_t)((now_ns - r->since_ns) / NS_PER_MS));
}

bool backup_request_run(struct backup_request *r, struct store *s, const char *database, int64_t now_ns)
{
    struct detail why = {.text = ""};
    if (!r->running && now_ns >= r->look_due_ns) {
        char path[BACKUP_PATH_SIZE];
        r->look_due_ns = now_ns + LOOK_NS;
        backup_path(database, BACKUP_REQUEST, path);
        if (unlink(path) == 0)
            begin(r, s, database, now_ns);
    }
    if (!r->running)
        return false;
    int more = store_backup_step(r->running, PAGES_A_STEP, &why);
    if (more == 0)
        finish(r, database, now_ns);
    if (more < 0) {
        store_backup_end(r->running);
        r->running = NULL;
        say_failed(database, why.text);
    }
    return more == 1;
}

void backup_request_end(struct backup_request *r, const char *database)
{
    if (!r->running)
        return;
    store_backup_end(r->running);
    r->running = NULL;
    say_failed(database, "the worker stopped while it was copying");
}
