/* Orders as CSV (RFC 4180) or NDJSON, one line each. */
#ifndef SECKILL_CTL_ORDER_FORMAT_H
#define SECKILL_CTL_ORDER_FORMAT_H

#include "common/base/buffer.h"
#include "services/ctl/order_pages.h"

/* The heading, with its CRLF. */
void order_csv_heading(struct buffer *out);

/*
 * A line, with its CRLF. Fields are quoted where RFC 4180 wants it. A user or an item whose name begins with
 * one of = + - @ (or a tab or CR, which names cannot have) gets a ' before it: a spreadsheet would take it
 * for a formula, and buyers choose their names. NDJSON has names as they are.
 */
void order_csv_line(struct buffer *out, const struct order_row *row);

/* A line {"order_id",…}, the members of GET /v1/orders/{id} with accepted_at and decided_at; with its "\n".
 */
void order_ndjson_line(struct buffer *out, const struct order_row *row);

#endif
