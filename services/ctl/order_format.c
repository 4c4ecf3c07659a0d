/* See order_format.h. */
#include "services/ctl/order_format.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"

void order_csv_heading(struct buffer *out)
{
    buffer_add_text(out,
                    "order_id,status,reason,user_id,sku,quantity,unit_price,total,receipt_no,accepted_at,"
                    "decided_at\r\n");
}

static void add_name(struct buffer *out, const char *name)
{
    const char *guard = name[0] && strchr("=+-@\t\r", name[0]) ? "'" : "";
    if (!strpbrk(name, ",\"\r\n")) {
        buffer_printf(out, "%s%s,", guard, name);
        return;
    }
    buffer_printf(out, "\"%s", guard);
    for (; *name; name++) {
        if (*name == '"')
            buffer_add_text(out, "\"");
        buffer_add(out, name, 1);
    }
    buffer_add_text(out, "\",");
}

void order_csv_line(struct buffer *out, const struct order_row *row)
{
    const struct decision *d = &row->decision;
    char accepted[RFC3339_SIZE], decided[RFC3339_SIZE];
    buffer_printf(out, "%s,%s,%s,", d->order_id, order_status_name(d->status), reject_reason_name(d->reason));
    add_name(out, d->user_id);
    add_name(out, d->sku);
    buffer_printf(out, "%" PRId32 ",", d->quantity);
    if (d->status == ORDER_CONFIRMED)
        buffer_printf(out, "%" PRId64 ",%" PRId64 ",%" PRId64 ",", d->unit_price, d->total, d->receipt_no);
    else
        buffer_add_text(out, ",,,");
    buffer_printf(out, "%s,%s\r\n", rfc3339_format(row->accepted_ms, accepted),
                  rfc3339_format(d->at_ms, decided));
}

void order_ndjson_line(struct buffer *out, const struct order_row *row)
{
    const struct decision *d = &row->decision;
    char accepted[RFC3339_SIZE], decided[RFC3339_SIZE];
    buffer_printf(out, "{\"order_id\":\"%s\",\"status\":\"%s\",\"user_id\":", d->order_id,
                  order_status_name(d->status));
    buffer_add_json(out, slice_of(d->user_id));
    buffer_add_text(out, ",\"sku\":");
    buffer_add_json(out, slice_of(d->sku));
    buffer_printf(out, ",\"quantity\":%" PRId32, d->quantity);
    if (d->status == ORDER_CONFIRMED)
        buffer_printf(out, ",\"unit_price\":%" PRId64 ",\"total\":%" PRId64 ",\"receipt_no\":%" PRId64,
                      d->unit_price, d->total, d->receipt_no);
    else
        buffer_printf(out, ",\"reason\":\"%s\"", reject_reason_name(d->reason));
    buffer_printf(out, ",\"accepted_at\":\"%s\",\"decided_at\":\"%s\"}\n",
                  rfc3339_format(row->accepted_ms, accepted), rfc3339_format(d->at_ms, decided));
}
