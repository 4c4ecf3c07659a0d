#include "common/pipeline/outbox_bundles.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/pipeline/outbox.h"

/* NULL: there is none of this key, and there may be no other. */
static struct bundle *find(struct bundles *b, const char *routing_key, int most)
{
    for (int i = 0; i < b->count; i++)
        if (strcmp(b->list[i].routing_key, routing_key) == 0)
            return &b->list[i];
    if (b->count >= most || b->count == BUNDLES_MAX)
        return NULL;
    struct bundle *fresh = &b->list[b->count++];
    strcpy(fresh->routing_key, routing_key); /* it fits: both are as large */
    buffer_clear(&fresh->body);
    fresh->count = 0;
    return fresh;
}

static bool fits(const struct buffer *body, struct slice more)
{
    return body->len == 0 || (body->len + more.len <= OUTBOX_BODY_MAX && body->data[body->len - 1] == '\n');
}

bool bundles_add(struct bundles *b, const char *routing_key, int64_t id, struct slice body, int most)
{
    struct bundle *to = find(b, routing_key, most);
    if (!to || !fits(&to->body, body))
        return false;
    if (to->count == to->cap) {
        to->cap = to->cap ? 2 * to->cap : 64;
        to->ids = xrealloc(to->ids, (size_t)to->cap * sizeof *to->ids);
    }
    to->ids[to->count++] = id;
    buffer_add(&to->body, body.data, body.len);
    return true;
}

size_t bundles_bytes(const struct bundles *b)
{
    size_t bytes = 0;
    for (int i = 0; i < b->count; i++)
        bytes += b->list[i].body.len;
    return bytes;
}

void bundles_clear(struct bundles *b)
{
    b->count = 0;
}

void bundles_free(struct bundles *b)
{
    for (int i = 0; i < BUNDLES_MAX; i++) {
        buffer_free(&b->list[i].body);
        free(b->list[i].ids);
    }
    *b = (struct bundles){0};
}
