#include "services/inventory/restock_item.h"

#include <inttypes.h>
#include <jansson.h>

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/pipeline/json_read.h"

static const char *const members[] = {"v", "sku", "quantity", "key", NULL};

static int read_question(const json_t *question, struct restock *out, struct detail *why)
{
    int error = json_read_known_members(question, members, why);
    if (!error)
        error = json_read_name(question, "sku", out->sku, why);
    if (!error)
        error = json_read_int(question, "quantity", 1, STOCK_MAX, &out->quantity, why);
    if (!error)
        error = json_read_text(question, "key", out->key, sizeof out->key, why);
    if (!error && !idempotency_key_is_valid(out->key)) {
        detail_set(why, "key must be 1 to %d visible ASCII characters", IDEMPOTENCY_KEY_MAX);
        error = E_INVALID;
    }
    return error;
}

static int add(struct stock_store *stock, const struct stock_item *item, int64_t now_ms, struct restock *r,
               struct rpc_refusal *refusal)
{
    if (item->item.stock_total > STOCK_MAX - r->quantity)
        return rpc_refuse(refusal, "conflict", "an item may have %" PRId64 " units in all, and has %" PRId64,
                          STOCK_MAX, item->item.stock_total);
    char quoted[4 * NAME_SIZE];
    int error = stock_restock(stock, item, now_ms, r);
    FAULT_POINT("item.committed");
    if (!error)
        log_info("item_restocked",
                 "sku=%s quantity=%" PRId64 " key=%s version=%" PRId64 " stock_total=%" PRId64,
                 log_quote(r->sku, quoted, sizeof quoted), r->quantity, r->key, r->version, r->stock_total);
    return error;
}

int restock_item(struct stock_store *stock, const struct json_t *question, int64_t now_ms,
                 struct restock *out, bool *is_new, struct rpc_refusal *refusal)
{
    struct restock wanted = {.quantity = 0};
    struct detail why = {.text = ""};
    *is_new = false;
    if (read_question(question, &wanted, &why) != 0)
        return rpc_refuse(refusal, "invalid", "%s", why.text);
    const struct stock_item *item = stock_find(stock, wanted.sku);
    if (!item)
        return rpc_refuse(refusal, "not_found", "there is no item \"%s\"", wanted.sku);
    *out = wanted;
    int error = stock_find_restock(stock, item, out);
    if (error == E_NOT_FOUND) {
        error = add(stock, item, now_ms, out, refusal);
        *is_new = error == 0;
        return error;
    }
    if (!error && out->quantity != wanted.quantity)
        return rpc_refuse(refusal, "idempotency_mismatch",
                          "this key has restocked the item by %" PRId64 " already, not by %" PRId64,
                          out->quantity, wanted.quantity);
    return error;
}
