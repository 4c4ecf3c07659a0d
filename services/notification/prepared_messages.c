#include "services/notification/prepared_messages.h"

#include <string.h>

#include "common/base/alloc.h"
#include "common/pipeline/message.h"
#include "services/notification/retry_line.h"

struct prepared_messages { /* the texts follow the last of them */
    size_t count;
    struct prepared_message list[];
};

void message_preparer_free(struct message_preparer *p)
{
    buffer_free(&p->messages);
    buffer_free(&p->text);
    buffer_free(&p->composed);
}

static void prepare(struct message_preparer *p, struct slice line, const struct templates *templates,
                    const struct sink *sink, struct prepared_message *m)
{
    struct event event;
    struct detail why;
    if (retry_line_attempts(line) > 0 || event_decode(line, &event, &why) != 0)
        return;
    memcpy(m->order_id, event_order_id(&event), sizeof m->order_id);
    m->kind = event.kind;
    m->at_ms = event_at_ms(&event);
    buffer_clear(&p->text);
    templates_render(templates, &event, &p->text);
    m->offset = p->composed.len;
    const struct sink_message message = {
        .event = &event, .text = {.data = p->text.data, .len = p->text.len}, .attempt = 1};
    sink->ops->compose(&message, &p->composed);
    m->len = p->composed.len - m->offset;
}

struct prepared_messages *prepare_messages(struct message_preparer *p, struct slice body,
                                           const struct templates *templates, const struct sink *sink)
{
    struct slice line;
    buffer_clear(&p->messages);
    buffer_clear(&p->composed);
    while (line_next(&body, &line)) {
        struct prepared_message m = {.len = 0};
        prepare(p, line, templates, sink, &m);
        buffer_add(&p->messages, &m, sizeof m);
    }
    struct prepared_messages *whole = xmalloc(sizeof *whole + p->messages.len + p->composed.len);
    whole->count = p->messages.len / sizeof(struct prepared_message);
    if (whole->count > 0)
        memcpy(whole->list, p->messages.data, p->messages.len);
    if (p->composed.len > 0)
        memcpy(whole->list + whole->count, p->composed.data, p->composed.len);
    return whole;
}

const struct prepared_message *prepared_message(const struct prepared_messages *m, int64_t number,
                                                struct slice *composed)
{
    if (!m || number < 1 || (size_t)number > m->count || m->list[number - 1].len == 0)
        return NULL;
    const struct prepared_message *found = &m->list[number - 1];
    *composed = (struct slice){.data = (const char *)(m->list + m->count) + found->offset, .len = found->len};
    return found;
}
