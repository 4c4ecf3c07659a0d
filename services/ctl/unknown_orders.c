#include "services/ctl/unknown_orders.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/store/statement.h"

struct comparison {
    struct store *restored, *told, *archive; /* the last may be NULL */
    struct statement *order, *archived, *item, *pause, *packets;
    FILE *out;
    int64_t unknown;
};

static int open_both(struct comparison *c, const struct settings *s, const char *path, struct detail *why)
{
    char told[STORE_PATH_SIZE];
    int error = service_file_open(&c->told, settings_redpacket_path(s, told), redpacket_migrations, why);
    if (!error)
        error = store_open(&c->restored, path, STORE_OWNER, why);
    if (!error)
        error = statement_prepare(&c->order, c->restored, "SELECT 1 FROM orders WHERE order_id = ?", why);
    if (!error)
        error = statement_prepare(&c->item, c->restored, "SELECT 1 FROM item WHERE sku = ?", why);
    if (!error)
        error = statement_prepare(&c->pause, c->restored, "UPDATE item SET paused = 1 WHERE sku = ?", why);
    if (!error)
        error = statement_prepare(&c->packets, c->told,
                                  "SELECT order_id, user_id, sku, at_ms FROM packet ORDER BY at_ms", why);
    return error;
}

/* What was moved into the archive since the backup is known, too. */
static int open_archive(struct comparison *c, const struct database_file *file, struct detail *why)
{
    char path[STORE_PATH_SIZE];
    if (!file_exists(settings_archive_of(file->path, path)))
        return 0;
    int error = service_file_open(&c->archive, path, archive_migrations, why);
    return error
               ? error
               : statement_prepare(&c->archived, c->archive, "SELECT 1 FROM orders WHERE order_id = ?", why);
}

static int has(struct statement *st, struct slice key)
{
    statement_bind_text(st, 1, key);
    int found = statement_next(st);
    if (found == 1)
        statement_reset(st);
    return found;
}

/* A field of a CSV file (RFC 4180). */
static void put_field(FILE *out, struct slice text, char end)
{
    fputc('"', out);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            fputc('"', out);
        fputc(text.data[i], out);
    }
    fprintf(out, "\"%c", end);
}

static int compare(struct comparison *c)
{
    int more, error = 0;
    fputs("order_id,user_id,sku,told_at\n", c->out);
    while (!error && (more = statement_next(c->packets)) == 1) {
        struct slice order = statement_text(c->packets, 0), sku = statement_text(c->packets, 2);
        char at[RFC3339_SIZE];
        int ours = has(c->item, sku), known = ours == 1 ? has(c->order, order) : 1;
        if (known == 0 && c->archived)
            known = has(c->archived, order);
        error = ours < 0 ? ours : known < 0 ? known : 0;
        if (error || ours == 0 || known == 1)
            continue;
        c->unknown++;
        statement_bind_text(c->pause, 1, sku);
        error = statement_run(c->pause);
        put_field(c->out, order, ',');
        put_field(c->out, statement_text(c->packets, 1), ',');
        put_field(c->out, sku, ',');
        fprintf(c->out, "%s\n", rfc3339_format(statement_int(c->packets, 3), at));
    }
    return error ? error : more;
}

/* In one transaction: the items are paused together, or not at all. */
static int compare_and_pause(struct comparison *c)
{
    int error = store_begin(c->restored);
    if (!error)
        error = compare(c);
    if (!error)
        error = store_commit(c->restored);
    if (error)
        store_rollback(c->restored);
    return error;
}

int unknown_orders_find(const struct settings *s, const struct database_file *file, const char *path,
                        struct unknown_orders *found, struct detail *why)
{
    struct comparison c = {.out = NULL};
    *found = (struct unknown_orders){.count = -1};
    snprintf(found->list, sizeof found->list, "%s.unknown.csv", file->path);
    int error = open_both(&c, s, path, why);
    if (error == E_NOT_FOUND)
        goto done; /* no redpacket.db: the other one is there */
    if (!error)
        error = open_archive(&c, file, why);
    if (!error && !(c.out = fopen(found->list, "we"))) {
        detail_set(why, "%s: %s", found->list, strerror(errno));
        error = E_IO;
    } else if (!error && (error = compare_and_pause(&c)) != 0) {
        detail_set(why, "the comparison with redpacket.db: %s", error_text(error));
    }
    if (c.out && fclose(c.out) != 0 && !error) {
        detail_set(why, "%s: %s", found->list, strerror(errno));
        error = E_IO;
    }
    if (!error)
        found->count = c.unknown;
done:
    statement_free(c.order);
    statement_free(c.archived);
    statement_free(c.item);
    statement_free(c.pause);
    statement_free(c.packets);
    store_close(c.restored);
    store_close(c.told);
    store_close(c.archive);
    return error == E_NOT_FOUND ? 0 : error;
}
