/* See dead_letter.h. */
#include "services/ctl/dead_letter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/pipeline/message.h"
#include "common/pipeline/names.h"

static char *copy(struct slice text)
{
    char *out = xmalloc(text.len + 1);
    if (text.len > 0)
        memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return out;
}

static char *copy_header(const struct broker_properties *p, const char *name)
{
    const struct broker_header *h = broker_header_find(p, name);
    return copy(h && h->is_text ? h->text : (struct slice){0});
}

static int64_t number_header(const struct broker_properties *p, const char *name)
{
    const struct broker_header *h = broker_header_find(p, name);
    return h && !h->is_text && h->number > 0 ? h->number : 0;
}

static bool can_be_typed(struct slice id)
{
    return id.len > 0 && text_is_printable(id) && !memchr(id.data, ' ', id.len) && id.data[0] != '-';
}

/* The body's hash (FNV-1a): the same each time that the letter is looked at. */
static char *make_id(struct slice body)
{
    uint64_t hash = 0xcbf29ce484222325u;
    char id[32];
    for (size_t i = 0; i < body.len; i++)
        hash = (hash ^ (unsigned char)body.data[i]) * 0x100000001b3u;
    snprintf(id, sizeof(id), "body-%016" PRIx64, hash);
    return xstrdup(id);
}

void letter_read(const struct broker_delivery *d, bool with_body, struct letter *out)
{
    const struct broker_properties *p = &d->properties;
    *out = (struct letter){
        .tag = d->tag,
        .id = can_be_typed(p->message_id) ? copy(p->message_id) : make_id(d->body),
        .times = number_header(p, HEADER_DEAD_TIMES),
        .queue = copy_header(p, HEADER_DEAD_QUEUE),
        .reason = copy_header(p, HEADER_DEAD_REASON),
        .detail = copy_header(p, HEADER_DEAD_DETAIL),
        .message_id = copy_header(p, HEADER_DEAD_MESSAGE_ID),
        .reply_to = copy_header(p, HEADER_DEAD_REPLY_TO),
        .at_ms = number_header(p, HEADER_DEAD_AT_MS),
        .attempts = number_header(p, HEADER_DEAD_ATTEMPTS),
        .orders = number_header(p, HEADER_COUNT),
        .body = copy(with_body ? d->body : (struct slice){0}),
        .body_len = with_body ? d->body.len : 0,
    };
    out->is_ours = out->queue[0] != '\0' && dead_id_parse(p->message_id, out->key, &out->line);
}

void letter_free(struct letter *l)
{
    free(l->id);
    free(l->queue);
    free(l->reason);
    free(l->detail);
    free(l->message_id);
    free(l->reply_to);
    free(l->body);
    *l = (struct letter){0};
}

static void add_text(json_t *object, const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    json_t *value = json_string(text);
    json_object_set_new(object, name, value ? value : json_string("(not UTF-8)"));
}

static void add_number(json_t *object, const char *name, int64_t number)
{
    if (number > 0)
        json_object_set_new(object, name, json_integer(number));
}

static void add_body(json_t *object, const struct letter *l)
{
    json_t *text = json_stringn(l->body, l->body_len);
    if (text) {
        json_object_set_new(object, "body", text);
        return;
    }
    struct buffer hex = {0};
    for (size_t i = 0; i < l->body_len; i++)
        buffer_printf(&hex, "%02x", (unsigned char)l->body[i]);
    json_object_set_new(object, "body_hex", json_string(buffer_text(&hex)));
    buffer_free(&hex);
}

json_t *letter_json(const struct letter *l, bool with_body)
{
    char at[RFC3339_SIZE];
    json_t *object = json_object();
    add_text(object, "id", l->id);
    add_text(object, "queue", l->queue);
    add_text(object, "reason", l->reason);
    add_text(object, "detail", l->detail);
    if (l->at_ms > 0)
        add_text(object, "at", rfc3339_format(l->at_ms, at));
    add_number(object, "attempts", l->attempts);
    add_number(object, "times", l->times);
    add_number(object, "orders", l->orders);
    add_text(object, "message_id", l->message_id);
    if (with_body) {
        add_text(object, "reply_to", l->reply_to);
        add_body(object, l);
    }
    return object;
}
