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
#include <jansson.h>
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
    {"json", NULL, "print JSON: {\"database\": PATH, \"backup\": PATH, \"replaced\": PATH, ...}"},
    {NULL, NULL, NULL},
};

struct restoring {
    struct database_file file;
    const char *backup;
    char part[STORE_PATH_SIZE + 32], aside[STORE_PATH_SIZE + 64];
    bool had_one;
    struct unknown_orders unknown; /* of inventory */
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

static void tell_unknown(const struct unknown_orders *u)
{
    if (u->count < 0)
        puts("There is no redpacket.db on this host to say which orders were confirmed after that backup.");
    else if (u->count == 0)
        puts("Every order that the red packets' worker was told of as confirmed is known to the restored "
             "file.");
    else
        printf(
            "%" PRId64 " orders were confirmed after that backup was made, and are unknown now: %s\n"
            "Their buyers have been told. The items are paused: take what was bought off their stock\n"
            "(seckillctl item put SKU --stock N) before you resume them; more in the runbook, \"Restore\".\n",
            u->count, u->list);
    if (u->homeless > 0)
        printf("%" PRId64 " of them are of items that were put up after the backup, which the file does not "
               "have. Put these up\n"
               "again before the worker starts taking orders for them, with what was not sold: orders of an "
               "item that is\n"
               "not there are rejected.\n",
               u->homeless);
}

static void tell_json(const struct restoring *r)
{
    json_t *all = json_pack("{s:s, s:s, s:s*}", "database", r->file.path, "backup", r->backup, "replaced",
                            r->had_one ? r->aside : NULL);
    if (r->file.shard >= 0 && r->unknown.count >= 0)
        json_object_set_new(all, "unknown_orders", json_integer(r->unknown.count));
    if (r->unknown.homeless > 0)
        json_object_set_new(all, "orders_of_unknown_items", json_integer(r->unknown.homeless));
    if (r->unknown.count > 0)
        json_object_set_new(all, "unknown_orders_file", json_string(r->unknown.list));
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static void tell(const struct restoring *r)
{
    printf("%s is %s now.\n", r->file.path, r->backup);
    if (r->had_one)
        printf("What was there: %s\n", r->aside);
    if (r->file.shard >= 0)
        tell_unknown(&r->unknown);
}

/* The part, and what a restore that was killed may have left beside it: SQLite would read an old WAL into it.
 */
static void remove_part(const struct restoring *r)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[sizeof r->part + 16];
        snprintf(path, sizeof path, "%s%s", r->part, suffixes[i]);
        unlink(path);
    }
}

/* Under the worker's lock. */
static int replace(const struct settings *s, struct restoring *r, struct detail *why)
{
    snprintf(r->part, sizeof r->part, "%s.restoring", r->file.path);
    int error = check_backup(r, why);
    remove_part(r);
    if (!error)
        error = copy_bytes(r->backup, r->part, why);
    if (!error && r->file.shard >= 0)
        error = unknown_orders_find(s, &r->file, r->part, &r->unknown, why);
    if (!error)
        error = put_in_place(r, why);
    if (error)
        remove_part(r);
    return error;
}

static int restore(const struct ctl *ctl, struct restoring *r)
{
    struct detail why = {.text = ""};
    int lock = database_file_lock(&r->file, &why);
    if (lock == E_BUSY)
        return ctl_fail(EXIT_UNAVAILABLE,
                        "the worker has the file: systemctl stop %s, and its standby if it has one",
                        r->file.unit);
    int error = lock < 0 ? lock : replace(ctl->settings, r, &why);
    if (lock >= 0)
        close(lock);
    if (error)
        return ctl_fail(ctl_exit_code(error), "nothing was restored: %s", why.text);
    if (ctl_json(ctl))
        tell_json(r);
    else
        tell(r);
    return EXIT_OK;
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
