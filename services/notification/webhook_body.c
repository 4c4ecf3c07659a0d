/* The body of a request to the gateway. */
#include "services/notification/webhook_body.h"

static void add_int(struct buffer *out, const char *member, int64_t value)
{
    buffer_add_text(out, member);
    buffer_add_int(out, value);
}

static void add_what_all_have(struct buffer *out, const struct event *e, int32_t quantity, int64_t at_ms)
{
    buffer_add_text(out, ",\"sku\":");
    buffer_add_json(out, slice_of(event_sku(e)));
    add_int(out, ",\"quantity\":", quantity);
    add_int(out, ",\"at_ms\":", at_ms);
}

void webhook_body_encode(struct buffer *out, const struct event *e, struct slice text)
{
    buffer_add_text(out, "{\"v\":1,\"order_id\":\"");
    buffer_add_text(out, event_order_id(e));
    buffer_add_text(out, "\",\"kind\":\"");
    buffer_add_text(out, event_kind_name(e->kind));
    buffer_add_text(out, "\",\"user_id\":");
    buffer_add_json(out, slice_of(event_user_id(e)));
    buffer_add_text(out, ",\"text\":");
    buffer_add_json(out, text);
    switch (e->kind) {
    case EVENT_KIND_CONFIRMED:
        add_what_all_have(out, e, e->decision.quantity, e->decision.at_ms);
        add_int(out, ",\"unit_price\":", e->decision.unit_price);
        add_int(out, ",\"total\":", e->decision.total);
        add_int(out, ",\"receipt_no\":", e->decision.receipt_no);
        break;
    case EVENT_KIND_REJECTED:
        add_what_all_have(out, e, e->decision.quantity, e->decision.at_ms);
        buffer_add_text(out, ",\"reason\":\"");
        buffer_add_text(out, reject_reason_name(e->decision.reason));
        buffer_add_text(out, "\"");
        break;
    case EVENT_KIND_GRANTED:
        add_what_all_have(out, e, e->grant.quantity, e->grant.at_ms);
        add_int(out, ",\"amount\":", e->grant.amount);
        break;
    }
    buffer_add_text(out, "}");
}
