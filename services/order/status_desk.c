/*
 * Who waits for word about which order. See status_desk.h.
 *
 * A subject (subject_table.h) is an id that somebody waits for. It is in one list of its shard (to be asked
 * about, being asked about, to be asked about again) or in none (its decision will come by itself). Lock
 * order: the desk's, then pending's or a mailbox's.
 */
#include "services/order/status_desk.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/pipeline/names.h"
#include "services/order/mailbox.h"
#include "services/order/subject_table.h"

#define ROUND_NS NS_PER_S

TAILQ_HEAD(time_list, inquiry);

struct desk_shard {
    struct subject_list fresh, asked, again;
    bool is_asking;   /* a question is under way; those who asked for its ids may all be gone */
    int64_t next_ns;  /* not before: the next question */
    int64_t round_ns; /* not before: those of `again` */
    bool is_silent;
    int64_t probe_ns; /* silent: not before */
};

struct status_desk {
    pthread_mutex_t lock; /* over everything but the atomics and what never changes */
    struct pending *pending;
    int fd;
    _Atomic bool rung;
    _Atomic int64_t next_ns;
    bool closed;
    struct desk_counts counts;
    int shards;
    struct desk_shard shard[MAX_SHARDS];
    /* One list for each length of waiting: each is in the order of its ends without being sorted. */
    struct time_list by_time[INQUIRY_WAIT_MAX_S + 1];
    struct subject_table subjects;
};

int status_desk_new(struct status_desk **out, struct pending *pending, int shards)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0 || sodium_init() < 0) {
        if (fd >= 0)
            close(fd);
        return E_IO;
    }
    struct status_desk *d = xcalloc(1, sizeof *d);
    pthread_mutex_init(&d->lock, NULL);
    d->pending = pending;
    d->fd = fd;
    d->shards = shards;
    atomic_store(&d->next_ns, INT64_MAX);
    for (int i = 0; i < shards; i++) {
        TAILQ_INIT(&d->shard[i].fresh);
        TAILQ_INIT(&d->shard[i].asked);
        TAILQ_INIT(&d->shard[i].again);
    }
    for (int i = 0; i <= INQUIRY_WAIT_MAX_S; i++)
        TAILQ_INIT(&d->by_time[i]);
    subject_table_init(&d->subjects);
    *out = d;
    return 0;
}

void status_desk_free(struct status_desk *d)
{
    if (!d)
        return;
    close(d->fd);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* ---- subjects; all assume the lock ---- */

static struct subject *subject_for(struct status_desk *d, const struct inquiry *q)
{
    struct subject *s = subject_new(&d->subjects, q->order_id);
    int shard = order_id_shard(q->order_id);
    s->any_shard = !q->is_issued || shard >= d->shards;
    s->shard = shard % d->shards;
    return s;
}

static void ask_soon(struct status_desk *d, struct subject *s)
{
    struct desk_shard *shard = &d->shard[s->shard];
    bool is_first = TAILQ_EMPTY(&shard->fresh);
    subject_move(s, &shard->fresh);
    if (is_first && !shard->is_asking && !atomic_exchange(&d->rung, true))
        eventfd_write(d->fd, 1);
}

/* Sends the inquiry back. Its subject is gone after its last one. */
static void release(struct status_desk *d, struct inquiry *q)
{
    struct subject *s = q->subject;
    TAILQ_REMOVE(&s->askers, q, of_subject);
    TAILQ_REMOVE(&d->by_time[q->wait_s], q, by_time);
    d->counts.held--;
    if (q->wait_s > 0)
        d->counts.waiting--;
    if (TAILQ_EMPTY(&s->askers))
        subject_free(&d->subjects, s);
    q->subject = NULL;
    mailbox_post_inquiry(q->mailbox, q);
}

/* No word came for it: those who have had none at all are not kept. */
static void fail(struct status_desk *d, struct subject *s)
{
    struct inquiry *q = TAILQ_FIRST(&s->askers), *next;
    subject_move(s, &d->shard[s->shard].again);
    for (; q; q = next) {
        next = TAILQ_NEXT(q, of_subject);
        if (!q->is_heard)
            release(d, q);
    }
}

static void fail_all(struct status_desk *d, struct subject_list *list)
{
    struct subject *s;
    while ((s = TAILQ_FIRST(list)) != NULL)
        fail(d, s);
}

/* ---- for HTTP threads ---- */

static bool may_ask(struct desk_shard *shard, int64_t now_ns)
{
    if (!shard->is_silent)
        return true;
    if (shard->is_asking || now_ns < shard->probe_ns)
        return false;
    shard->probe_ns = now_ns + ROUND_NS;
    return true;
}

static void hang(struct status_desk *d, struct inquiry *q, struct subject *s, int64_t now_ns)
{
    q->subject = s;
    q->until_ns = now_ns + (q->wait_s > 0 ? q->wait_s * NS_PER_S : INQUIRY_ANSWER_NS);
    TAILQ_INSERT_TAIL(&s->askers, q, of_subject);
    TAILQ_INSERT_TAIL(&d->by_time[q->wait_s], q, by_time);
    d->counts.held++;
    if (q->wait_s > 0)
        d->counts.waiting++;
    if (q->until_ns < atomic_load(&d->next_ns))
        atomic_store(&d->next_ns, q->until_ns);
}

/* Assumes the lock. What pending says here holds until status_desk_decided: the broker thread tells pending
 * of a decision first and then us. */
static enum desk_step add(struct status_desk *d, struct inquiry *q, int64_t now_ns)
{
    struct pending_view view = {.status = ORDER_UNKNOWN};
    bool is_here = pending_find(d->pending, q->order_id, &view);
    bool must_ask = !is_here || view.status == ORDER_UNKNOWN;
    if (is_here && (view.status == ORDER_CONFIRMED || view.status == ORDER_REJECTED))
        return DESK_NOW;
    if (d->counts.waiting >= DESK_MAX_WAITING || d->closed)
        q->wait_s = 0;
    if (!must_ask && q->wait_s == 0)
        return DESK_NOW;
    if (d->closed || d->counts.held >= DESK_MAX_HELD)
        return DESK_UNAVAILABLE;
    struct subject *s = subject_find(&d->subjects, q->order_id);
    struct desk_shard *shard = &d->shard[s ? s->shard : order_id_shard(q->order_id) % d->shards];
    bool has_place = s && (s->list == &shard->fresh || s->list == &shard->asked);
    if (must_ask && !has_place && !may_ask(shard, now_ns))
        return DESK_UNAVAILABLE;
    if (!s)
        s = subject_for(d, q);
    if (must_ask && !has_place)
        ask_soon(d, s);
    hang(d, q, s, now_ns);
    return DESK_HELD;
}

enum desk_step status_desk_add(struct status_desk *d, struct inquiry *q, int64_t now_ns)
{
    q->is_decided = q->is_heard = false;
    pthread_mutex_lock(&d->lock);
    enum desk_step step = add(d, q, now_ns);
    pthread_mutex_unlock(&d->lock);
    return step;
}

void status_desk_expire(struct status_desk *d, int64_t now_ns)
{
    if (now_ns < atomic_load_explicit(&d->next_ns, memory_order_relaxed))
        return;
    int64_t next_ns = INT64_MAX;
    pthread_mutex_lock(&d->lock);
    for (int i = 0; i <= INQUIRY_WAIT_MAX_S; i++) {
        struct inquiry *q;
        while ((q = TAILQ_FIRST(&d->by_time[i])) != NULL && q->until_ns <= now_ns)
            release(d, q);
        if (q && q->until_ns < next_ns)
            next_ns = q->until_ns;
    }
    atomic_store(&d->next_ns, next_ns);
    pthread_mutex_unlock(&d->lock);
}

int64_t status_desk_next_ns(const struct status_desk *d)
{
    return atomic_load_explicit(&d->next_ns, memory_order_relaxed);
}

void status_desk_close(struct status_desk *d)
{
    pthread_mutex_lock(&d->lock);
    d->closed = true;
    for (int i = 0; i <= INQUIRY_WAIT_MAX_S; i++)
        while (!TAILQ_EMPTY(&d->by_time[i]))
            release(d, TAILQ_FIRST(&d->by_time[i]));
    pthread_mutex_unlock(&d->lock);
}

/* ---- for the broker thread ---- */

int status_desk_fd(const struct status_desk *d)
{
    return d->fd;
}

void status_desk_heed(struct status_desk *d)
{
    eventfd_t ignored;
    if (atomic_exchange(&d->rung, false))
        eventfd_read(d->fd, &ignored);
}

int status_desk_take(struct status_desk *d, int shard, int64_t now_ns, int max, char (*ids)[ORDER_ID_SIZE])
{
    struct desk_shard *from = &d->shard[shard];
    struct subject *s;
    int count = 0;
    pthread_mutex_lock(&d->lock);
    if (!TAILQ_EMPTY(&from->again) && now_ns >= from->round_ns) {
        from->round_ns = now_ns + ROUND_NS;
        while ((s = TAILQ_FIRST(&from->again)) != NULL)
            subject_move(s, &from->fresh);
    }
    bool is_early = !from->is_asking && !TAILQ_EMPTY(&from->fresh) && now_ns < from->next_ns;
    while (!from->is_asking && !is_early && count < max && (s = TAILQ_FIRST(&from->fresh)) != NULL) {
        subject_move(s, &from->asked);
        memcpy(ids[count++], s->order_id, ORDER_ID_SIZE);
    }
    if (count > 0) {
        from->is_asking = true;
        from->next_ns = now_ns + DESK_GAP_NS;
    }
    pthread_mutex_unlock(&d->lock);
    return is_early ? E_BUSY : count;
}

static void tell_decision(struct status_desk *d, struct subject *s, const struct decision *decision)
{
    struct inquiry *q = TAILQ_FIRST(&s->askers), *next;
    for (; q; q = next) { /* s is gone with its last one */
        next = TAILQ_NEXT(q, of_subject);
        q->is_decided = true;
        q->decision = *decision;
        release(d, q);
    }
}

void status_desk_decided(struct status_desk *d, const struct decision *decisions, int count)
{
    pthread_mutex_lock(&d->lock);
    for (int i = 0; i < count && d->counts.held > 0; i++) {
        struct subject *s = subject_find(&d->subjects, decisions[i].order_id);
        if (s)
            tell_decision(d, s, &decisions[i]);
    }
    pthread_mutex_unlock(&d->lock);
}

static void tell_undecided(struct status_desk *d, struct subject *s)
{
    struct inquiry *q, *next;
    bool was_asked = s->list == &d->shard[s->shard].asked;
    if (was_asked && s->any_shard && ++s->shards_asked < d->shards) {
        s->shard = (s->shard + 1) % d->shards;
        ask_soon(d, s);
        return;
    }
    s->shards_asked = 0;
    if (was_asked)
        subject_move(s, &d->shard[s->shard].again);
    for (q = TAILQ_FIRST(&s->askers); q; q = next) {
        next = TAILQ_NEXT(q, of_subject);
        q->is_heard = true;
        if (q->wait_s == 0 || !q->is_issued)
            release(d, q);
    }
}

void status_desk_not_decided(struct status_desk *d, const char order_id[ORDER_ID_SIZE])
{
    pthread_mutex_lock(&d->lock);
    struct subject *s = subject_find(&d->subjects, order_id);
    if (s)
        tell_undecided(d, s);
    pthread_mutex_unlock(&d->lock);
}

void status_desk_answered(struct status_desk *d, int shard, int64_t now_ns, bool is_silent)
{
    struct desk_shard *from = &d->shard[shard];
    pthread_mutex_lock(&d->lock);
    from->is_asking = false;
    fail_all(d, &from->asked);
    from->is_silent = is_silent;
    from->probe_ns = now_ns + ROUND_NS;
    pthread_mutex_unlock(&d->lock);
}

void status_desk_heard_of(struct status_desk *d, int shard)
{
    if (shard >= d->shards)
        return;
    pthread_mutex_lock(&d->lock);
    d->shard[shard].is_silent = false;
    pthread_mutex_unlock(&d->lock);
}

void status_desk_cannot_ask(struct status_desk *d)
{
    pthread_mutex_lock(&d->lock);
    for (int i = 0; i < d->shards; i++) {
        fail_all(d, &d->shard[i].fresh);
        fail_all(d, &d->shard[i].asked);
    }
    pthread_mutex_unlock(&d->lock);
}

struct desk_counts status_desk_counts(struct status_desk *d)
{
    pthread_mutex_lock(&d->lock);
    struct desk_counts counts = d->counts;
    pthread_mutex_unlock(&d->lock);
    return counts;
}
