/*
 * Who waits for word about which red packet. See packet_desk.h.
 *
 * Each subject (subject_table.h) is in one of three lists: to be asked about, being asked about, to be asked
 * about again. Lock order: the desk's, then a mailbox's.
 */
#include "services/order/packet_desk.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "services/order/mailbox.h"
#include "services/order/subject_table.h"

#define PROBE_NS NS_PER_S

struct packet_desk {
    pthread_mutex_t lock; /* over everything but the atomics and what never changes */
    int fd;
    _Atomic bool rung;
    _Atomic int64_t next_ns; /* not after the first one's time is over */
    bool closed;
    int held;
    struct subject_list fresh, asked, again;
    bool is_asking;                /* a question is under way; those who asked for its ids may all be gone */
    int64_t asked_ns;              /* when the latest one began */
    int64_t again_ns;              /* not before: those of `again` */
    bool is_silent;                /* the latest question has brought nothing */
    TAILQ_HEAD(, inquiry) by_time; /* all wait equally long: in the order of their ends */
    struct subject_table subjects;
};

int packet_desk_new(struct packet_desk **out)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0 || sodium_init() < 0) {
        if (fd >= 0)
            close(fd);
        return E_IO;
    }
    struct packet_desk *d = xcalloc(1, sizeof *d);
    pthread_mutex_init(&d->lock, NULL);
    d->fd = fd;
    atomic_store(&d->next_ns, INT64_MAX);
    TAILQ_INIT(&d->fresh);
    TAILQ_INIT(&d->asked);
    TAILQ_INIT(&d->again);
    TAILQ_INIT(&d->by_time);
    subject_table_init(&d->subjects);
    *out = d;
    return 0;
}

void packet_desk_free(struct packet_desk *d)
{
    if (!d)
        return;
    close(d->fd);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* ---- all assume the lock ---- */

/* Sends the inquiry back. Its subject is gone after its last one. */
static void release(struct packet_desk *d, struct inquiry *q)
{
    struct subject *s = q->subject;
    TAILQ_REMOVE(&s->askers, q, of_subject);
    TAILQ_REMOVE(&d->by_time, q, by_time);
    d->held--;
    if (TAILQ_EMPTY(&s->askers))
        subject_free(&d->subjects, s);
    q->subject = NULL;
    mailbox_post_inquiry(q->mailbox, q);
}

static void release_all(struct packet_desk *d)
{
    while (!TAILQ_EMPTY(&d->by_time))
        release(d, TAILQ_FIRST(&d->by_time));
}

static void ask_soon(struct packet_desk *d, struct subject *s)
{
    bool is_first = TAILQ_EMPTY(&d->fresh);
    subject_move(s, &d->fresh);
    if (is_first && !d->is_asking && !atomic_exchange(&d->rung, true))
        eventfd_write(d->fd, 1);
}

static void hang(struct packet_desk *d, struct inquiry *q, struct subject *s, int64_t now_ns)
{
    q->subject = s;
    q->until_ns = now_ns + PACKET_WAIT_NS;
    TAILQ_INSERT_TAIL(&s->askers, q, of_subject);
    TAILQ_INSERT_TAIL(&d->by_time, q, by_time);
    d->held++;
    if (q->until_ns < atomic_load(&d->next_ns))
        atomic_store(&d->next_ns, q->until_ns);
}

/* Is there hope of an answer in time? */
static bool may_ask(const struct packet_desk *d, int64_t now_ns)
{
    if (d->is_asking)
        return !d->is_silent && now_ns < d->asked_ns + PACKET_WAIT_NS;
    /* The one that tries: the next to come finds it waiting. */
    return !d->is_silent || (now_ns >= d->asked_ns + PROBE_NS && TAILQ_EMPTY(&d->fresh));
}

static bool add(struct packet_desk *d, struct inquiry *q, int64_t now_ns)
{
    if (d->closed || d->held >= PACKET_MAX_HELD)
        return false;
    struct subject *s = subject_find(&d->subjects, q->order_id);
    if (!s) {
        if (!may_ask(d, now_ns))
            return false;
        s = subject_new(&d->subjects, q->order_id);
        ask_soon(d, s);
    }
    hang(d, q, s, now_ns);
    return true;
}

/* ---- for HTTP threads ---- */

bool packet_desk_add(struct packet_desk *d, struct inquiry *q, int64_t now_ns)
{
    pthread_mutex_lock(&d->lock);
    bool is_held = add(d, q, now_ns);
    pthread_mutex_unlock(&d->lock);
    return is_held;
}

void packet_desk_expire(struct packet_desk *d, int64_t now_ns)
{
    if (now_ns < atomic_load_explicit(&d->next_ns, memory_order_relaxed))
        return;
    struct inquiry *q;
    pthread_mutex_lock(&d->lock);
    while ((q = TAILQ_FIRST(&d->by_time)) != NULL && q->until_ns <= now_ns)
        release(d, q);
    atomic_store(&d->next_ns, q ? q->until_ns : INT64_MAX);
    pthread_mutex_unlock(&d->lock);
}

int64_t packet_desk_next_ns(const struct packet_desk *d)
{
    return atomic_load_explicit(&d->next_ns, memory_order_relaxed);
}

void packet_desk_close(struct packet_desk *d)
{
    pthread_mutex_lock(&d->lock);
    d->closed = true;
    release_all(d);
    pthread_mutex_unlock(&d->lock);
}

/* ---- for the broker thread ---- */

int packet_desk_fd(const struct packet_desk *d)
{
    return d->fd;
}

void packet_desk_heed(struct packet_desk *d)
{
    eventfd_t ignored;
    if (atomic_exchange(&d->rung, false))
        eventfd_read(d->fd, &ignored);
}

static int64_t take_again_ns(const struct packet_desk *d)
{
    if (d->is_asking)
        return INT64_MAX;
    int64_t gap_ns = d->asked_ns + PACKET_GAP_NS;
    if (!TAILQ_EMPTY(&d->fresh))
        return gap_ns;
    if (TAILQ_EMPTY(&d->again))
        return INT64_MAX;
    return d->again_ns > gap_ns ? d->again_ns : gap_ns;
}

int packet_desk_take(struct packet_desk *d, int64_t now_ns, int max, char (*ids)[ORDER_ID_SIZE],
                     int64_t *next_ns)
{
    struct subject *s;
    int count = 0;
    pthread_mutex_lock(&d->lock);
    if (now_ns >= d->again_ns)
        while ((s = TAILQ_FIRST(&d->again)) != NULL)
            subject_move(s, &d->fresh);
    bool may_begin = !d->is_asking && now_ns >= d->asked_ns + PACKET_GAP_NS;
    while (may_begin && count < max && (s = TAILQ_FIRST(&d->fresh)) != NULL) {
        subject_move(s, &d->asked);
        memcpy(ids[count++], s->order_id, ORDER_ID_SIZE);
    }
    if (count > 0) {
        d->is_asking = true;
        d->asked_ns = now_ns;
    }
    *next_ns = take_again_ns(d);
    pthread_mutex_unlock(&d->lock);
    return count;
}

void packet_desk_told(struct packet_desk *d, const char order_id[ORDER_ID_SIZE], int64_t packet)
{
    pthread_mutex_lock(&d->lock);
    struct subject *s = subject_find(&d->subjects, order_id);
    struct inquiry *q = s ? TAILQ_FIRST(&s->askers) : NULL, *next;
    for (; q; q = next) { /* s is gone with its last one */
        next = TAILQ_NEXT(q, of_subject);
        q->packet = packet;
        release(d, q);
    }
    pthread_mutex_unlock(&d->lock);
}

/* Assumes the lock. */
static void ask_later(struct packet_desk *d, struct subject *s, int64_t now_ns)
{
    if (TAILQ_EMPTY(&d->again))
        d->again_ns = now_ns + PACKET_AGAIN_NS;
    subject_move(s, &d->again);
}

void packet_desk_not_known(struct packet_desk *d, const char order_id[ORDER_ID_SIZE], int64_t now_ns)
{
    pthread_mutex_lock(&d->lock);
    struct subject *s = subject_find(&d->subjects, order_id);
    if (s && s->list == &d->asked)
        ask_later(d, s, now_ns);
    pthread_mutex_unlock(&d->lock);
}

void packet_desk_answered(struct packet_desk *d, int64_t now_ns, bool is_silent)
{
    struct subject *s;
    pthread_mutex_lock(&d->lock);
    d->is_asking = false;
    d->is_silent = is_silent;
    if (is_silent)
        release_all(d);
    while ((s = TAILQ_FIRST(&d->asked)) != NULL) /* the answer left it out */
        ask_later(d, s, now_ns);
    pthread_mutex_unlock(&d->lock);
}

void packet_desk_cannot_ask(struct packet_desk *d)
{
    pthread_mutex_lock(&d->lock);
    release_all(d);
    pthread_mutex_unlock(&d->lock);
}

int packet_desk_held(struct packet_desk *d)
{
    pthread_mutex_lock(&d->lock);
    int held = d->held;
    pthread_mutex_unlock(&d->lock);
    return held;
}
