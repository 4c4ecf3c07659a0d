/* The fields of the templates: their names, which kinds of event have them, and how each is written. */
#ifndef SECKILL_NOTIFICATION_TEMPLATE_FIELD_H
#define SECKILL_NOTIFICATION_TEMPLATE_FIELD_H

#include <stdbool.h>

#include "common/base/buffer.h"
#include "common/pipeline/event_message.h"

struct template_field {
    const char *name;
    unsigned kinds; /* bits: 1 << enum event_kind */
    void (*write)(struct buffer *out, const struct event *e);
};

/* NULL: there is no such field. The one named "reason" has no write: its words are the file's. */
const struct template_field *template_field_find(struct slice name);

bool template_field_has_kind(const struct template_field *f, enum event_kind kind);

/* The names of a kind's fields, for people: "order_id, user_id". */
void template_field_list(enum event_kind kind, struct buffer *out);

/* fen → yuan: 199800 → "1998.00". */
void template_money(struct buffer *out, int64_t fen);

#endif
