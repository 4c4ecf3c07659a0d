/*
 * The words for buyers, from a file that a shop keeper can edit with any editor:
 *
 *     # a comment
 *     order.confirmed: Order {order_id}: {quantity} × {sku} for ¥{total}.
 *     order.rejected: Order {order_id} could not be filled: {reason}.
 *     redpacket.granted: A red packet of ¥{amount}!
 *     reason.sold_out: sold out
 *
 * A line is a kind of event (all of names.h's), or "reason." and a reason (all of message.h's), then a colon
 * and the text, which is UTF-8 without control characters. {field} stands for what the event says, {{ and }}
 * for a brace. Every kind and every reason must be there once. Blank lines, white space around a text, a byte
 * order mark and Windows' line ends do no harm.
 *
 * The fields: order_id, user_id, sku, quantity, time (when it happened, in the worker's time zone, which is
 * said); unit_price, total and receipt_no of a confirmed order; reason of a rejected one, in this file's
 * words; amount of a red packet. Money is in yuan with two decimals.
 *
 * zh.conf and en.conf in templates/ are built into the program.
 */
#ifndef SECKILL_NOTIFICATION_TEMPLATES_H
#define SECKILL_NOTIFICATION_TEMPLATES_H

#include "common/base/buffer.h"
#include "common/pipeline/event_message.h"
#include "common/pipeline/settings.h"

#define TEMPLATES_FILE_MAX 65536 /* bytes */
#define TEMPLATE_TEXT_MAX  2000  /* bytes of one text in the file */

struct templates;

/* The file notification.templates, or the built-in one of notification.language. E_INVALID, E_NOT_FOUND,
 * E_IO; the detail names the setting or the file and the line, the kind and the field. */
int templates_open(struct templates **out, const struct settings *settings, struct detail *why) MUST_USE;

/* The same from a text; name is what the detail calls it. Nothing of the text is used afterwards. */
int templates_parse(struct templates **out, const char *name, struct slice text, struct detail *why) MUST_USE;

void templates_free(struct templates *t); /* NULL is fine */

/* Appends the message for this event. */
void templates_render(const struct templates *t, const struct event *event, struct buffer *out);

#endif
