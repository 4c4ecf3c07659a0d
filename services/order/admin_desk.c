/* Lock order: the desk's, then a mailbox's. See admin_desk.h. */
#include "services/order/admin_desk.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "services/order/mailbox.h"

TAILQ_HEAD(question_list, admin_question);

struct admin_desk {
    pthread_mutex_t lock; /* over everything but the atomics */
    int fd;
    _Atomic bool rung;
    _Atomic int64_t next_ns;
    bool closed;
    int held;
    struct question_list fresh, sent; /* each in the order of their ends: all wait equally long */
};

void admin_question_clear(struct admin_question *q)
{
    free(q->text);
    free(q->result);
    q->text = q->result = NULL;
}

int admin_desk_new(struct admin_desk **out)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return E_IO;
    struct admin_desk *d = xcalloc(1, sizeof *d);
    pthread_mutex_init(&d->lock, NULL);
    d->fd = fd;
    atomic_store(&d->next_ns, INT64_MAX);
    TAILQ_INIT(&d->fresh);
    TAILQ_INIT(&d->sent);
    *out = d;
    return 0;
}

void admin_desk_free(struct admin_desk *d)
{
    if (!d)
        return;
    close(d->fd);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* Assumes the lock. Sends the question back; a flight that it had goes on alone. */
static void release(struct admin_desk *d, struct admin_question *q, const struct admin_answer *answer)
{
    TAILQ_REMOVE(q->flight ? &d->sent : &d->fresh, q, in_desk);
    d->held--;
    if (q->flight)
        q->flight->question = NULL;
    q->flight = NULL;
    q->outcome = answer->outcome;
    q->result = answer->result;
    snprintf(q->code, sizeof q->code, "%s", answer->code ? answer->code : "");
    detail_set(&q->why, "%s", answer->why ? answer->why : "");
    mailbox_post_question(q->mailbox, q);
}

static void release_fresh(struct admin_desk *d, const char *why)
{
    const struct admin_answer answer = {.outcome = ADMIN_NOT_ASKED, .why = why};
    while (!TAILQ_EMPTY(&d->fresh))
        release(d, TAILQ_FIRST(&d->fresh), &answer);
}

/* ---- for HTTP threads ---- */

bool admin_desk_add(struct admin_desk *d, struct admin_question *q, int64_t now_ns)
{
    pthread_mutex_lock(&d->lock);
    bool is_held = !d->closed && d->held < ADMIN_MAX_HELD;
    if (is_held) {
        q->until_ns = now_ns + ADMIN_ANSWER_NS;
        q->flight = NULL;
        q->result = NULL;
        TAILQ_INSERT_TAIL(&d->fresh, q, in_desk);
        d->held++;
        if (q->until_ns < atomic_load(&d->next_ns))
            atomic_store(&d->next_ns, q->until_ns);
        if (!atomic_exchange(&d->rung, true))
            eventfd_write(d->fd, 1);
    }
    pthread_mutex_unlock(&d->lock);
    return is_held;
}

void admin_desk_expire(struct admin_desk *d, int64_t now_ns)
{
    static const struct admin_answer not_sent = {
        .outcome = ADMIN_NOT_ASKED, .why = "the question could not be sent to inventory in time"};
    static const struct admin_answer not_answered = {.outcome = ADMIN_UNKNOWN,
                                                     .why = "inventory did not answer in time"};
    if (now_ns < atomic_load_explicit(&d->next_ns, memory_order_relaxed))
        return;
    struct admin_question *q;
    int64_t next_ns = INT64_MAX;
    pthread_mutex_lock(&d->lock);
    while ((q = TAILQ_FIRST(&d->fresh)) != NULL && q->until_ns <= now_ns)
        release(d, q, &not_sent);
    if (q)
        next_ns = q->until_ns;
    while ((q = TAILQ_FIRST(&d->sent)) != NULL && q->until_ns <= now_ns)
        release(d, q, &not_answered);
    if (q && q->until_ns < next_ns)
        next_ns = q->until_ns;
    atomic_store(&d->next_ns, next_ns);
    pthread_mutex_unlock(&d->lock);
}

int64_t admin_desk_next_ns(const struct admin_desk *d)
{
    return atomic_load_explicit(&d->next_ns, memory_order_relaxed);
}

void admin_desk_close(struct admin_desk *d)
{
    pthread_mutex_lock(&d->lock);
    d->closed = true;
    release_fresh(d, "this front end is shutting down");
    pthread_mutex_unlock(&d->lock);
}

int admin_desk_held(struct admin_desk *d)
{
    pthread_mutex_lock(&d->lock);
    int held = d->held;
    pthread_mutex_unlock(&d->lock);
    return held;
}

/* ---- for the broker thread ---- */

int admin_desk_fd(const struct admin_desk *d)
{
    return d->fd;
}

bool admin_desk_heed(struct admin_desk *d)
{
    eventfd_t ignored;
    if (!atomic_load(&d->rung))
        return false;
    eventfd_read(d->fd, &ignored); /* first: who comes from here on rings again, or is taken now */
    atomic_store(&d->rung, false);
    return true;
}

struct admin_flight *admin_desk_take(struct admin_desk *d)
{
    struct admin_flight *f = NULL;
    pthread_mutex_lock(&d->lock);
    struct admin_question *q = TAILQ_FIRST(&d->fresh);
    if (q) {
        TAILQ_REMOVE(&d->fresh, q, in_desk);
        TAILQ_INSERT_TAIL(&d->sent, q, in_desk);
        f = xcalloc(1, sizeof *f);
        *f = (struct admin_flight){.desk = d,
                                   .question = q,
                                   .method = q->method,
                                   .shard = q->shard,
                                   .text = q->text,
                                   .until_ns = q->until_ns};
        q->text = NULL;
        q->flight = f;
    }
    pthread_mutex_unlock(&d->lock);
    return f;
}

void admin_desk_end(struct admin_flight *f, const struct admin_answer *answer)
{
    struct admin_desk *d = f->desk;
    pthread_mutex_lock(&d->lock);
    if (f->question)
        release(d, f->question, answer);
    else
        free(answer->result);
    pthread_mutex_unlock(&d->lock);
    free(f->text);
    free(f);
}

void admin_desk_cannot_ask(struct admin_desk *d)
{
    pthread_mutex_lock(&d->lock);
    release_fresh(d, "there is no connection to the message broker");
    pthread_mutex_unlock(&d->lock);
}
