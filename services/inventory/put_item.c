#include "services/inventory/put_item.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/pipeline/json_read.h"
#include "common/pipeline/shard.h"

static const char *const members[] = {"v", "sku", "if_match", "if_absent", ITEM_CHANGE_MEMBERS, NULL};

static bool has_version(const json_t *versions, int64_t version)
{
    size_t i;
    const json_t *value;
    json_array_foreach(versions, i,
                       value) if (json_is_integer(value) && json_integer_value(value) == version) return true;
    return false;
}

/* What the change is bound to. */
static int check_precondition(const json_t *question, const char *sku, const struct stock_item *old,
                              struct rpc_refusal *refusal)
{
    const json_t *match = json_object_get(question, "if_match");
    const json_t *absent = json_object_get(question, "if_absent");
    const char *any = json_string_value(match);
    if (match && !json_is_array(match) && !(any && strcmp(any, "*") == 0))
        return rpc_refuse(refusal, "invalid", "if_match must be an array of versions, or \"*\"");
    if (absent && !json_is_boolean(absent))
        return rpc_refuse(refusal, "invalid", "if_absent must be true or false");
    if (json_is_true(absent) && old)
        return rpc_refuse(refusal, "precondition", "the item \"%s\" is there already, with version %" PRId64,
                          sku, old->item.version);
    if (match && !old)
        return rpc_refuse(refusal, "precondition", "there is no item \"%s\" yet", sku);
    if (json_is_array(match) && !has_version(match, old->item.version))
        return rpc_refuse(refusal, "precondition",
                          "the item's version is %" PRId64 ": it was changed in the meantime",
                          old->item.version);
    return 0;
}

static struct item blank_item(const char *sku)
{
    struct item item = {.limit_per_user = 0};
    memcpy(item.sku, sku, strlen(sku) + 1);
    memcpy(item.name, sku, strlen(sku) + 1);
    return item;
}

static void note(bool is_created, const struct item *item)
{
    char quoted[4 * NAME_SIZE];
    log_info(is_created ? "item_created" : "item_changed",
             "sku=%s version=%" PRId64 " unit_price=%" PRId64 " stock_total=%" PRId64 " stock_left=%" PRId64
             " limit_per_user=%d starts_ms=%" PRId64 " ends_ms=%" PRId64 " paused=%d",
             log_quote(item->sku, quoted, sizeof quoted), item->version, item->unit_price, item->stock_total,
             item->stock_left, (int)item->limit_per_user, item->starts_ms, item->ends_ms, item->paused);
}

/* The item as the question wants it. */
static int lay_over(const json_t *question, const struct stock_item *old, const char *sku, struct item *item,
                    struct rpc_refusal *refusal)
{
    struct item_change change;
    struct detail why = {.text = ""};
    *item = old ? old->item : blank_item(sku);
    int error = item_change_decode_json(question, &change, &why);
    if (!error)
        error = item_change_apply(&change, !old, item, &why);
    if (error)
        return rpc_refuse(refusal, "invalid", "%s", why.text);
    if (item->stock_left < 0)
        return rpc_refuse(refusal, "conflict", "stock must be at least %" PRId64 ": so many are confirmed",
                          item->stock_total - item->stock_left);
    return 0;
}

int put_item(struct stock_store *stock, int shards, const struct json_t *question, int64_t now_ms,
             struct put_item *out, struct rpc_refusal *refusal)
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
    struct item item;
    error = check_precondition(question, sku, old, refusal);
    if (!error)
        error = lay_over(question, old, sku, &item, refusal);
    if (error)
        return error;
    *out = (struct put_item){
        .item = item, .is_created = !old, .is_changed = !old || item_terms_differ(&item, &old->item)};
    if (!out->is_changed)
        return 0;
    error = stock_put_item(stock, &item, now_ms);
    FAULT_POINT("item.committed");
    if (error)
        return error;
    out->item = stock_find(stock, sku)->item;
    note(out->is_created, &out->item);
    return 0;
}
