#include "common/pipeline/item_change.h"

#include <string.h>

#include "common/pipeline/json_read.h"

static bool has(const json_t *object, const char *member, bool *out)
{
    *out = json_object_get(object, member) != NULL;
    return *out;
}

static int read_paused(const json_t *object, struct item_change *out, struct detail *why)
{
    const json_t *value = json_object_get(object, "paused");
    if (!json_is_boolean(value)) {
        detail_set(why, "paused must be true or false");
        return E_INVALID;
    }
    out->paused = json_is_true(value);
    return 0;
}

static int check_window(int64_t starts_ms, int64_t ends_ms, struct detail *why)
{
    if (starts_ms == 0 || ends_ms == 0 || ends_ms > starts_ms)
        return 0;
    detail_set(why, "ends_at must be later than starts_at");
    return E_INVALID;
}

int item_change_decode_json(const json_t *object, struct item_change *out, struct detail *why)
{
    int error = 0;
    int64_t limit = 0;
    *out = (struct item_change){0};
    if (has(object, "name", &out->has_name))
        error = json_read_text(object, "name", out->name, sizeof out->name, why);
    if (!error && has(object, "unit_price", &out->has_unit_price))
        error = json_read_int(object, "unit_price", 0, UNIT_PRICE_MAX, &out->unit_price, why);
    if (!error && has(object, "stock", &out->has_stock))
        error = json_read_int(object, "stock", 0, STOCK_MAX, &out->stock, why);
    if (!error && has(object, "limit_per_user", &out->has_limit))
        error = json_read_int(object, "limit_per_user", 0, LIMIT_PER_USER_MAX, &limit, why);
    if (!error && has(object, "starts_at", &out->has_starts))
        error = json_read_moment(object, "starts_at", &out->starts_ms, why);
    if (!error && has(object, "ends_at", &out->has_ends))
        error = json_read_moment(object, "ends_at", &out->ends_ms, why);
    if (!error && has(object, "paused", &out->has_paused))
        error = read_paused(object, out, why);
    out->limit_per_user = (int32_t)limit;
    return error ? error : check_window(out->starts_ms, out->ends_ms, why);
}

static int missing(const char *member, struct detail *why)
{
    detail_set(why, "%s is missing: a new item needs it", member);
    return E_INVALID;
}

int item_change_apply(const struct item_change *c, bool is_new, struct item *item, struct detail *why)
{
    if (is_new && !c->has_unit_price)
        return missing("unit_price", why);
    if (is_new && !c->has_stock)
        return missing("stock", why);
    if (c->has_name)
        memcpy(item->name, c->name, sizeof item->name);
    if (c->has_unit_price)
        item->unit_price = c->unit_price;
    if (c->has_stock) {
        item->stock_left += c->stock - item->stock_total;
        item->stock_total = c->stock;
    }
    if (c->has_limit)
        item->limit_per_user = c->limit_per_user;
    if (c->has_starts)
        item->starts_ms = c->starts_ms;
    if (c->has_ends)
        item->ends_ms = c->ends_ms;
    if (c->has_paused)
        item->paused = c->paused;
    return check_window(item->starts_ms, item->ends_ms, why);
}

bool item_terms_differ(const struct item *a, const struct item *b)
{
    return strcmp(a->name, b->name) != 0 || a->unit_price != b->unit_price ||
           a->stock_total != b->stock_total || a->limit_per_user != b->limit_per_user ||
           a->starts_ms != b->starts_ms || a->ends_ms != b->ends_ms || a->paused != b->paused;
}

bool idempotency_key_is_valid(const char *key)
{
    size_t len = 0;
    for (; key[len]; len++)
        if (key[len] < 0x21 || key[len] > 0x7e || len == IDEMPOTENCY_KEY_MAX)
            return false;
    return len > 0;
}
