/* Items and the snapshots that carry them: see message.h. */
#include <jansson.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/pipeline/json_read.h"
#include "common/pipeline/message.h"
#include "common/pipeline/names.h"

/* "member":"2026-…" or "member":null for 0. */
static void add_moment(struct buffer *out, const char *member, int64_t wall_ms)
{
    char text[RFC3339_SIZE];
    buffer_add_text(out, member);
    if (wall_ms == 0) {
        buffer_add_text(out, "null");
        return;
    }
    buffer_add_text(out, "\"");
    buffer_add_text(out, rfc3339_format(wall_ms, text));
    buffer_add_text(out, "\"");
}

static void add_number(struct buffer *out, const char *member, int64_t value)
{
    buffer_add_text(out, member);
    buffer_add_int(out, value);
}

void item_encode(struct buffer *out, const struct item *item)
{
    buffer_add_text(out, "{\"sku\":");
    buffer_add_json(out, slice_of(item->sku));
    buffer_add_text(out, ",\"name\":");
    buffer_add_json(out, slice_of(item->name));
    add_number(out, ",\"unit_price\":", item->unit_price);
    add_number(out, ",\"stock_total\":", item->stock_total);
    add_number(out, ",\"stock_left\":", item->stock_left);
    add_number(out, ",\"limit_per_user\":", item->limit_per_user);
    add_moment(out, ",\"starts_at\":", item->starts_ms);
    add_moment(out, ",\"ends_at\":", item->ends_ms);
    buffer_add_text(out, item->paused ? ",\"paused\":true" : ",\"paused\":false");
    add_number(out, ",\"shard\":", item->shard);
    add_number(out, ",\"version\":", item->version);
    buffer_add_text(out, "}");
}

int item_decode_json(const json_t *object, struct item *out, struct detail *why)
{
    int rc;
    int64_t limit, shard;
    *out = (struct item){0};
    if ((rc = json_read_name(object, "sku", out->sku, why)) ||
        (rc = json_read_text(object, "name", out->name, sizeof(out->name), why)) ||
        (rc = json_read_int(object, "unit_price", 0, INT64_MAX, &out->unit_price, why)) ||
        (rc = json_read_int(object, "stock_total", 0, INT64_MAX, &out->stock_total, why)) ||
        (rc = json_read_int(object, "stock_left", 0, INT64_MAX, &out->stock_left, why)) ||
        (rc = json_read_int(object, "limit_per_user", 0, INT32_MAX, &limit, why)) ||
        (rc = json_read_moment(object, "starts_at", &out->starts_ms, why)) ||
        (rc = json_read_moment(object, "ends_at", &out->ends_ms, why)) ||
        (rc = json_read_int(object, "shard", 0, MAX_SHARDS - 1, &shard, why)) ||
        (rc = json_read_optional_int(object, "version", 0, INT64_MAX, &out->version, why)))
        return rc;
    const json_t *paused = json_object_get(object, "paused");
    if (!json_is_boolean(paused)) {
        detail_set(why, "paused must be true or false");
        return E_INVALID;
    }
    out->limit_per_user = (int32_t)limit;
    out->paused = json_is_true(paused);
    out->shard = (uint8_t)shard;
    return 0;
}

void snapshot_encode(struct buffer *out, const struct snapshot *snapshot)
{
    buffer_add_text(out, "{\"v\":1");
    add_number(out, ",\"shard\":", snapshot->shard);
    add_number(out, ",\"epoch\":", snapshot->epoch);
    add_number(out, ",\"seq\":", snapshot->seq);
    add_number(out, ",\"at_ms\":", snapshot->at_ms);
    buffer_add_text(out, ",\"items\":[");
    for (size_t i = 0; i < snapshot->count; i++) {
        if (i > 0)
            buffer_add_text(out, ",");
        item_encode(out, &snapshot->items[i]);
    }
    buffer_add_text(out, "]}\n");
}

static int read_items(const json_t *array, struct snapshot *out, struct detail *why)
{
    if (!json_is_array(array)) {
        detail_set(why, "items must be an array");
        return E_INVALID;
    }
    out->items =
        xcalloc(json_array_size(array) + 1, sizeof(out->items[0])); /* + 1: never a request for 0 bytes */
    size_t i;
    const json_t *value;
    json_array_foreach(array, i, value)
    {
        struct detail inner;
        int rc = item_decode_json(value, &out->items[i], &inner);
        if (rc) {
            detail_set(why, "items[%zu]: %s", i, inner.text);
            return rc;
        }
        if (out->items[i].shard != out->shard) {
            detail_set(why, "items[%zu]: shard is not the snapshot's", i);
            return E_INVALID;
        }
        out->count = i + 1;
    }
    return 0;
}

int snapshot_decode(struct slice body, struct snapshot *out, struct detail *why)
{
    json_t *object;
    int rc = json_read_object(body, &object, why);
    if (rc)
        return rc;

    int64_t shard;
    struct snapshot s = {0};
    if ((rc = json_read_version(object, MESSAGE_VERSION, why)) ||
        (rc = json_read_int(object, "shard", 0, MAX_SHARDS - 1, &shard, why)) ||
        (rc = json_read_int(object, "epoch", 0, INT64_MAX, &s.epoch, why)) ||
        (rc = json_read_int(object, "seq", 0, INT64_MAX, &s.seq, why)) ||
        (rc = json_read_int(object, "at_ms", 0, MOMENT_MAX_MS, &s.at_ms, why)))
        goto done;
    s.shard = (uint8_t)shard;
    rc = read_items(json_object_get(object, "items"), &s, why);
done:
    json_decref(object);
    if (rc == 0)
        *out = s;
    else
        snapshot_free(&s);
    return rc;
}

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    free(s->items);
    s->items = NULL;
    s->count = 0;
}
