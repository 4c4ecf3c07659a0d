#include "common/store/migrate.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/notify.h"
#include "common/store/statement.h"

static int last_version(const struct migration *list)
{
    int last = 0;
    for (; list->version; list++)
        last = list->version;
    return last;
}

static int record(struct store *s, const struct migration *m, struct detail *why)
{
    struct statement *insert = NULL;
    int error = statement_prepare(&insert, s,
                                  "INSERT INTO migration (version, name, applied_ms) VALUES (?, ?, ?)", why);
    if (error)
        return error;
    statement_bind_int(insert, 1, m->version);
    statement_bind_text(insert, 2, slice_of(m->name));
    statement_bind_int(insert, 3, clock_wall_ms());
    error = statement_run(insert);
    statement_free(insert);
    if (error)
        return error;
    char pragma[64];
    snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", m->version);
    return store_execute(s, pragma);
}

static int apply_one(struct store *s, const struct migration *m, struct detail *why)
{
    int error = store_begin(s);
    if (!error)
        error = store_execute(
            s, "CREATE TABLE IF NOT EXISTS migration ("
               "version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_ms INTEGER NOT NULL) STRICT");
    if (!error)
        error = store_execute(s, m->sql);
    if (!error)
        error = record(s, m, NULL);
    FAULT_POINT("migrate.before_commit");
    if (!error)
        error = store_commit(s);
    if (error) {
        detail_set(why, "migration %03d_%s: %s", m->version, m->name, store_error(s));
        store_rollback(s);
    }
    return error;
}

static int file_version(struct store *s, const struct migration *list, int *version, struct detail *why)
{
    int error = store_version(s, version);
    if (error) {
        detail_set(why, "cannot read the version: %s", store_error(s));
        return error;
    }
    if (*version > last_version(list)) {
        detail_set(why, "the database has version %d; this program knows up to %d: use a newer program",
                   *version, last_version(list));
        return E_NEWER;
    }
    return 0;
}

/* A worker that stood by has told systemd that it is ready: it must be heard of, however large the file is.
 */
static void stay_alive(void)
{
    notify_watchdog(clock_mono_ns());
}

int migrate_apply(struct store *s, const struct migration *list, int *applied, struct detail *why)
{
    int version = 0, count = 0;
    int error = file_version(s, list, &version, why);
    store_set_pulse(s, stay_alive);
    for (const struct migration *m = list; !error && m->version; m++) {
        if (m->version <= version)
            continue;
        error = apply_one(s, m, why);
        count += !error;
        FAULT_POINT("migrate.committed");
    }
    store_set_pulse(s, NULL);
    if (applied)
        *applied = count;
    return error;
}

int migrate_check(struct store *s, const struct migration *list, struct detail *why)
{
    int version = 0;
    int error = file_version(s, list, &version, why);
    if (!error && version < last_version(list)) {
        detail_set(why,
                   "the database has version %d, and %d is needed: start its service once to bring it up",
                   version, last_version(list));
        error = E_INVALID;
    }
    return error;
}
