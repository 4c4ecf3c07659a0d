#include "services/notification/template_field.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define CONFIRMED (1u << EVENT_KIND_CONFIRMED)
#define REJECTED  (1u << EVENT_KIND_REJECTED)
#define GRANTED   (1u << EVENT_KIND_GRANTED)
#define ALL       (CONFIRMED | REJECTED | GRANTED)

static void write_order_id(struct buffer *out, const struct event *e)
{
    buffer_add_text(out, event_order_id(e));
}

static void write_user_id(struct buffer *out, const struct event *e)
{
    buffer_add_text(out, event_user_id(e));
}

static void write_sku(struct buffer *out, const struct event *e)
{
    buffer_add_text(out, event_sku(e));
}

static void write_quantity(struct buffer *out, const struct event *e)
{
    buffer_add_int(out, e->kind == EVENT_KIND_GRANTED ? e->grant.quantity : e->decision.quantity);
}

/* With the zone, because a buyer's may be another one than the machine's. */
static void write_time(struct buffer *out, const struct event *e)
{
    int64_t at_ms = e->kind == EVENT_KIND_GRANTED ? e->grant.at_ms : e->decision.at_ms;
    time_t seconds = (time_t)(at_ms / 1000);
    struct tm local;
    char text[64];
    if (!localtime_r(&seconds, &local))
        return;
    long minutes = (local.tm_gmtoff < 0 ? -local.tm_gmtoff : local.tm_gmtoff) / 60;
    buffer_add(out, text, strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S ", &local));
    buffer_printf(out, "%c%02ld:%02ld", local.tm_gmtoff < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

void template_money(struct buffer *out, int64_t fen)
{
    char cents[4] = {'.', (char)('0' + fen % 100 / 10), (char)('0' + fen % 10)};
    buffer_add_int(out, fen / 100);
    buffer_add(out, cents, 3);
}

static void write_unit_price(struct buffer *out, const struct event *e)
{
    template_money(out, e->decision.unit_price);
}

static void write_total(struct buffer *out, const struct event *e)
{
    template_money(out, e->decision.total);
}

static void write_receipt_no(struct buffer *out, const struct event *e)
{
    buffer_add_int(out, e->decision.receipt_no);
}

static void write_amount(struct buffer *out, const struct event *e)
{
    template_money(out, e->grant.amount);
}

static const struct template_field fields[] = {
    {"order_id", ALL, write_order_id}, {"user_id", ALL, write_user_id},
    {"sku", ALL, write_sku},           {"quantity", ALL, write_quantity},
    {"time", ALL, write_time},         {"unit_price", CONFIRMED, write_unit_price},
    {"total", CONFIRMED, write_total}, {"receipt_no", CONFIRMED, write_receipt_no},
    {"reason", REJECTED, NULL},        {"amount", GRANTED, write_amount},
};

const struct template_field *template_field_find(struct slice name)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (slice_is(name, fields[i].name))
            return &fields[i];
    return NULL;
}

bool template_field_has_kind(const struct template_field *f, enum event_kind kind)
{
    return f->kinds & (1u << kind);
}

void template_field_list(enum event_kind kind, struct buffer *out)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (!template_field_has_kind(&fields[i], kind))
            continue;
        if (out->len > 0)
            buffer_add_text(out, ", ");
        buffer_add_text(out, fields[i].name);
    }
}
