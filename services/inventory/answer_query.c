#include "services/inventory/answer_query.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/pipeline/json_read.h"
#include "services/inventory/put_item.h"
#include "services/inventory/restock_item.h"

int answer_item_put(void *query, const struct json_t *question, struct buffer *result,
                    struct rpc_refusal *refusal)
{
    struct answer_query *q = query;
    struct put_item put;
    int error = put_item(q->stock, q->shards, question, clock_wall_ms(), &put, refusal);
    if (error)
        return error;
    *q->changed |= put.is_changed;
    item_encode(result, &put.item);
    if (put.is_created) {
        result->len--; /* its "}": one more member */
        buffer_add_text(result, ",\"created\":true}");
    }
    return 0;
}

int answer_item_restock(void *query, const struct json_t *question, struct buffer *result,
                        struct rpc_refusal *refusal)
{
    struct answer_query *q = query;
    struct restock r;
    bool is_new;
    char at[RFC3339_SIZE];
    int error = restock_item(q->stock, question, clock_wall_ms(), &r, &is_new, refusal);
    if (error)
        return error;
    *q->changed |= is_new;
    buffer_add_text(result, "{\"sku\":");
    buffer_add_json(result, slice_of(r.sku));
    buffer_printf(result,
                  ",\"quantity\":%" PRId64 ",\"stock_total\":%" PRId64 ",\"version\":%" PRId64
                  ",\"restocked_at\":\"%s\"}",
                  r.quantity, r.stock_total, r.version, rfc3339_format(r.at_ms, at));
    return 0;
}

int answer_item_show(void *query, const struct json_t *question, struct buffer *result,
                     struct rpc_refusal *refusal)
{
    struct answer_query *q = query;
    char sku[NAME_SIZE];
    struct detail why = {.text = ""};
    if (json_read_name(question, "sku", sku, &why) != 0)
        return rpc_refuse(refusal, "invalid", "%s", why.text);
    const struct stock_item *found = stock_find(q->stock, sku);
    if (!found)
        return rpc_refuse(refusal, "not_found", "there is no item \"%s\"", sku);
    item_encode(result, &found->item);
    return 0;
}

int answer_item_list(void *query, const struct json_t *question, struct buffer *result,
                     struct rpc_refusal *refusal)
{
    (void)question;
    (void)refusal;
    struct answer_query *q = query;
    size_t count;
    const struct stock_item *items = stock_items(q->stock, &count);
    buffer_add_text(result, "{\"items\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_add_text(result, ",");
        item_encode(result, &items[i].item);
    }
    buffer_add_text(result, "]}");
    return 0;
}

static int add_status(struct answer_query *q, const char *id, struct buffer *result)
{
    struct decision decision = {.status = ORDER_UNKNOWN};
    int error = stock_find_order(q->stock, id, &decision);
    if (error == E_NOT_FOUND) {
        memcpy(decision.order_id, id, ORDER_ID_SIZE);
        error = 0;
    }
    if (error)
        return error;
    decision_encode(result, &decision);
    result->len--; /* its newline: here it is a member of an array */
    return 0;
}

static int add_statuses(struct answer_query *q, const json_t *ids, struct buffer *result,
                        struct rpc_refusal *refusal)
{
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *id = json_array_get(ids, i);
        if (!order_id_is_well_formed(json_string_value(id), json_string_length(id)))
            return rpc_refuse(refusal, "invalid", "ids[%zu] is no order id", i);
        if (i > 0)
            buffer_add_text(result, ",");
        int error = add_status(q, json_string_value(id), result);
        if (error)
            return error;
    }
    return 0;
}

int answer_order_status(void *query, const struct json_t *question, struct buffer *result,
                        struct rpc_refusal *refusal)
{
    struct answer_query *q = query;
    const json_t *ids = json_object_get(question, "ids");
    if (!json_is_array(ids) || json_array_size(ids) > STATUS_IDS_MAX)
        return rpc_refuse(refusal, "invalid", "ids must be an array of at most %d order ids", STATUS_IDS_MAX);
    int error = stock_begin_reading(q->stock);
    if (error)
        return error;
    buffer_add_text(result, "{\"orders\":[");
    error = add_statuses(q, ids, result, refusal);
    buffer_add_text(result, "]}");
    stock_end_reading(q->stock);
    return error;
}
