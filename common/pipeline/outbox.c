#include "common/pipeline/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/log.h"
#include "common/store/statement.h"

#define KINDS_MAX 8 /* different (exchange, key) that one service emits */

struct gathered {
    const char *exchange, *routing_key;
    struct buffer lines;
};

struct outbox {
    struct statement *insert;
    struct gathered kinds[KINDS_MAX];
    int kind_count;
};

int outbox_new(struct outbox **out, struct store *store, struct detail *why)
{
    struct outbox *o = xcalloc(1, sizeof *o);
    int error = statement_prepare(&o->insert, store,
                                  "INSERT INTO outbox (exchange, routing_key, message_id, headers, body)"
                                  " VALUES (?1, ?2, ?3, ?4, ?5)",
                                  why);
    if (error) {
        free(o);
        return error;
    }
    *out = o;
    return 0;
}

void outbox_free(struct outbox *o)
{
    if (!o)
        return;
    for (int i = 0; i < o->kind_count; i++)
        buffer_free(&o->kinds[i].lines);
    statement_free(o->insert);
    free(o);
}

static void bind_text_or_null(struct statement *st, int position, const char *text)
{
    if (text)
        statement_bind_text(st, position, slice_of(text));
    else
        statement_bind_null(st, position);
}

int outbox_add_message(struct outbox *o, const struct outbox_message *m)
{
    statement_bind_text(o->insert, 1, slice_of(m->exchange));
    statement_bind_text(o->insert, 2, slice_of(m->routing_key));
    bind_text_or_null(o->insert, 3, m->message_id);
    bind_text_or_null(o->insert, 4, m->headers);
    statement_bind_blob(o->insert, 5, m->body);
    return statement_run(o->insert);
}

static int write_row(struct outbox *o, struct gathered *kind)
{
    if (kind->lines.len == 0)
        return 0;
    struct slice body = {.data = kind->lines.data, .len = kind->lines.len};
    int error = outbox_add_message(
        o,
        &(struct outbox_message){.exchange = kind->exchange, .routing_key = kind->routing_key, .body = body});
    if (!error)
        buffer_clear(&kind->lines);
    return error;
}

static struct gathered *find_kind(struct outbox *o, const char *exchange, const char *routing_key)
{
    for (int i = 0; i < o->kind_count; i++)
        if (strcmp(o->kinds[i].routing_key, routing_key) == 0 && strcmp(o->kinds[i].exchange, exchange) == 0)
            return &o->kinds[i];
    if (o->kind_count == KINDS_MAX)
        log_panic("outbox_kinds", "exchange=%s key=%s", exchange, routing_key);
    struct gathered *kind = &o->kinds[o->kind_count++];
    kind->exchange = exchange;
    kind->routing_key = routing_key;
    return kind;
}

int outbox_add_line(struct outbox *o, const char *exchange, const char *routing_key, struct slice line)
{
    struct gathered *kind = find_kind(o, exchange, routing_key);
    if (kind->lines.len > 0 && kind->lines.len + line.len > OUTBOX_BODY_MAX) {
        int error = write_row(o, kind);
        if (error)
            return error;
    }
    buffer_add(&kind->lines, line.data, line.len);
    return 0;
}

int outbox_flush(struct outbox *o)
{
    int error = 0;
    for (int i = 0; i < o->kind_count && !error; i++)
        error = write_row(o, &o->kinds[i]);
    return error;
}

void outbox_discard(struct outbox *o)
{
    for (int i = 0; i < o->kind_count; i++)
        buffer_clear(&o->kinds[i].lines);
}
