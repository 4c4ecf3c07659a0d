/*
 * The service's own log: a line "message_to_buyer" for each, at the level info. For trying things out, and
 * where something else reads the log. Nobody hears of a log that cannot be written.
 */
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "services/notification/sink.h"

#define QUOTED_SIZE 3072

struct sink_log {
    struct sink base;
    struct buffer lines; /* of the open transaction: what goes into the log, each with a NUL behind it */
};

static struct sink_log *sink_log(struct sink *s)
{
    return (struct sink_log *)s; /* base is its first member */
}

static void log_compose(const struct sink_message *m, struct buffer *out)
{
    char user[512], text[QUOTED_SIZE];
    struct buffer plain = {0};
    buffer_add(&plain, m->text.data, m->text.len);
    buffer_printf(out, "order=%s kind=%s user=%s text=%s", event_order_id(m->event),
                  event_kind_name(m->event->kind), log_quote(event_user_id(m->event), user, sizeof user),
                  log_quote(buffer_text(&plain), text, sizeof text));
    buffer_add(out, "", 1);
    buffer_free(&plain);
}

static void log_write(struct sink *s, struct slice composed)
{
    buffer_add(&sink_log(s)->lines, composed.data, composed.len);
}

static int log_flush(struct sink *s)
{
    struct sink_log *l = sink_log(s);
    for (size_t at = 0; at < l->lines.len; at += strlen(l->lines.data + at) + 1)
        log_info("message_to_buyer", "%s", l->lines.data + at);
    buffer_clear(&l->lines);
    return 0;
}

static void log_discard(struct sink *s)
{
    buffer_clear(&sink_log(s)->lines);
}

static void log_free(struct sink *s)
{
    buffer_free(&sink_log(s)->lines);
    free(s);
}

static const struct sink_ops log_ops = {
    .free = log_free,
    .compose = log_compose,
    .write = log_write,
    .flush = log_flush,
    .discard = log_discard,
};

struct sink *sink_log_new(void)
{
    struct sink_log *l = xcalloc(1, sizeof *l);
    l->base = (struct sink){.name = "log", .ops = &log_ops};
    return &l->base;
}
