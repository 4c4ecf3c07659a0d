/* order show: what was decided, read from the inventory files of this host (nobody is asked, nothing is
 * locked). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "common/base/clock.h"
#include "common/pipeline/message.h"
#include "common/store/statement.h"
#include "services/ctl/commands.h"
#include "services/ctl/service_file.h"
#include "services/ctl/table.h"

const struct ctl_option cmd_order_show_options[] = {
    CTL_OPTION_JSON,
    {NULL, NULL, NULL},
};

struct decided {
    bool found;
    struct decision decision;
    int64_t accepted_ms;
    int shard;
};

static int read_order(struct store *store, const char *id, struct decided *out, struct detail *why)
{
    struct statement *query = NULL;
    int rc = statement_prepare(
        &query, store,
        "SELECT user_id, sku, quantity, accepted_ms, decided_ms, reason, unit_price, receipt_no "
        "FROM orders WHERE order_id = ?",
        why);
    if (rc)
        return rc;
    statement_bind_text(query, 1, slice_of(id));
    rc = statement_next(query);
    if (rc == 1) {
        struct decision *d = &out->decision;
        out->found = true;
        snprintf(d->order_id, sizeof(d->order_id), "%s", id);
        statement_copy_text(query, 0, d->user_id, sizeof(d->user_id));
        statement_copy_text(query, 1, d->sku, sizeof(d->sku));
        d->quantity = (int32_t)statement_int(query, 2);
        out->accepted_ms = statement_int(query, 3);
        d->at_ms = statement_int(query, 4);
        d->reason = (enum reject_reason)statement_int(query, 5);
        d->status = d->reason == REASON_NONE ? ORDER_CONFIRMED : ORDER_REJECTED;
        d->unit_price = statement_int(query, 6);
        d->total = d->unit_price * d->quantity;
        d->receipt_no = statement_int(query, 7);
    } else if (rc < 0) {
        detail_set(why, "the orders cannot be read: %s", store_error(store));
    }
    statement_free(query);
    return rc < 0 ? rc : 0;
}

/* Looks in every shard's file, that of the id first. An exit code. */
static int find_order(const struct ctl *ctl, struct decided *out)
{
    int shards = (int)ctl->settings->topology.shards;
    int first = order_id_shard(ctl->argument) % shards;
    for (int n = 0; n < shards && !out->found; n++) {
        char path[STORE_PATH_SIZE];
        struct detail why;
        struct store *store = NULL;
        out->shard = (first + n) % shards;
        settings_inventory_path(ctl->settings, out->shard, path);
        int rc = service_file_open(&store, path, inventory_migrations, &why);
        if (rc == 0)
            rc = read_order(store, ctl->argument, out, &why);
        store_close(store);
        if (rc == E_NOT_FOUND)
            return ctl_fail(EXIT_CONFIG, "%s; is store.dir right, and is it on this host?", why.text);
        if (rc)
            return ctl_fail(ctl_exit_code(rc), "%s", why.text);
    }
    return EXIT_OK;
}

static void print_json(const struct decided *o)
{
    const struct decision *d = &o->decision;
    char text[RFC3339_SIZE];
    json_t *value = json_pack("{s:s, s:s, s:s, s:s, s:i}", "order_id", d->order_id, "status",
                              order_status_name(d->status), "user_id", d->user_id, "sku", d->sku, "quantity",
                              (int)d->quantity);
    if (d->status == ORDER_CONFIRMED) {
        json_object_set_new(value, "unit_price", json_integer(d->unit_price));
        json_object_set_new(value, "total", json_integer(d->total));
        json_object_set_new(value, "receipt_no", json_integer(d->receipt_no));
        json_object_set_new(value, "decided_at", json_string(rfc3339_format(d->at_ms, text)));
    } else {
        json_object_set_new(value, "reason", json_string(reject_reason_name(d->reason)));
    }
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(value);
}

static void print_table(const struct decided *o)
{
    static const char *const columns[] = {"", "", NULL};
    const struct decision *d = &o->decision;
    char text[RFC3339_SIZE];
    struct table *t = table_new(columns);
    table_add(t, "order");
    table_add(t, d->order_id);
    table_add(t, "status");
    table_add(t, order_status_name(d->status));
    if (d->status == ORDER_REJECTED) {
        table_add(t, "reason");
        table_add(t, reject_reason_name(d->reason));
    }
    table_add(t, "user");
    table_add(t, d->user_id);
    table_add(t, "item");
    table_add(t, d->sku);
    table_add(t, "quantity");
    table_addf(t, "%" PRId32, d->quantity);
    if (d->status == ORDER_CONFIRMED) {
        table_add(t, "total");
        table_addf(t, "%" PRId64 " (%" PRId32 " x %" PRId64 ")", d->total, d->quantity, d->unit_price);
        table_add(t, "receipt");
        table_addf(t, "%" PRId64, d->receipt_no);
    }
    table_add(t, "accepted at");
    table_add(t, rfc3339_format(o->accepted_ms, text));
    table_add(t, "decided at");
    table_add(t, rfc3339_format(d->at_ms, text));
    table_add(t, "shard");
    table_addf(t, "%d", o->shard);
    table_print(t, stdout);
    table_free(t);
}

int cmd_order_show(const struct ctl *ctl)
{
    if (!order_id_is_well_formed(ctl->argument, strlen(ctl->argument)))
        return ctl_bad_usage(ctl, "\"%s\" is no order id: %d characters of Crockford base32, upper case",
                             ctl->argument, ORDER_ID_CHARS);
    struct decided order = {.found = false};
    int status = find_order(ctl, &order);
    if (status)
        return status;
    if (!order.found && ctl_json(ctl)) {
        printf("{\n  \"order_id\": \"%s\",\n  \"status\": \"unknown\"\n}\n", ctl->argument);
        return EXIT_FAILED;
    }
    if (!order.found)
        return ctl_fail(EXIT_FAILED, "order %s is not decided: still queued, or never was", ctl->argument);
    if (ctl_json(ctl))
        print_json(&order);
    else
        print_table(&order);
    return EXIT_OK;
}
