/* The batches that were published and not yet confirmed. See inflight.h. */
#include "services/order/inflight.h"

#include <stdlib.h>

#include "common/base/alloc.h"

struct batch *batch_new(void)
{
    return xcalloc(1, sizeof(struct batch));
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    buffer_free(&b->body);
    free(b);
}

void inflight_add(struct inflight *f, struct batch *b)
{
    b->next = NULL;
    if (f->tail)
        f->tail->next = b;
    else
        f->head = b;
    f->tail = b;
    f->count++;
}

struct batch *inflight_find(const struct inflight *f, int64_t seq)
{
    struct batch *b = f->head;
    while (b && b->seq != seq)
        b = b->next;
    return b;
}

static struct batch *take_after(struct inflight *f, struct batch *before)
{
    struct batch **link = before ? &before->next : &f->head;
    struct batch *b = *link;
    *link = b->next;
    if (f->tail == b)
        f->tail = before;
    b->next = NULL;
    f->count--;
    return b;
}

struct batch *inflight_confirm(struct inflight *f, uint64_t tag, bool multiple, bool ack,
                               enum submit_verdict *verdict)
{
    for (struct batch *before = NULL, *b = f->head; b; before = b, b = b->next) {
        bool meant = b->tag != 0 && (multiple ? b->tag <= tag : b->tag == tag);
        if (!meant)
            continue;
        if (ack && !b->returned)
            *verdict = SUBMIT_ACCEPTED;
        else
            *verdict = b->copies > 1 ? SUBMIT_UNKNOWN : SUBMIT_REFUSED;
        return take_after(f, before);
    }
    return NULL;
}

struct batch *inflight_take_older(struct inflight *f, int64_t sent_until_ns)
{
    for (struct batch *before = NULL, *b = f->head; b; before = b, b = b->next)
        if (b->first_sent_ns <= sent_until_ns)
            return take_after(f, before);
    return NULL;
}

void inflight_forget_tags(struct inflight *f)
{
    for (struct batch *b = f->head; b; b = b->next) {
        b->tag = 0;
        b->returned = false;
    }
}
