/* backup: a verified copy of each database of this host, in <store.dir>/backup. A worker that runs copies its
 * own file (backup_request.h); a file that no worker has is copied here. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/pipeline/backup_request.h"
#include "services/ctl/commands.h"
#include "services/ctl/database_files.h"
#include "services/ctl/table.h"

#define TURN_NS       (50 * NS_PER_MS)
#define PICK_UP_NS    (20 * NS_PER_S) /* a worker looks once a second, unless it is busy opening its file */
#define PROGRESS_NS   (60 * NS_PER_S) /* a copy that does not grow for so long is not being made */
#define PAGES_A_STEP  4096
#define KEEP_DAYS_MAX 36500
#define SECONDS_A_DAY 86400

const struct ctl_option cmd_backup_options[] = {
    {"keep-days", "N",
     "remove backups that are older than N days, once there is a newer one of the same file"},
    {"json", NULL, "print JSON: {\"backups\": [{\"file\": PATH, \"bytes\": N}]}"},
    {NULL, NULL, NULL},
};

struct copying {
    const struct database_file *file;
    char request[BACKUP_PATH_SIZE], part[BACKUP_PATH_SIZE], copy[BACKUP_PATH_SIZE], failed[BACKUP_PATH_SIZE];
};

static int copy_offline(const struct copying *c, struct detail *why)
{
    struct store *s;
    struct store_backup *b = NULL;
    int error = store_open(&s, c->file->path, STORE_OWNER, why);
    if (error)
        return error;
    error = store_backup_begin(&b, s, c->part, why);
    while (!error && (error = store_backup_step(b, PAGES_A_STEP, why)) == 1)
        error = 0;
    store_backup_end(b);
    store_close(s);
    if (!error && rename(c->part, c->copy) != 0) {
        detail_set(why, "%s: %s", c->copy, strerror(errno));
        error = E_IO;
    }
    return error;
}

static int read_failure(const struct copying *c, struct detail *why)
{
    struct buffer text = {0};
    int error = file_read(c->failed, sizeof why->text - 1, &text, NULL);
    while (text.len > 0 && text.data[text.len - 1] == '\n')
        text.len--;
    detail_set(why, "%s", error ? "the worker failed to copy it; its log says why" : buffer_text(&text));
    buffer_free(&text);
    return E_IO;
}

static int64_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

/* Until the worker has the copy ready. */
static int wait_for_worker(const struct copying *c, struct detail *why)
{
    int64_t since_ns = clock_mono_ns(), size = -1;
    while (!file_exists(c->copy)) {
        bool waiting = file_exists(c->request);
        int64_t now_ns = clock_mono_ns(), now_size = size_of(c->part);
        if (!waiting && file_exists(c->failed))
            return read_failure(c, why);
        if (now_size != size) {
            size = now_size;
            since_ns = now_ns;
        }
        if (now_ns - since_ns > (waiting ? PICK_UP_NS : PROGRESS_NS)) {
            detail_set(why, "%s has the file and does not answer: is it hung, or of an older version?",
                       c->file->unit);
            unlink(c->request);
            return E_TIMEOUT;
        }
        nanosleep(&(struct timespec){.tv_nsec = TURN_NS}, NULL);
    }
    return 0;
}

static int ask_worker(const struct copying *c, struct detail *why)
{
    int fd = open(c->request, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        detail_set(why, "%s: %s", c->request, strerror(errno));
        return E_IO;
    }
    close(fd);
    return wait_for_worker(c, why);
}

static int make_copy(const struct copying *c, struct detail *why)
{
    unlink(c->copy);
    unlink(c->failed);
    int lock = database_file_lock(c->file, why);
    if (lock == E_BUSY)
        return ask_worker(c, why);
    if (lock < 0)
        return lock;
    int error = copy_offline(c, why);
    close(lock);
    return error;
}

/* Copies, verifies, names. target: the path, out. */
static int back_up(const struct database_file *f, const char *stamp, char target[BACKUP_PATH_SIZE],
                   struct detail *why)
{
    struct copying c = {.file = f};
    char suffix[64];
    backup_path(f->path, BACKUP_REQUEST, c.request);
    backup_path(f->path, BACKUP_COPYING, c.part);
    backup_path(f->path, BACKUP_COPY, c.copy);
    backup_path(f->path, BACKUP_FAILED, c.failed);
    int error = make_copy(&c, why);
    if (!error)
        error = store_verify(c.copy, why);
    if (error)
        return error;
    /* "…/backup/inventory.0.db.copy" → "…/backup/inventory.0-<stamp>.db" */
    snprintf(suffix, sizeof suffix, "-%s.db", stamp);
    snprintf(target, BACKUP_PATH_SIZE, "%.*s%s", (int)(strlen(c.copy) - strlen(".db." BACKUP_COPY)), c.copy,
             suffix);
    if (rename(c.copy, target) != 0 || dir_sync_parent(target) != 0) {
        detail_set(why, "%s: %s", target, strerror(errno));
        return E_IO;
    }
    return 0;
}

/* Older backups of the file that `newest` is one of. */
static int prune(const char *newest, int64_t keep_days)
{
    char dir[BACKUP_PATH_SIZE];
    const char *name = strrchr(newest, '/') + 1;
    size_t len = strlen(name) - strlen("2026-11-11T03-30-00Z.db");
    time_t limit = time(NULL) - (time_t)(keep_days * SECONDS_A_DAY);
    int removed = 0;
    snprintf(dir, sizeof dir, "%.*s", (int)(name - newest - 1), newest);
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        if (strncmp(e->d_name, name, len) == 0 && strlen(e->d_name) == strlen(name) &&
            strcmp(e->d_name, name) != 0 && fstatat(dirfd(d), e->d_name, &st, 0) == 0 && st.st_mtime < limit)
            removed += unlinkat(dirfd(d), e->d_name, 0) == 0;
    }
    if (d)
        closedir(d);
    return removed;
}

static int back_up_all(const struct ctl *ctl, int64_t keep_days)
{
    static struct database_file files[DATABASE_FILES_MAX];
    char stamp[BACKUP_STAMP_SIZE], target[BACKUP_PATH_SIZE];
    int count = database_files_list(ctl->settings, files), status = EXIT_OK, removed = 0;
    if (count == 0)
        return ctl_fail(EXIT_CONFIG, "there is no database in %s", ctl->settings->store.dir);
    const char *const columns[] = {"BACKUP", ">BYTES", ">SECONDS", "", NULL};
    struct table *t = table_new(columns);
    if (ctl_json(ctl))
        puts("{\"backups\": [");
    backup_stamp(stamp);
    for (int i = 0, made = 0; i < count; i++) {
        struct detail why = {.text = ""};
        int64_t since_ns = clock_mono_ns();
        int error = back_up(&files[i], stamp, target, &why);
        if (error) {
            status = ctl_fail(ctl_exit_code(error), "%s: %s", files[i].name, why.text);
            continue;
        }
        double seconds = (double)(clock_mono_ns() - since_ns) / (double)NS_PER_S;
        if (keep_days >= 0)
            removed += prune(target, keep_days);
        if (ctl_json(ctl))
            printf("%s  {\"file\": \"%s\", \"bytes\": %" PRId64 "}", made++ ? ",\n" : "", target,
                   size_of(target));
        table_add(t, target);
        table_addf(t, "%" PRId64, size_of(target));
        table_addf(t, "%.1f", seconds);
        table_add(t, "verified");
    }
    if (ctl_json(ctl))
        printf("\n], \"removed\": %d}\n", removed);
    else
        table_print(t, stdout);
    if (!ctl_json(ctl) && removed > 0)
        printf("%d older ones removed\n", removed);
    table_free(t);
    return status;
}

int cmd_backup(const struct ctl *ctl)
{
    struct detail why = {.text = ""};
    char dir[STORE_PATH_SIZE + 16];
    int64_t keep_days = -1;
    int status = ctl_option_number(ctl, "keep-days", 0, KEEP_DAYS_MAX, &keep_days);
    if (status)
        return status;
    umask(077);
    int error = database_files_become_owner(ctl->settings, &why);
    snprintf(dir, sizeof dir, "%s/" BACKUP_DIR, ctl->settings->store.dir);
    if (!error)
        error = dir_make(dir, &why);
    return error ? ctl_fail(ctl_exit_code(error), "%s", why.text) : back_up_all(ctl, keep_days);
}
