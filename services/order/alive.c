#include "services/order/alive.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"

struct member {
    struct heartbeat heartbeat;
    int64_t seen_ns;
};

struct alive {
    pthread_mutex_t lock;   /* over the rest */
    struct member *members; /* sorted */
    size_t count, cap;
};

struct alive *alive_new(void)
{
    struct alive *a = xcalloc(1, sizeof *a);
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

void alive_free(struct alive *a)
{
    if (!a)
        return;
    pthread_mutex_destroy(&a->lock);
    free(a->members);
    free(a);
}

static int compare(const struct heartbeat *x, const struct heartbeat *y)
{
    int order = strcmp(x->service, y->service);
    return order ? order : strcmp(x->instance, y->instance);
}

static void forget_silent(struct alive *a, int64_t now_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->count; i++)
        if (now_ns - a->members[i].seen_ns <= HEARTBEAT_GONE_NS)
            a->members[kept++] = a->members[i];
    a->count = kept;
}

static struct member *insert(struct alive *a, size_t at)
{
    if (a->count == a->cap) {
        a->cap = a->cap ? 2 * a->cap : 16;
        a->members = xrealloc(a->members, a->cap * sizeof *a->members);
    }
    memmove(&a->members[at + 1], &a->members[at], (a->count - at) * sizeof *a->members);
    a->count++;
    return &a->members[at];
}

void alive_heard(struct alive *a, const struct heartbeat *h, int64_t now_ns)
{
    size_t at = 0;
    pthread_mutex_lock(&a->lock);
    forget_silent(a, now_ns);
    while (at < a->count && compare(&a->members[at].heartbeat, h) < 0)
        at++;
    bool is_known = at < a->count && compare(&a->members[at].heartbeat, h) == 0;
    struct member *m = is_known ? &a->members[at] : a->count < ALIVE_MAX ? insert(a, at) : NULL;
    if (m)
        *m = (struct member){.heartbeat = *h, .seen_ns = now_ns};
    pthread_mutex_unlock(&a->lock);
}

void alive_visit(struct alive *a, int64_t now_ns,
                 void (*visit)(void *context, const struct heartbeat *h, int64_t last_seen_ms), void *context)
{
    pthread_mutex_lock(&a->lock);
    forget_silent(a, now_ns);
    for (size_t i = 0; i < a->count; i++)
        visit(context, &a->members[i].heartbeat, (now_ns - a->members[i].seen_ns) / NS_PER_MS);
    pthread_mutex_unlock(&a->lock);
}
