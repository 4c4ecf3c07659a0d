/*
 * The orders of this front end in memory. See pending.h.
 *
 * One hash table by id, one lock. Each entry is in exactly one list: the undecided ones of its shard
 * (SUBMITTING, ACCEPTED: these hold the slots), or the remembered ones (DECIDED, UNKNOWN: pushed out oldest
 * first). The table is our own because 300 000 entries live in it: a chain is one pointer an entry.
 */
#include "services/order/pending.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/pipeline/names.h"

#define FIRST_BUCKETS    4096 /* a power of two; doubled as the table fills */
#define RATE_WINDOW_NS   (NS_PER_S / 2)
#define RATE_STALE_NS    (3 * NS_PER_S)
#define MAX_OVERDUE_SCAN 4000 /* entries that pending_overdue looks at */
#define GIVE_UP_AFTER    3    /* answers "not decided" while later orders have been */

enum state { SUBMITTING, ACCEPTED, DECIDED, UNKNOWN };

struct entry {
    struct entry *chain; /* the next in the bucket */
    struct entry *older, *newer;
    uint64_t serial;  /* rises with pending_begin in its shard: the order of the queue, nearly */
    int64_t begun_ns; /* monotonic */
    int64_t asked_ns; /* 0: never */
    int64_t accepted_ms;
    int64_t decided_ms, unit_price, total, receipt_no; /* DECIDED */
    int32_t quantity;
    uint16_t attempts; /* submissions that are out */
    uint8_t shard;
    uint8_t state;
    uint8_t reason;    /* enum reject_reason; DECIDED */
    uint8_t denials;   /* pending_not_decided */
    bool confirmed;    /* DECIDED */
    bool maybe_queued; /* an attempt ended as UNKNOWN */
    uint8_t user_len;
    char order_id[ORDER_ID_SIZE];
    char names[]; /* user_id, NUL, sku, NUL */
};

struct entry_list {
    struct entry *oldest, *newest;
    int64_t count;
};

struct shard {
    struct entry_list undecided;
    _Atomic int64_t slots; /* = undecided.count, for readers without the lock */
    uint64_t next_serial;
    uint64_t decided_serial; /* the highest one that was decided */
    int64_t window_ns, window_decided;
    double rate;
};

struct pending {
    pthread_mutex_t lock; /* over everything but slots */
    struct entry **buckets;
    size_t bucket_count, entry_count;
    struct entry_list remembered;
    int64_t keep_decided;
    struct pending_counts counts;
    struct shard shards[MAX_SHARDS];
};

/* The last 8 characters hold the MAC, which is as good as random. */
static size_t bucket_of(const struct pending *p, const char *id)
{
    uint64_t tail;
    memcpy(&tail, id + ORDER_ID_CHARS - sizeof tail, sizeof tail);
    return (size_t)((tail * 0x9E3779B97F4A7C15ULL) >> 32) &
           (p->bucket_count - 1); /* Fibonacci hashing, Knuth 6.4 */
}

struct pending *pending_new(int64_t keep_decided)
{
    struct pending *p = xcalloc(1, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    p->bucket_count = FIRST_BUCKETS;
    p->buckets = xcalloc(p->bucket_count, sizeof *p->buckets);
    p->keep_decided = keep_decided;
    return p;
}

void pending_free(struct pending *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->bucket_count; i++)
        for (struct entry *e = p->buckets[i], *next; e; e = next) {
            next = e->chain;
            free(e);
        }
    free(p->buckets);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* ---- the table and the lists; all assume the lock ---- */

static struct entry *table_find(const struct pending *p, const char *id)
{
    struct entry *e = p->buckets[bucket_of(p, id)];
    while (e && memcmp(e->order_id, id, ORDER_ID_CHARS) != 0)
        e = e->chain;
    return e;
}

static void table_grow(struct pending *p)
{
    struct entry **old = p->buckets;
    size_t old_count = p->bucket_count;
    p->bucket_count *= 2;
    p->buckets = xcalloc(p->bucket_count, sizeof *p->buckets);
    for (size_t i = 0; i < old_count; i++)
        for (struct entry *e = old[i], *next; e; e = next) {
            next = e->chain;
            size_t b = bucket_of(p, e->order_id);
            e->chain = p->buckets[b];
            p->buckets[b] = e;
        }
    free(old);
}

static void table_add(struct pending *p, struct entry *e)
{
    if (p->entry_count >= p->bucket_count)
        table_grow(p);
    size_t b = bucket_of(p, e->order_id);
    e->chain = p->buckets[b];
    p->buckets[b] = e;
    p->entry_count++;
}

static void table_remove(struct pending *p, struct entry *e)
{
    struct entry **link = &p->buckets[bucket_of(p, e->order_id)];
    while (*link != e)
        link = &(*link)->chain;
    *link = e->chain;
    p->entry_count--;
}

static void list_add(struct entry_list *l, struct entry *e)
{
    e->older = l->newest;
    e->newer = NULL;
    if (l->newest)
        l->newest->newer = e;
    else
        l->oldest = e;
    l->newest = e;
    l->count++;
}

static void list_remove(struct entry_list *l, struct entry *e)
{
    if (e->older)
        e->older->newer = e->newer;
    else
        l->oldest = e->newer;
    if (e->newer)
        e->newer->older = e->older;
    else
        l->newest = e->older;
    l->count--;
}

/* ---- moves between the states; all assume the lock ---- */

static void slot_take(struct pending *p, struct entry *e)
{
    struct shard *s = &p->shards[e->shard];
    e->serial = ++s->next_serial;
    list_add(&s->undecided, e);
    atomic_store_explicit(&s->slots, s->undecided.count, memory_order_relaxed);
}

static void slot_return(struct pending *p, struct entry *e)
{
    struct shard *s = &p->shards[e->shard];
    list_remove(&s->undecided, e);
    atomic_store_explicit(&s->slots, s->undecided.count, memory_order_relaxed);
}

static void remember(struct pending *p, struct entry *e, enum state state)
{
    e->state = (uint8_t)state;
    list_add(&p->remembered, e);
    if (p->remembered.count > p->keep_decided) {
        struct entry *oldest = p->remembered.oldest;
        list_remove(&p->remembered, oldest);
        table_remove(p, oldest);
        free(oldest);
    }
}

static bool holds_slot(const struct entry *e)
{
    return e->state == SUBMITTING || e->state == ACCEPTED;
}

static struct entry *entry_new(const struct order *order, uint8_t shard)
{
    size_t user_len = strlen(order->user_id), sku_len = strlen(order->sku);
    struct entry *e = xmalloc(sizeof *e + user_len + sku_len + 2);
    *e = (struct entry){
        .begun_ns = clock_mono_ns(),
        .accepted_ms = order->accepted_ms,
        .quantity = order->quantity,
        .attempts = 1,
        .shard = shard,
        .state = SUBMITTING,
        .user_len = (uint8_t)user_len,
    };
    memcpy(e->order_id, order->order_id, ORDER_ID_SIZE);
    memcpy(e->names, order->user_id, user_len + 1);
    memcpy(e->names + user_len + 1, order->sku, sku_len + 1);
    return e;
}

enum pending_claim pending_begin(struct pending *p, const struct order *order, uint8_t shard,
                                 int64_t max_pending)
{
    enum pending_claim claim = PENDING_BEGUN;
    pthread_mutex_lock(&p->lock);
    struct entry *e = table_find(p, order->order_id);
    bool full = max_pending > 0 && p->shards[shard].undecided.count >= max_pending;
    if (e && (e->state == ACCEPTED || e->state == DECIDED)) {
        claim = PENDING_KNOWN;
    } else if (e && e->state == SUBMITTING) {
        e->attempts++;
    } else if (full) {
        claim = PENDING_FULL;
    } else if (e) { /* its outcome was unknown: another attempt */
        list_remove(&p->remembered, e);
        e->attempts++;
        e->state = SUBMITTING;
        e->begun_ns = clock_mono_ns();
        slot_take(p, e);
    } else {
        e = entry_new(order, shard);
        table_add(p, e);
        slot_take(p, e);
    }
    pthread_mutex_unlock(&p->lock);
    return claim;
}

bool pending_is_accepted(struct pending *p, const char order_id[ORDER_ID_SIZE])
{
    pthread_mutex_lock(&p->lock);
    const struct entry *e = table_find(p, order_id);
    bool accepted = e && (e->state == ACCEPTED || e->state == DECIDED);
    pthread_mutex_unlock(&p->lock);
    return accepted;
}

static void settle_one(struct pending *p, const struct submission *s)
{
    struct entry *e = table_find(p, s->order.order_id);
    if (!e)
        return; /* decided, and pushed out of memory since */
    if (e->attempts > 0)
        e->attempts--;
    if (s->verdict == SUBMIT_UNKNOWN)
        e->maybe_queued = true;
    if (s->verdict == SUBMIT_ACCEPTED && e->state == UNKNOWN) {
        list_remove(&p->remembered, e);
        slot_take(p, e);
        e->state = ACCEPTED;
    } else if (s->verdict == SUBMIT_ACCEPTED && e->state == SUBMITTING) {
        e->state = ACCEPTED;
    } else if (e->state == SUBMITTING && e->attempts == 0) {
        slot_return(p, e);
        if (e->maybe_queued) {
            remember(p, e, UNKNOWN);
        } else {
            table_remove(p, e);
            free(e);
        }
    }
}

void pending_settle(struct pending *p, const struct submission_list *list)
{
    pthread_mutex_lock(&p->lock);
    for (const struct submission *s = list->head; s; s = s->next)
        settle_one(p, s);
    pthread_mutex_unlock(&p->lock);
}

/* The drain rate is a mean over windows of half a second, the newer half counting as much as all before. */
static void count_drained(struct shard *s, int64_t now_ns)
{
    s->window_decided++;
    int64_t elapsed = now_ns - s->window_ns;
    if (elapsed < RATE_WINDOW_NS)
        return;
    double rate = (double)s->window_decided * (double)NS_PER_S / (double)elapsed;
    s->rate = s->rate > 0 && elapsed < RATE_STALE_NS ? (s->rate + rate) / 2 : rate;
    s->window_ns = now_ns;
    s->window_decided = 0;
}

static void decide_one(struct pending *p, const struct decision *d, int64_t now_ns)
{
    struct entry *e = table_find(p, d->order_id);
    if (!e) {
        p->counts.decisions_unmatched++;
        return;
    }
    if (e->state == DECIDED)
        return; /* a redelivery's decision, sent again */
    struct shard *s = &p->shards[e->shard];
    count_drained(s, now_ns);
    if (e->serial > s->decided_serial)
        s->decided_serial = e->serial;
    if (holds_slot(e))
        slot_return(p, e);
    else
        list_remove(&p->remembered, e);
    e->confirmed = d->status == ORDER_CONFIRMED;
    e->decided_ms = d->at_ms;
    e->unit_price = d->unit_price;
    e->total = d->total;
    e->receipt_no = d->receipt_no;
    e->reason = (uint8_t)d->reason;
    e->quantity = d->quantity; /* the first body stands, whoever sent it */
    if (e->confirmed)
        p->counts.decided_confirmed++;
    else
        p->counts.decided_rejected++;
    remember(p, e, DECIDED);
}

void pending_decide(struct pending *p, const struct decision *decisions, int count)
{
    int64_t now_ns = clock_mono_ns();
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < count; i++)
        decide_one(p, &decisions[i], now_ns);
    pthread_mutex_unlock(&p->lock);
}

static void view_of(const struct entry *e, struct pending_view *out)
{
    *out = (struct pending_view){
        .order = {.quantity = e->quantity, .accepted_ms = e->accepted_ms},
    };
    memcpy(out->order.order_id, e->order_id, ORDER_ID_SIZE);
    memcpy(out->order.user_id, e->names, (size_t)e->user_len + 1);
    strcpy(out->order.sku, e->names + e->user_len + 1); /* fits: it came out of an order's sku */
    if (e->state != DECIDED) {
        out->status = e->state == ACCEPTED ? ORDER_ACCEPTED : ORDER_UNKNOWN;
        return;
    }
    out->status = e->confirmed ? ORDER_CONFIRMED : ORDER_REJECTED;
    out->decision = (struct decision){
        .status = out->status,
        .quantity = e->quantity,
        .at_ms = e->decided_ms,
        .reason = (enum reject_reason)e->reason,
        .unit_price = e->unit_price,
        .total = e->total,
        .receipt_no = e->receipt_no,
    };
    memcpy(out->decision.order_id, e->order_id, ORDER_ID_SIZE);
    memcpy(out->decision.user_id, out->order.user_id, NAME_SIZE);
    memcpy(out->decision.sku, out->order.sku, NAME_SIZE);
}

bool pending_find(struct pending *p, const char order_id[ORDER_ID_SIZE], struct pending_view *out)
{
    pthread_mutex_lock(&p->lock);
    const struct entry *e = table_find(p, order_id);
    if (e)
        view_of(e, out);
    pthread_mutex_unlock(&p->lock);
    return e != NULL;
}

int64_t pending_backlog(struct pending *p, uint8_t shard)
{
    return atomic_load_explicit(&p->shards[shard].slots, memory_order_relaxed);
}

int64_t pending_oldest_age_ms(struct pending *p, uint8_t shard)
{
    pthread_mutex_lock(&p->lock);
    const struct entry *e = p->shards[shard].undecided.oldest;
    while (e && e->state != ACCEPTED)
        e = e->newer;
    int64_t age = e ? (clock_mono_ns() - e->begun_ns) / NS_PER_MS : 0;
    pthread_mutex_unlock(&p->lock);
    return age;
}

double pending_drain_rate(struct pending *p, uint8_t shard)
{
    int64_t now_ns = clock_mono_ns();
    pthread_mutex_lock(&p->lock);
    const struct shard *s = &p->shards[shard];
    int64_t elapsed = now_ns - s->window_ns;
    double rate =
        elapsed < RATE_STALE_NS ? s->rate : (double)s->window_decided * (double)NS_PER_S / (double)elapsed;
    pthread_mutex_unlock(&p->lock);
    return rate;
}

int pending_overdue(struct pending *p, uint8_t shard, int64_t min_age_ms, int max, char (*ids)[ORDER_ID_SIZE])
{
    int64_t now_ns = clock_mono_ns(), before_ns = now_ns - min_age_ms * NS_PER_MS;
    int count = 0, scanned = 0;
    pthread_mutex_lock(&p->lock);
    for (struct entry *e = p->shards[shard].undecided.oldest;
         e && e->begun_ns <= before_ns && count < max && scanned < MAX_OVERDUE_SCAN;
         e = e->newer, scanned++) {
        if (e->state != ACCEPTED || (e->asked_ns && e->asked_ns > before_ns))
            continue;
        e->asked_ns = now_ns;
        memcpy(ids[count++], e->order_id, ORDER_ID_SIZE);
    }
    pthread_mutex_unlock(&p->lock);
    return count;
}

void pending_not_decided(struct pending *p, const char order_id[ORDER_ID_SIZE])
{
    bool given_up = false;
    pthread_mutex_lock(&p->lock);
    struct entry *e = table_find(p, order_id);
    if (e && e->state == ACCEPTED && e->serial < p->shards[e->shard].decided_serial &&
        ++e->denials >= GIVE_UP_AFTER) {
        slot_return(p, e);
        remember(p, e, UNKNOWN);
        p->counts.given_up++;
        given_up = true;
    }
    pthread_mutex_unlock(&p->lock);
    if (given_up)
        log_error("order_given_up",
                  "order=%s reason=\"confirmed by the broker, but inventory does not know it and decided "
                  "later ones\"",
                  order_id);
}

struct pending_counts pending_counts(struct pending *p)
{
    pthread_mutex_lock(&p->lock);
    struct pending_counts counts = p->counts;
    counts.undecided = 0;
    for (int i = 0; i < MAX_SHARDS; i++)
        counts.undecided += p->shards[i].undecided.count;
    counts.remembered = p->remembered.count;
    pthread_mutex_unlock(&p->lock);
    return counts;
}
