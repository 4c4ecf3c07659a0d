#include "services/ctl/database_files.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/file.h"

static void name_it(struct database_file *f, const char *unit)
{
    snprintf(f->name, sizeof f->name, "%s", strrchr(f->path, '/') + 1);
    snprintf(f->unit, sizeof f->unit, "%s", unit);
}

/* at: a shard, or behind them the two others. */
static void describe(const struct settings *s, int at, struct database_file *f)
{
    int shards = (int)s->topology.shards;
    char unit[sizeof f->unit];
    *f = (struct database_file){.shard = -1};
    if (at < shards) {
        settings_inventory_path(s, at, f->path);
        snprintf(unit, sizeof unit, "seckill-inventory@%d", at);
        name_it(f, unit);
        f->shard = at;
        f->migrations = inventory_migrations;
    } else if (at == shards) {
        settings_redpacket_path(s, f->path);
        name_it(f, "seckill-redpacket@0");
        f->migrations = redpacket_migrations;
    } else {
        settings_notification_path(s, f->path);
        name_it(f, "seckill-notification@0");
        f->migrations = notification_migrations;
    }
}

int database_files_list(const struct settings *s, struct database_file out[DATABASE_FILES_MAX])
{
    int count = 0;
    for (int at = 0; at < (int)s->topology.shards + 2; at++) {
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
    for (int at = 0; at < (int)s->topology.shards + 2; at++) {
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
    char path[STORE_PATH_SIZE + 8];
    snprintf(path, sizeof path, "%s.lock", f->path);
    return file_lock(path, why);
}

void backup_stamp(char out[BACKUP_STAMP_SIZE])
{
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(out, BACKUP_STAMP_SIZE, "%Y-%m-%dT%H-%M-%SZ", &parts); /* no colon: it goes into file names */
}
