/* Orders and decisions as lines of JSON. See message.h. */
#include "common/pipeline/message.h"

#include <jansson.h>
#include <stdint.h>

#include "common/pipeline/json_read.h"
#include "common/pipeline/line_cursor.h"
#include "common/pipeline/names.h"

/*
 * Reading has two ways that give the same result. Our own programs write every line in one form: members in
 * one order, no white space, nothing escaped unless it must be. The fast way takes exactly that form, without
 * a tree; whatever it does not take at once, good or bad, goes to jansson, which also finds the words for
 * what is wrong. The tests hold both against each other.
 */

/* Length of the UTF-8 sequence that begins at s (Unicode 15, table 3-7), or 0 if it is none. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
    unsigned char low = 0x80,
                  high = 0xbf; /* bounds of the second byte: no overlong form, surrogate, beyond U+10FFFF */
    size_t len;
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        len = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        len = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (len > left)
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

bool text_is_printable(struct slice text)
{
    const unsigned char *s = (const unsigned char *)text.data;
    for (size_t i = 0, len; i < text.len; i += len) {
        len = utf8_length(s + i, text.len - i);
        if (len == 0 || s[i] < 0x20 || s[i] == 0x7f)
            return false;
        if (len == 2 && s[i] == 0xc2 && s[i + 1] < 0xa0) /* U+0080–U+009F */
            return false;
    }
    return true;
}

bool name_is_valid(struct slice name)
{
    return name.len >= 1 && name.len <= NAME_MAX_BYTES && text_is_printable(name);
}

bool line_next(struct slice *rest, struct slice *line)
{
    while (rest->len > 0) {
        const char *end = memchr(rest->data, '\n', rest->len);
        size_t len = end ? (size_t)(end - rest->data) : rest->len;
        size_t taken = end ? len + 1 : len;
        *line = (struct slice){.data = rest->data, .len = len};
        rest->data += taken;
        rest->len -= taken;
        if (line->len > 0 && line->data[line->len - 1] == '\r')
            line->len--;
        if (line->len > 0)
            return true;
    }
    return false;
}

static const char *const status_names[] = {
    [ORDER_UNKNOWN] = "unknown",
    [ORDER_ACCEPTED] = "accepted",
    [ORDER_CONFIRMED] = "confirmed",
    [ORDER_REJECTED] = "rejected",
};

static const char *const reason_names[] = {
    [REASON_NONE] = "",
    [REASON_SOLD_OUT] = "sold_out",
    [REASON_LIMIT_EXCEEDED] = "limit_exceeded",
    [REASON_UNKNOWN_ITEM] = "unknown_item",
    [REASON_SALE_NOT_STARTED] = "sale_not_started",
    [REASON_SALE_ENDED] = "sale_ended",
    [REASON_SALE_PAUSED] = "sale_paused",
};
enum { REASON_COUNT = sizeof(reason_names) / sizeof(reason_names[0]) };

const char *order_status_name(enum order_status s)
{
    return status_names[s];
}

const char *reject_reason_name(enum reject_reason r)
{
    return (int)r >= 0 && (int)r < REASON_COUNT ? reason_names[r] : "";
}

/* REASON_NONE where there is no such reason. */
static enum reject_reason reason_named(struct slice name)
{
    for (int r = REASON_NONE + 1; r < REASON_COUNT; r++)
        if (slice_is(name, reason_names[r]))
            return (enum reject_reason)r;
    return REASON_NONE;
}

void order_encode(struct buffer *out, const struct order *order)
{
    buffer_add_text(out, "{\"v\":1,\"order_id\":\"");
    buffer_add(out, order->order_id, ORDER_ID_CHARS);
    buffer_add_text(out, "\",\"user_id\":");
    buffer_add_json(out, slice_of(order->user_id));
    buffer_add_text(out, ",\"sku\":");
    buffer_add_json(out, slice_of(order->sku));
    buffer_add_text(out, ",\"quantity\":");
    buffer_add_int(out, order->quantity);
    buffer_add_text(out, ",\"accepted_ms\":");
    buffer_add_int(out, order->accepted_ms);
    buffer_add_text(out, "}\n");
}

static bool order_decode_own_form(struct slice line, struct order *out)
{
    struct cursor c = {.at = line.data, .end = line.data + line.len};
    int64_t quantity;
    if (!take(&c, "{\"v\":1,\"order_id\":\"") || !take_order_id(&c, out->order_id) ||
        !take(&c, ",\"user_id\":\"") || !take_name(&c, out->user_id) || !take(&c, ",\"sku\":\"") ||
        !take_name(&c, out->sku) || !take(&c, ",\"quantity\":") ||
        !take_number(&c, 1, QUANTITY_MAX, &quantity) || !take(&c, ",\"accepted_ms\":") ||
        !take_number(&c, 0, MOMENT_MAX_MS, &out->accepted_ms) || !take(&c, "}") || !at_end(&c))
        return false;
    out->quantity = (int32_t)quantity;
    out->reply_to[0] = '\0';
    return true;
}

int order_decode(struct slice line, int64_t now_ms, struct order *out, struct detail *why)
{
    if (order_decode_own_form(line, out))
        return 0;

    json_t *object;
    int rc = json_read_object(line, &object, why);
    if (rc)
        return rc;
    int64_t quantity = 1;
    out->accepted_ms = now_ms;
    out->reply_to[0] = '\0';
    if ((rc = json_read_version(object, MESSAGE_VERSION, why)) ||
        (rc = json_read_order_id(object, "order_id", out->order_id, why)) ||
        (rc = json_read_name(object, "user_id", out->user_id, why)) ||
        (rc = json_read_name(object, "sku", out->sku, why)) ||
        (rc = json_read_optional_int(object, "quantity", 1, QUANTITY_MAX, &quantity, why)) ||
        (rc = json_read_optional_int(object, "accepted_ms", 0, MOMENT_MAX_MS, &out->accepted_ms, why)))
        goto done;
    if (json_object_get(object, "reply_to"))
        rc = json_read_text(object, "reply_to", out->reply_to, sizeof(out->reply_to), why);
    out->quantity = (int32_t)quantity;
done:
    json_decref(object);
    return rc;
}

void decision_encode(struct buffer *out, const struct decision *decision)
{
    if (decision->status == ORDER_UNKNOWN) {
        buffer_add_text(out, "{\"v\":1,\"order_id\":\"");
        buffer_add(out, decision->order_id, ORDER_ID_CHARS);
        buffer_add_text(out, "\",\"status\":\"unknown\"}\n");
        return;
    }
    bool confirmed = decision->status == ORDER_CONFIRMED;
    buffer_add_text(out, confirmed ? "{\"v\":1,\"event\":\"" EVENT_ORDER_CONFIRMED "\",\"order_id\":\""
                                   : "{\"v\":1,\"event\":\"" EVENT_ORDER_REJECTED "\",\"order_id\":\"");
    buffer_add(out, decision->order_id, ORDER_ID_CHARS);
    buffer_add_text(out, "\",\"user_id\":");
    buffer_add_json(out, slice_of(decision->user_id));
    buffer_add_text(out, ",\"sku\":");
    buffer_add_json(out, slice_of(decision->sku));
    buffer_add_text(out, ",\"quantity\":");
    buffer_add_int(out, decision->quantity);
    buffer_add_text(out, ",\"at_ms\":");
    buffer_add_int(out, decision->at_ms);
    if (confirmed) {
        buffer_add_text(out, ",\"unit_price\":");
        buffer_add_int(out, decision->unit_price);
        buffer_add_text(out, ",\"total\":");
        buffer_add_int(out, decision->total);
        buffer_add_text(out, ",\"receipt_no\":");
        buffer_add_int(out, decision->receipt_no);
        buffer_add_text(out, "}\n");
    } else {
        buffer_add_text(out, ",\"reason\":\"");
        buffer_add_text(out, reject_reason_name(decision->reason));
        buffer_add_text(out, "\"}\n");
    }
}

static bool decision_decode_own_form(struct slice line, struct decision *out)
{
    struct cursor c = {.at = line.data, .end = line.data + line.len};
    int64_t quantity;
    *out = (struct decision){.status = ORDER_UNKNOWN};
    if (take(&c, "{\"v\":1,\"event\":\"" EVENT_ORDER_CONFIRMED "\",\"order_id\":\""))
        out->status = ORDER_CONFIRMED;
    else if (take(&c, "{\"v\":1,\"event\":\"" EVENT_ORDER_REJECTED "\",\"order_id\":\""))
        out->status = ORDER_REJECTED;
    else
        return false;
    if (!take_order_id(&c, out->order_id) || !take(&c, ",\"user_id\":\"") || !take_name(&c, out->user_id) ||
        !take(&c, ",\"sku\":\"") || !take_name(&c, out->sku) || !take(&c, ",\"quantity\":") ||
        !take_number(&c, 1, QUANTITY_MAX, &quantity) || !take(&c, ",\"at_ms\":") ||
        !take_number(&c, 0, MOMENT_MAX_MS, &out->at_ms))
        return false;
    out->quantity = (int32_t)quantity;
    if (out->status == ORDER_CONFIRMED)
        return take(&c, ",\"unit_price\":") && take_number(&c, 0, INT64_MAX, &out->unit_price) &&
               take(&c, ",\"total\":") && take_number(&c, 0, INT64_MAX, &out->total) &&
               take(&c, ",\"receipt_no\":") && take_number(&c, 1, INT64_MAX, &out->receipt_no) &&
               take(&c, "}") && at_end(&c);
    struct slice reason;
    if (!take(&c, ",\"reason\":\"") || !take_string(&c, &reason) || !take(&c, "}") || !at_end(&c))
        return false;
    out->reason = reason_named(reason);
    return out->reason != REASON_NONE;
}

/* What only a confirmed, or only a rejected, order has. */
static int read_verdict(const json_t *object, struct decision *out, struct detail *why)
{
    int rc;
    if (out->status == ORDER_CONFIRMED) {
        if ((rc = json_read_int(object, "unit_price", 0, INT64_MAX, &out->unit_price, why)) ||
            (rc = json_read_int(object, "total", 0, INT64_MAX, &out->total, why)) ||
            (rc = json_read_int(object, "receipt_no", 1, INT64_MAX, &out->receipt_no, why)))
            return rc;
        return 0;
    }
    char reason[32];
    if ((rc = json_read_text(object, "reason", reason, sizeof(reason), why)))
        return rc;
    out->reason = reason_named(slice_of(reason));
    if (out->reason == REASON_NONE) {
        detail_set(why, "reason is none that this version knows: \"%s\"", reason);
        return E_INVALID;
    }
    return 0;
}

int decision_decode_json(const json_t *object, struct decision *out, struct detail *why)
{
    int rc;
    int64_t quantity;
    *out = (struct decision){.status = ORDER_UNKNOWN};
    if ((rc = json_read_version(object, MESSAGE_VERSION, why)) ||
        (rc = json_read_order_id(object, "order_id", out->order_id, why)))
        return rc;

    const char *status = json_string_value(json_object_get(object, "status"));
    if (status && strcmp(status, status_names[ORDER_UNKNOWN]) == 0)
        return 0;

    char event[64];
    if ((rc = json_read_text(object, "event", event, sizeof(event), why)))
        return rc;
    if (strcmp(event, EVENT_ORDER_CONFIRMED) == 0) {
        out->status = ORDER_CONFIRMED;
    } else if (strcmp(event, EVENT_ORDER_REJECTED) == 0) {
        out->status = ORDER_REJECTED;
    } else {
        detail_set(why, "event is not a decision: \"%s\"", event);
        return E_INVALID;
    }
    if ((rc = json_read_name(object, "user_id", out->user_id, why)) ||
        (rc = json_read_name(object, "sku", out->sku, why)) ||
        (rc = json_read_int(object, "quantity", 1, QUANTITY_MAX, &quantity, why)) ||
        (rc = json_read_int(object, "at_ms", 0, MOMENT_MAX_MS, &out->at_ms, why)))
        return rc;
    out->quantity = (int32_t)quantity;
    return read_verdict(object, out, why);
}

int decision_decode(struct slice line, struct decision *out, struct detail *why)
{
    if (decision_decode_own_form(line, out))
        return 0;

    json_t *object;
    int rc = json_read_object(line, &object, why);
    if (rc)
        return rc;
    rc = decision_decode_json(object, out, why);
    json_decref(object);
    return rc;
}
