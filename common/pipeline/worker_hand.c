/* What is in hand: messages that were delivered and not yet handled, and when they are worth a transaction.
 */
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/pipeline/worker_internal.h"

#define LINGER_NS (3 * NS_PER_MS) /* wait for more, where there is a backlog */

void hand_add(struct hand *h, struct inbound *m)
{
    if (h->count == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 64;
        h->messages = xrealloc(h->messages, (size_t)h->cap * sizeof(struct inbound *));
    }
    if (h->count == 0)
        h->since_ns = clock_mono_ns();
    h->messages[h->count++] = m;
    h->lines += m->orders;
}

void hand_drop(struct hand *h)
{
    for (int i = 0; i < h->count; i++)
        inbound_free(h->messages[i]);
    h->count = 0;
    h->lines = 0;
}

bool hand_is_full(const struct worker *w, const struct hand *h)
{
    return h->lines >= w->spec->max_batch || h->count >= w->spec->prefetch;
}

void hand_aim(struct worker *w)
{
    struct hand *h = &w->hand;
    if (!h->fresh)
        return;
    h->fresh = false;
    h->target = w->spec->linger_ms > 0 && h->lines > 0 ? INT64_MAX : 2 * h->lines;
    if (h->target > w->spec->max_batch)
        h->target = w->spec->max_batch;
}

int64_t hand_linger_ns(const struct worker *w)
{
    return w->spec->linger_ms > 0 ? w->spec->linger_ms * NS_PER_MS : LINGER_NS;
}

bool hand_is_ready(const struct worker *w, int64_t now_ns)
{
    const struct hand *h = &w->hand;
    return h->count > 0 && (h->lines >= h->target || hand_is_full(w, h) ||
                            now_ns - h->since_ns >= hand_linger_ns(w) || w->stopping);
}
