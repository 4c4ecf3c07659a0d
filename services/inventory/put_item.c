#include "services/inventory/put_item.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/pipeline/json_read.h"
#include "common/pipeline/shard.h"

static const char *const members[] = {
    "v", "sku", "name", "unit_price", "stock", "limit_per_user", "starts_at", "ends_at", "paused", NULL};

static int read_bool(const json_t *question, const char *member, bool *out, struct detail *why)
{
    const json_t *value = json_object_get(question, member);
    if (!value)
        return 0;
    if (!json_is_boolean(value)) {
        detail_set(why, "%s must be true or false", member);
        return E_INVALID;
    }
    *out = json_is_true(value);
    return 0;
}

static int read_moment(const json_t *question, const char *member, int64_t *out, struct detail *why)
{
    return json_object_get(question, member) ? json_read_moment(question, member, out, why) : 0;
}

/* Lays what the question says over what the item is. */
static int read_change(const json_t *question, bool is_new, struct item *item, int64_t *stock,
                       struct detail *why)
{
    int64_t limit = item->limit_per_user;
    int error = 0;
    if (json_object_get(question, "name"))
        error = json_read_text(question, "name", item->name, sizeof item->name, why);
    if (!error && (is_new || json_object_get(question, "unit_price")))
        error = json_read_int(question, "unit_price", 0, UNIT_PRICE_MAX, &item->unit_price, why);
    if (!error && (is_new || json_object_get(question, "stock")))
        error = json_read_int(question, "stock", 0, STOCK_MAX, stock, why);
    if (!error)
        error = json_read_optional_int(question, "limit_per_user", 0, LIMIT_PER_USER_MAX, &limit, why);
    if (!error)
        error = read_moment(question, "starts_at", &item->starts_ms, why);
    if (!error)
        error = read_moment(question, "ends_at", &item->ends_ms, why);
    if (!error)
        error = read_bool(question, "paused", &item->paused, why);
    item->limit_per_user = (int32_t)limit;
    if (!error && item->starts_ms && item->ends_ms && item->ends_ms <= item->starts_ms) {
        detail_set(why, "ends_at must be later than starts_at");
        error = E_INVALID;
    }
    return error;
}

int put_item(struct stock_store *stock, int shards, const struct json_t *question, int64_t now_ms,
             struct item *out, struct rpc_refusal *refusal)
{
    char sku[NAME_SIZE];
    struct detail why = {.text = ""};
    int error = json_read_known_members(question, members, &why);
    if (!error)
        error = json_read_name(question, "sku", sku, &why);
    if (error)
        return rpc_refuse(refusal, "invalid", "%s", why.text);

    const struct stock_item *old = stock_find(stock, sku);
    const int home = shard_of_new_item(sku, shards);
    if (!old && home != stock_store_shard(stock))
        return rpc_refuse(refusal, "conflict",
                          "with %d shards a new item of this sku belongs to shard %d, not to %d", shards,
                          home, stock_store_shard(stock));
    struct item item = {.limit_per_user = 0};
    if (old) {
        item = old->item;
    } else {
        memcpy(item.sku, sku, sizeof item.sku);
        memcpy(item.name, sku, sizeof sku);
    }
    const int64_t confirmed = item.stock_total - item.stock_left;
    int64_t total = item.stock_total;
    error = read_change(question, !old, &item, &total, &why);
    if (error)
        return rpc_refuse(refusal, "invalid", "%s", why.text);
    if (total < confirmed)
        return rpc_refuse(refusal, "conflict", "stock must be at least %" PRId64 ": so many are confirmed",
                          confirmed);
    item.stock_total = total;
    item.stock_left = total - confirmed;

    error = stock_put_item(stock, &item, now_ms);
    FAULT_POINT("item.committed");
    if (error)
        return error;
    *out = stock_find(stock, sku)->item;
    char quoted[4 * NAME_SIZE];
    log_info(old ? "item_changed" : "item_created",
             "sku=%s unit_price=%" PRId64 " stock_total=%" PRId64 " stock_left=%" PRId64
             " limit_per_user=%d starts_ms=%" PRId64 " ends_ms=%" PRId64 " paused=%d",
             log_quote(sku, quoted, sizeof quoted), out->unit_price, out->stock_total, out->stock_left,
             (int)out->limit_per_user, out->starts_ms, out->ends_ms, out->paused);
    return 0;
}
