/* See order_file.h. */
#include "services/ctl/order_file.h"

#include <stdio.h>

#include "common/store/statement.h"
#include "services/ctl/service_file.h"

static void take_row(struct statement *row, const char *id, struct order_life *out)
{
    struct decision *d = &out->decision;
    out->is_decided = true;
    snprintf(d->order_id, sizeof(d->order_id), "%s", id);
    statement_copy_text(row, 0, d->user_id, sizeof(d->user_id));
    statement_copy_text(row, 1, d->sku, sizeof(d->sku));
    d->quantity = (int32_t)statement_int(row, 2);
    out->accepted_ms = statement_int(row, 3);
    d->at_ms = statement_int(row, 4);
    d->reason = (enum reject_reason)statement_int(row, 5);
    d->status = d->reason == REASON_NONE ? ORDER_CONFIRMED : ORDER_REJECTED;
    d->unit_price = statement_int(row, 6);
    d->total = d->unit_price * d->quantity;
    d->receipt_no = statement_int(row, 7);
    out->limit_per_user = statement_int(row, 8);
}

static int read_order(struct store *store, const char *id, struct order_life *out, struct detail *why)
{
    struct statement *query = NULL;
    int rc = statement_prepare(&query, store,
                               "SELECT user_id, sku, quantity, accepted_ms, decided_ms, reason, unit_price, "
                               "receipt_no, limit_per_user FROM orders WHERE order_id = ?",
                               why);
    if (rc)
        return rc;
    statement_bind_text(query, 1, slice_of(id));
    rc = statement_next(query);
    if (rc == 1)
        take_row(query, id, out);
    else if (rc < 0)
        detail_set(why, "the orders cannot be read: %s", store_error(store));
    statement_free(query);
    return rc < 0 ? rc : 0;
}

int order_file_find(const struct ctl *ctl, const char *id, struct order_life *out)
{
    int shards = (int)ctl->settings->topology.shards;
    int first = order_id_shard(id) % shards;
    for (int n = 0; n < shards && !out->is_decided; n++) {
        char path[STORE_PATH_SIZE];
        struct detail why;
        struct store *store = NULL;
        out->shard = (first + n) % shards;
        settings_inventory_path(ctl->settings, out->shard, path);
        int rc = inventory_file_open(&store, path, &why);
        if (rc == 0)
            rc = read_order(store, id, out, &why);
        store_close(store);
        if (rc == E_NOT_FOUND)
            return ctl_fail(EXIT_UNAVAILABLE, "%s; is store.dir right, and is it on this host?", why.text);
        if (rc)
            return ctl_fail(ctl_exit_code(rc), "%s", why.text);
    }
    return EXIT_OK;
}
