#include "services/ctl/database_files.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/file.h"

/* From its path: the name; from its owner's, the lock. */
static void name_it(struct database_file *f, const char *owner, const char *unit)
{
    snprintf(f->name, sizeof f->name, "%s", strrchr(f->path, '/') + 1);
    snprintf(f->lock, sizeof f->lock, "%s.lock", owner);
    snprintf(f->unit, sizeof f->unit, "%s", unit);
}

static void describe_inventory(const struct settings *s, int shard, bool archive, struct database_file *f)
{
    char unit[sizeof f->unit], path[STORE_PATH_SIZE];
    settings_inventory_path(s, shard, path);
    snprintf(unit, sizeof unit, "seckill-inventory@%d", shard);
    if (archive)
        settings_archive_of(path, f->path);
    else
        memcpy(f->path, path, sizeof f->path);
    name_it(f, path, unit);
    f->shard = archive ? -1 : shard;
    f->migrations = archive ? archive_migrations : inventory_migrations;
}

static int count_all(const struct settings *s)
{
    return 2 * (int)s->topology.shards + 2;
}

/* at: inventory's and its archive, for each shard, and behind them the two others. */
static void describe(const struct settings *s, int at, struct database_file *f)
{
    int inventories = 2 * (int)s->topology.shards;
    *f = (struct database_file){.shard = -1};
    if (at < inventories) {
        describe_inventory(s, at / 2, at % 2 == 1, f);
    } else if (at == inventories) {
        settings_redpacket_path(s, f->path);
        name_it(f, f->path, "seckill-redpacket@0");
        f->migrations = redpacket_migrations;
    } else {
        settings_notification_path(s, f->path);
        name_it(f, f->path, "seckill-notification@0");
        f->migrations = notification_migrations;
    }
}

int database_files_list(const struct settings *s, struct database_file out[DATABASE_FILES_MAX])
{
    int count = 0;
    for (int at = 0; at < count_all(s); at++) {
        describe(s, at, &out[count]);
        count += file_exists(out[count].path);
    }
    return count;
}

int database_files_of_backup(const struct settings *s, const char *backup, struct database_file *out,
                             struct detail *why)
{
    const char *slash = strrchr(backup, '/');
    const char *name = slash ? slash + 1 : backup;
    for (int at = 0; at < count_all(s); at++) {
        describe(s, at, out);
        size_t len = strlen(out->name) - strlen(".db");
        if (strncmp(name, out->name, len) == 0 && name[len] == '-')
            return 0;
    }
    detail_set(why, "\"%s\" is not the name of a backup, such as inventory.0-2026-11-11T03-30-00Z.db", name);
    return E_INVALID;
}

int database_files_become_owner(const struct settings *s, struct detail *why)
{
    struct stat st;
    if (stat(s->store.dir, &st) != 0) {
        detail_set(why, "%s: %s", s->store.dir, strerror(errno));
        return E_NOT_FOUND;
    }
    if (geteuid() != 0 || st.st_uid == 0)
        return 0;
    if (setgroups(0, NULL) != 0 || setgid(st.st_gid) != 0 || setuid(st.st_uid) != 0) {
        detail_set(why, "cannot become the owner of %s: %s", s->store.dir, strerror(errno));
        return E_IO;
    }
    return 0;
}

int database_file_lock(const struct database_file *f, struct detail *why)
{
    return file_lock(f->lock, why);
}

void backup_stamp(char out[BACKUP_STAMP_SIZE])
{
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(out, BACKUP_STAMP_SIZE, "%Y-%m-%dT%H-%M-%SZ", &parts); /* no colon: it goes into file names */
}
