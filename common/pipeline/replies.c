#include "common/pipeline/replies.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/broker/consume.h"
#include "common/broker/publish.h"
#include "common/pipeline/names.h"

#define BODY_MAX ((size_t)120 * 1024)

struct asker {
    char queue[BROKER_NAME_SIZE];
    struct buffer lines;
};

struct replies {
    struct asker *askers;
    size_t count; /* in use; those behind keep their buffers for the next time */
    size_t cap;
    size_t latest; /* most lines go where the line before went */
};

struct replies *replies_new(void)
{
    return xcalloc(1, sizeof(struct replies));
}

void replies_free(struct replies *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->cap; i++)
        buffer_free(&r->askers[i].lines);
    free(r->askers);
    free(r);
}

static struct asker *find_asker(struct replies *r, struct slice queue)
{
    if (r->latest < r->count && slice_is(queue, r->askers[r->latest].queue))
        return &r->askers[r->latest];
    size_t at = 0;
    while (at < r->count && !slice_is(queue, r->askers[at].queue))
        at++;
    if (at == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 4;
        r->askers = xrealloc(r->askers, cap * sizeof *r->askers);
        memset(r->askers + r->cap, 0, (cap - r->cap) * sizeof *r->askers);
        r->cap = cap;
    }
    if (at == r->count) {
        r->count++;
        memcpy(r->askers[at].queue, queue.data, queue.len);
        r->askers[at].queue[queue.len] = '\0';
    }
    r->latest = at;
    return &r->askers[at];
}

void replies_add(struct replies *r, struct slice reply_to, struct slice line)
{
    if (reply_to.len == 0 || reply_to.len >= BROKER_NAME_SIZE)
        return;
    buffer_add(&find_asker(r, reply_to)->lines, line.data, line.len);
}

/* The longest run of whole lines from the beginning that fits; one line always does. */
static size_t whole_lines(struct slice rest)
{
    if (rest.len <= BODY_MAX)
        return rest.len;
    const char *end = memrchr(rest.data, '\n', BODY_MAX);
    if (!end)
        end = memchr(rest.data, '\n', rest.len);
    return end ? (size_t)(end - rest.data) + 1 : rest.len;
}

static void send_to(const struct asker *asker, struct broker_connection *publish)
{
    struct slice rest = {.data = asker->lines.data, .len = asker->lines.len};
    while (rest.len > 0) {
        size_t len = whole_lines(rest);
        struct broker_message message = {
            .exchange = EXCHANGE_REPLY,
            .routing_key = asker->queue,
            .properties = {.content_type = slice_of(TYPE_LINES)},
            .body = {.data = rest.data, .len = len},
        };
        if (broker_publish(publish, &message, NULL) != 0)
            return;
        rest.data += len;
        rest.len -= len;
    }
}

void replies_send(struct replies *r, struct broker_connection *publish)
{
    for (size_t i = 0; i < r->count; i++)
        send_to(&r->askers[i], publish);
    replies_discard(r);
}

void replies_discard(struct replies *r)
{
    for (size_t i = 0; i < r->count; i++)
        buffer_clear(&r->askers[i].lines);
    r->count = 0;
}
