/*
 * restore: a backup takes the place of a database whose worker is stopped. What was there is set aside, never
 * removed.
 *
 * At no moment is there a file under the database's name that is not whole: first the present one goes, then
 * its WAL, then the restored one comes. A crash in between leaves none, which the worker refuses to begin
 * without.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/pipeline/backup_request.h"
#include "services/ctl/commands.h"
#include "services/ctl/database_files.h"
#include "services/ctl/unknown_orders.h"

const struct ctl_option cmd_restore_options[] = {
    {NULL, NULL, NULL},
};

struct restoring {
    struct database_file file;
    const char *backup;
    char part[STORE_PATH_SIZE + 32], aside[STORE_PATH_SIZE + 64];
    bool had_one;
};

static int fail_errno(struct detail *why, const char *path)
{
    detail_set(why, "%s: %s", path, strerror(errno));
    return E_IO;
}

/* Is it one that the worker of this version can take over? */
static int check_backup(const struct restoring *r, struct detail *why)
{
    struct store *s = NULL;
    int error = store_verify(r->backup, why);
    if (error)
        return error;
    error = service_file_open(&s, r->backup, r->file.migrations, why);
    store_close(s);
    return error == E_INVALID ? 0 : error; /* an older one is brought up to date by its worker */
}

static int copy_bytes(const char *from, const char *to, struct detail *why)
{
    char block[1 << 16];
    int error = 0, in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return fail_errno(why, from);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n = 0;
    while (out >= 0 && !error && (n = read(in, block, sizeof block)) > 0)
        for (ssize_t done = 0, m; !error && done < n; done += m)
            if ((m = write(out, block + done, (size_t)(n - done))) < 0)
                error = fail_errno(why, to);
    if (!error && n < 0)
        error = fail_errno(why, from);
    if (!error && (out < 0 || fsync(out) != 0))
        error = fail_errno(why, to);
    if (out >= 0)
        close(out);
    close(in);
    return error;
}

/* The file and what SQLite keeps beside it; in this order. */
static int set_aside(struct restoring *r, struct detail *why)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char stamp[BACKUP_STAMP_SIZE];
    backup_stamp(stamp);
    snprintf(r->aside, sizeof r->aside, "%s.replaced-%s", r->file.path, stamp);
    r->had_one = file_exists(r->file.path);
    for (int i = 0; i < 3; i++) {
        char from[STORE_PATH_SIZE + 8], to[sizeof r->aside + 8];
        snprintf(from, sizeof from, "%s%s", r->file.path, suffixes[i]);
        snprintf(to, sizeof to, "%s%s", r->aside, suffixes[i]);
        if (rename(from, to) != 0 && errno != ENOENT)
            return fail_errno(why, from);
        if (dir_sync_parent(from) != 0)
            return fail_errno(why, from);
    }
    return 0;
}

static int put_in_place(struct restoring *r, struct detail *why)
{
    int error = set_aside(r, why);
    if (!error && (rename(r->part, r->file.path) != 0 || dir_sync_parent(r->file.path) != 0))
        error = fail_errno(why, r->file.path);
    return error;
}

static void tell(const struct restoring *r)
{
    printf("%s is %s now.\n", r->file.path, r->backup);
    if (r->had_one)
        printf("What was there: %s\n", r->aside);
}

static int restore(const struct ctl *ctl, struct restoring *r)
{
    struct detail why = {.text = ""};
    int lock = database_file_lock(&r->file, &why);
    if (lock == E_BUSY)
        return ctl_fail(EXIT_UNAVAILABLE,
                        "the worker has the file: systemctl stop %s, and its standby if it has one",
                        r->file.unit);
    if (lock < 0)
        return ctl_fail(ctl_exit_code(lock), "%s", why.text);
    snprintf(r->part, sizeof r->part, "%s.restoring", r->file.path);
    int error = check_backup(r, &why);
    if (!error)
        error = copy_bytes(r->backup, r->part, &why);
    int status =
        !error && r->file.shard >= 0 ? unknown_orders_find(ctl->settings, &r->file, r->part) : EXIT_OK;
    if (!error && status == EXIT_OK)
        error = put_in_place(r, &why);
    if (error)
        status = ctl_fail(ctl_exit_code(error), "%s", why.text);
    if (status == EXIT_OK)
        tell(r);
    else
        unlink(r->part);
    close(lock);
    return status;
}

int cmd_restore(const struct ctl *ctl)
{
    static struct restoring r;
    struct detail why = {.text = ""};
    r = (struct restoring){.backup = ctl->argument};
    int error = database_files_of_backup(ctl->settings, r.backup, &r.file, &why);
    if (error)
        return ctl_fail(EXIT_USAGE, "%s", why.text);
    umask(077);
    error = database_files_become_owner(ctl->settings, &why);
    return error ? ctl_fail(ctl_exit_code(error), "%s", why.text) : restore(ctl, &r);
}
