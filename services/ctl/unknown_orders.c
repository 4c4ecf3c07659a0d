#include "services/ctl/unknown_orders.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/store/statement.h"
#include "services/ctl/command.h"

struct comparison {
    struct store *restored, *told;
    struct statement *order, *item, *pause, *packets;
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

static void print_result(const struct comparison *c, const char *path)
{
    if (c->unknown == 0) {
        puts("Every order that the red packets' worker was told of as confirmed is known to the restored "
             "file.");
        return;
    }
    printf("%" PRId64 " orders were confirmed after that backup was made, and are unknown now: %s\n"
           "Their buyers have been told. The items are paused: take what was bought off their stock\n"
           "(seckillctl item put SKU --stock N) before you resume them; more in the runbook, \"Restore\".\n",
           c->unknown, path);
}

int unknown_orders_find(const struct settings *s, const struct database_file *file, const char *path)
{
    struct comparison c = {.out = NULL};
    struct detail why = {.text = ""};
    char list[STORE_PATH_SIZE + 16];
    int status = EXIT_OK;
    snprintf(list, sizeof list, "%s.unknown.csv", file->path);
    int error = open_both(&c, s, path, &why);
    if (error == E_NOT_FOUND) {
        puts("There is no redpacket.db on this host to say which orders were confirmed after that backup.");
    } else if (!error && !(c.out = fopen(list, "we"))) {
        detail_set(&why, "%s: %s", list, strerror(errno));
        error = E_IO;
    } else if (!error) {
        error = compare(&c);
    }
    if (c.out && fclose(c.out) != 0 && !error)
        error = E_IO;
    if (!error)
        print_result(&c, list);
    else if (error != E_NOT_FOUND)
        status = ctl_fail(ctl_exit_code(error), "nothing was restored: %s", why.text);
    statement_free(c.order);
    statement_free(c.item);
    statement_free(c.pause);
    statement_free(c.packets);
    store_close(c.restored);
    store_close(c.told);
    return status;
}
