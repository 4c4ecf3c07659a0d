/* The catalogue as /v1/items tells it. */
#include "loadtest/replay/items.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/alloc.h"

static int take_item(const json_t *o, struct item_told *out)
{
    const char *sku = json_string_value(json_object_get(o, "sku"));
    const json_t *total = json_object_get(o, "stock_total"), *left = json_object_get(o, "stock_left");
    if (!sku || strlen(sku) >= sizeof out->sku || !json_is_integer(total) || !json_is_integer(left))
        return E_CORRUPT;
    snprintf(out->sku, sizeof out->sku, "%s", sku);
    out->stock_total = json_integer_value(total);
    out->stock_left = json_integer_value(left);
    out->limit_per_user = json_integer_value(json_object_get(o, "limit_per_user"));
    out->shard = json_integer_value(json_object_get(o, "shard"));
    return 0;
}

int items_get(struct items *items, struct getter *getter, struct detail *why)
{
    struct slice body;
    int rc = getter_get(getter, "/v1/items", &body);
    *items = (struct items){0};
    if (rc != 200) {
        if (rc < 0)
            detail_set(why, "/v1/items: %s", error_text(rc));
        else
            detail_set(why, "/v1/items: answered %d", rc);
        return E_REFUSED;
    }
    json_t *answer = json_loadb(body.data, body.len, 0, NULL);
    const json_t *list = json_object_get(answer, "items");
    rc = json_is_array(list) ? 0 : E_CORRUPT;
    items->list = xcalloc(json_array_size(list) + 1, sizeof *items->list);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
        rc = take_item(json_array_get(list, i), &items->list[items->count++]);
    json_decref(answer);
    if (rc) {
        items_free(items);
        detail_set(why, "/v1/items: not what the contract says");
    }
    return rc;
}

void items_free(struct items *items)
{
    free(items->list);
    *items = (struct items){0};
}

const struct item_told *items_find(const struct items *items, struct slice sku)
{
    for (size_t i = 0; i < items->count; i++)
        if (slice_is(sku, items->list[i].sku))
            return &items->list[i];
    return NULL;
}
