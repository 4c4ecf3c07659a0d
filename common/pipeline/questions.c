#include "common/pipeline/questions.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"

#define TEXTS_MAX (9 + 2 * BROKER_MAX_HEADERS)

/* Every slice of a delivery. */
static int list_texts(struct broker_delivery *d, struct slice *texts[TEXTS_MAX])
{
    struct broker_properties *p = &d->properties;
    struct slice *plain[] = {&d->consumer, &d->exchange,       &d->routing_key,
                             &d->body,     &p->content_type,   &p->message_id,
                             &p->reply_to, &p->correlation_id, &p->expiration};
    int count = 0;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        texts[count++] = plain[i];
    for (int i = 0; i < p->header_count; i++) {
        texts[count++] = &p->headers[i].name;
        if (p->headers[i].is_text)
            texts[count++] = &p->headers[i].text;
    }
    return count;
}

static struct question *copy(const struct broker_delivery *delivery)
{
    struct broker_delivery d = *delivery;
    struct slice *texts[TEXTS_MAX];
    size_t size = 0;
    int count = list_texts(&d, texts);
    for (int i = 0; i < count; i++)
        size += texts[i]->len;

    struct question *q = xmalloc(sizeof *q + size);
    char *at = q->bytes;
    for (int i = 0; i < count; i++) {
        if (texts[i]->len > 0)
            memcpy(at, texts[i]->data, texts[i]->len);
        texts[i]->data = at;
        at += texts[i]->len;
    }
    q->delivery = d;
    return q;
}

void questions_keep(struct questions *q, const struct broker_delivery *delivery)
{
    if (q->count == q->cap) {
        q->cap = q->cap ? 2 * q->cap : 16;
        q->list = xrealloc(q->list, q->cap * sizeof(struct question *));
    }
    q->list[q->count++] = copy(delivery);
}

void questions_drop(struct questions *q)
{
    for (size_t i = 0; i < q->count; i++)
        free(q->list[i]);
    q->count = 0;
}

void questions_free(struct questions *q)
{
    questions_drop(q);
    free(q->list);
    *q = (struct questions){0};
}
