/* Events of all kinds as lines of JSON. See event_message.h; the two ways of reading are message.c's. */
#include "common/pipeline/event_message.h"

#include <jansson.h>

#include "common/pipeline/json_read.h"
#include "common/pipeline/line_cursor.h"
#include "common/pipeline/names.h"

static const char *const kind_names[] = {
    [EVENT_KIND_CONFIRMED] = EVENT_ORDER_CONFIRMED,
    [EVENT_KIND_REJECTED] = EVENT_ORDER_REJECTED,
    [EVENT_KIND_GRANTED] = EVENT_REDPACKET_GRANTED,
};
enum { KIND_END = sizeof(kind_names) / sizeof(kind_names[0]) };

const char *event_kind_name(enum event_kind kind)
{
    return (int)kind >= EVENT_KIND_CONFIRMED && (int)kind < KIND_END ? kind_names[kind] : "";
}

void grant_encode(struct buffer *out, const struct grant *grant)
{
    buffer_add_text(out, "{\"v\":1,\"event\":\"" EVENT_REDPACKET_GRANTED "\",\"order_id\":\"");
    buffer_add(out, grant->order_id, ORDER_ID_CHARS);
    buffer_add_text(out, "\",\"user_id\":");
    buffer_add_json(out, slice_of(grant->user_id));
    buffer_add_text(out, ",\"sku\":");
    buffer_add_json(out, slice_of(grant->sku));
    buffer_add_text(out, ",\"quantity\":");
    buffer_add_int(out, grant->quantity);
    buffer_add_text(out, ",\"at_ms\":");
    buffer_add_int(out, grant->at_ms);
    buffer_add_text(out, ",\"amount\":");
    buffer_add_int(out, grant->amount);
    buffer_add_text(out, "}\n");
}

static bool grant_decode_own_form(struct slice line, struct grant *out)
{
    struct cursor c = {.at = line.data, .end = line.data + line.len};
    int64_t quantity;
    if (!take(&c, "{\"v\":1,\"event\":\"" EVENT_REDPACKET_GRANTED "\",\"order_id\":\"") ||
        !take_order_id(&c, out->order_id) || !take(&c, ",\"user_id\":\"") || !take_name(&c, out->user_id) ||
        !take(&c, ",\"sku\":\"") || !take_name(&c, out->sku) || !take(&c, ",\"quantity\":") ||
        !take_number(&c, 1, QUANTITY_MAX, &quantity) || !take(&c, ",\"at_ms\":") ||
        !take_number(&c, 0, MOMENT_MAX_MS, &out->at_ms) || !take(&c, ",\"amount\":") ||
        !take_number(&c, 1, INT64_MAX, &out->amount) || !take(&c, "}") || !at_end(&c))
        return false;
    out->quantity = (int32_t)quantity;
    return true;
}

static int grant_decode_json(const json_t *object, struct grant *out, struct detail *why)
{
    int rc;
    int64_t quantity;
    *out = (struct grant){.amount = 0};
    if ((rc = json_read_order_id(object, "order_id", out->order_id, why)) ||
        (rc = json_read_name(object, "user_id", out->user_id, why)) ||
        (rc = json_read_name(object, "sku", out->sku, why)) ||
        (rc = json_read_int(object, "quantity", 1, QUANTITY_MAX, &quantity, why)) ||
        (rc = json_read_int(object, "at_ms", 0, MOMENT_MAX_MS, &out->at_ms, why)) ||
        (rc = json_read_int(object, "amount", 1, INT64_MAX, &out->amount, why)))
        return rc;
    out->quantity = (int32_t)quantity;
    return 0;
}

static int decision_of_event(const json_t *object, struct decision *out, struct detail *why)
{
    int rc = decision_decode_json(object, out, why);
    if (rc == 0 && out->status == ORDER_UNKNOWN) { /* an answer about an order, which is no event */
        detail_set(why, "status \"unknown\" is not an event's");
        rc = E_INVALID;
    }
    return rc;
}

static int read_any_form(const json_t *object, struct event *out, struct detail *why)
{
    int rc;
    char name[64];
    if ((rc = json_read_version(object, MESSAGE_VERSION, why)) ||
        (rc = json_read_text(object, "event", name, sizeof(name), why)))
        return rc;
    int kind = EVENT_KIND_CONFIRMED;
    while (kind < KIND_END && strcmp(kind_names[kind], name) != 0)
        kind++;
    if (kind == KIND_END) {
        detail_set(why, "event is of a kind that this version does not know: \"%s\"", name);
        return E_NOT_FOUND;
    }
    out->kind = (enum event_kind)kind;
    return kind == EVENT_KIND_GRANTED ? grant_decode_json(object, &out->grant, why)
                                      : decision_of_event(object, &out->decision, why);
}

/* The decisions' fast way is decision_decode's. What it refuses is looked at once more, for the words. */
static bool decode_decision(struct slice line, struct event *out)
{
    struct cursor c = {.at = line.data, .end = line.data + line.len};
    if (!take(&c, "{\"v\":1,\"event\":\"order.") || decision_decode(line, &out->decision, NULL) != 0 ||
        out->decision.status == ORDER_UNKNOWN)
        return false;
    out->kind = out->decision.status == ORDER_CONFIRMED ? EVENT_KIND_CONFIRMED : EVENT_KIND_REJECTED;
    return true;
}

int event_decode(struct slice line, struct event *out, struct detail *why)
{
    if (decode_decision(line, out))
        return 0;
    if (grant_decode_own_form(line, &out->grant)) {
        out->kind = EVENT_KIND_GRANTED;
        return 0;
    }
    json_t *object;
    int rc = json_read_object(line, &object, why);
    if (rc)
        return rc;
    rc = read_any_form(object, out, why);
    json_decref(object);
    return rc;
}

const char *event_order_id(const struct event *e)
{
    return e->kind == EVENT_KIND_GRANTED ? e->grant.order_id : e->decision.order_id;
}

const char *event_user_id(const struct event *e)
{
    return e->kind == EVENT_KIND_GRANTED ? e->grant.user_id : e->decision.user_id;
}

const char *event_sku(const struct event *e)
{
    return e->kind == EVENT_KIND_GRANTED ? e->grant.sku : e->decision.sku;
}

int64_t event_at_ms(const struct event *e)
{
    return e->kind == EVENT_KIND_GRANTED ? e->grant.at_ms : e->decision.at_ms;
}
