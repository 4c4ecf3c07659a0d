/*
 * The orders of this front end in memory. See pending.h.
 *
 * One table by id (order_table.h), one lock. Each entry is in exactly one list: the undecided ones of its
 * shard (SUBMITTING, ACCEPTED: these hold the slots), or the remembered ones (DECIDED, UNKNOWN: pushed out
 * oldest first).
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
#include "services/order/order_table.h"

#define RATE_WINDOW_NS   (NS_PER_S / 2)
#define RATE_STALE_NS    (3 * NS_PER_S)
#define MAX_OVERDUE_SCAN 4000 /* entries that pending_overdue looks at */
#define GIVE_UP_AFTER    3    /* answers "not decided" while later orders have been */

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
    struct order_table table;
    struct entry_list remembered;
    int64_t keep_decided;
    struct pending_counts counts;
    struct shard shards[MAX_SHARDS];
};

struct pending *pending_new(int64_t keep_decided)
{
    struct pending *p = xcalloc(1, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    order_table_init(&p->table);
    p->keep_decided = keep_decided;
    return p;
}

void pending_free(struct pending *p)
{
    if (!p)
        return;
    order_table_free(&p->table);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* ---- moves between the states; all assume the lock ---- */

static void slot_take(struct pending *p, struct entry *e)
{
    struct shard *s = &p->shards[e->shard];
    e->waiting.serial = ++s->next_serial;
    entry_list_add(&s->undecided, e);
    atomic_store_explicit(&s->slots, s->undecided.count, memory_order_relaxed);
}

static void slot_return(struct pending *p, struct entry *e)
{
    struct shard *s = &p->shards[e->shard];
    entry_list_remove(&s->undecided, e);
    atomic_store_explicit(&s->slots, s->undecided.count, memory_order_relaxed);
}

static void remember(struct pending *p, struct entry *e, enum entry_state state)
{
    e->state = (uint8_t)state;
    entry_list_add(&p->remembered, e);
    if (p->remembered.count > p->keep_decided) {
        struct entry *oldest = p->remembered.oldest;
        entry_list_remove(&p->remembered, oldest);
        order_table_remove(&p->table, oldest);
    }
}

static bool holds_slot(const struct entry *e)
{
    return e->state == SUBMITTING || e->state == ACCEPTED;
}

enum pending_claim pending_begin(struct pending *p, const struct order *order, uint8_t shard,
                                 int64_t max_pending)
{
    enum pending_claim claim = PENDING_BEGUN;
    pthread_mutex_lock(&p->lock);
    struct entry *e = order_table_find(&p->table, order->order_id);
    bool full = max_pending > 0 && p->shards[shard].undecided.count >= max_pending;
    if (e && (e->state == ACCEPTED || e->state == DECIDED)) {
        claim = PENDING_KNOWN;
    } else if (e && e->state == SUBMITTING) {
        e->attempts++;
    } else if (full) {
        claim = PENDING_FULL;
    } else if (e) { /* its outcome was unknown: another attempt */
        entry_list_remove(&p->remembered, e);
        e->attempts++;
        e->state = SUBMITTING;
        e->waiting.begun_ns = clock_mono_ns();
        slot_take(p, e);
    } else {
        e = order_table_add(&p->table, order, shard, clock_mono_ns());
        slot_take(p, e);
    }
    pthread_mutex_unlock(&p->lock);
    return claim;
}

bool pending_is_accepted(struct pending *p, const char order_id[ORDER_ID_SIZE])
{
    pthread_mutex_lock(&p->lock);
    const struct entry *e = order_table_find(&p->table, order_id);
    bool accepted = e && (e->state == ACCEPTED || e->state == DECIDED);
    pthread_mutex_unlock(&p->lock);
    return accepted;
}

static void settle_one(struct pending *p, const struct submission *s)
{
    struct entry *e = order_table_find(&p->table, s->order.order_id);
    if (!e)
        return; /* decided, and pushed out of memory since */
    if (e->attempts > 0)
        e->attempts--;
    if (s->verdict == SUBMIT_UNKNOWN)
        e->maybe_queued = true;
    if (s->verdict == SUBMIT_ACCEPTED && e->state == UNKNOWN) {
        entry_list_remove(&p->remembered, e);
        slot_take(p, e);
        e->state = ACCEPTED;
    } else if (s->verdict == SUBMIT_ACCEPTED && e->state == SUBMITTING) {
        e->state = ACCEPTED;
    } else if (e->state == SUBMITTING && e->attempts == 0) {
        slot_return(p, e);
        if (e->maybe_queued) {
            remember(p, e, UNKNOWN);
        } else {
            order_table_remove(&p->table, e);
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
    struct entry *e = order_table_find(&p->table, d->order_id);
    if (!e) {
        p->counts.decisions_unmatched++;
        return;
    }
    if (e->state == DECIDED)
        return; /* a redelivery's decision, sent again */
    struct shard *s = &p->shards[e->shard];
    count_drained(s, now_ns);
    if (e->waiting.serial > s->decided_serial)
        s->decided_serial = e->waiting.serial;
    if (holds_slot(e))
        slot_return(p, e);
    else
        entry_list_remove(&p->remembered, e);
    e->confirmed = d->status == ORDER_CONFIRMED;
    e->decided.at_ms = d->at_ms; /* from here on it is no longer the one that waits */
    e->decided.unit_price = d->unit_price;
    e->decided.total = d->total;
    e->decided.receipt_no = d->receipt_no;
    e->decided.packet = PACKET_UNKNOWN;
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

void pending_note_packet(struct pending *p, const char order_id[ORDER_ID_SIZE], int64_t packet)
{
    pthread_mutex_lock(&p->lock);
    struct entry *e = order_table_find(&p->table, order_id);
    if (e && e->state == DECIDED && e->confirmed)
        e->decided.packet = packet;
    pthread_mutex_unlock(&p->lock);
}

int64_t pending_packet(struct pending *p, const char order_id[ORDER_ID_SIZE])
{
    pthread_mutex_lock(&p->lock);
    const struct entry *e = order_table_find(&p->table, order_id);
    int64_t packet = e && e->state == DECIDED ? e->decided.packet : PACKET_UNKNOWN;
    pthread_mutex_unlock(&p->lock);
    return packet;
}

static void view_of(const struct entry *e, struct pending_view *out)
{
    *out = (struct pending_view){
        .order = {.quantity = e->quantity, .accepted_ms = e->accepted_ms},
    };
    entry_id(e, out->order.order_id);
    strcpy(out->order.user_id, entry_user(e)); /* these fit: they came out of an order */
    strcpy(out->order.sku, entry_sku(e));
    if (e->state != DECIDED) {
        out->status = e->state == ACCEPTED ? ORDER_ACCEPTED : ORDER_UNKNOWN;
        return;
    }
    out->status = e->confirmed ? ORDER_CONFIRMED : ORDER_REJECTED;
    out->decision = (struct decision){
        .status = out->status,
        .quantity = e->quantity,
        .at_ms = e->decided.at_ms,
        .reason = (enum reject_reason)e->reason,
        .unit_price = e->decided.unit_price,
        .total = e->decided.total,
        .receipt_no = e->decided.receipt_no,
    };
    memcpy(out->decision.order_id, out->order.order_id, ORDER_ID_SIZE);
    memcpy(out->decision.user_id, out->order.user_id, NAME_SIZE);
    memcpy(out->decision.sku, out->order.sku, NAME_SIZE);
}

bool pending_find(struct pending *p, const char order_id[ORDER_ID_SIZE], struct pending_view *out)
{
    pthread_mutex_lock(&p->lock);
    const struct entry *e = order_table_find(&p->table, order_id);
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
    int64_t age = e ? (clock_mono_ns() - e->waiting.begun_ns) / NS_PER_MS : 0;
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
         e && e->waiting.begun_ns <= before_ns && count < max && scanned < MAX_OVERDUE_SCAN;
         e = e->newer, scanned++) {
        if (e->state != ACCEPTED || (e->waiting.asked_ns && e->waiting.asked_ns > before_ns))
            continue;
        e->waiting.asked_ns = now_ns;
        entry_id(e, ids[count++]);
    }
    pthread_mutex_unlock(&p->lock);
    return count;
}

void pending_not_decided(struct pending *p, const char order_id[ORDER_ID_SIZE])
{
    bool given_up = false;
    pthread_mutex_lock(&p->lock);
    struct entry *e = order_table_find(&p->table, order_id);
    if (e && e->state == ACCEPTED && e->waiting.serial < p->shards[e->shard].decided_serial &&
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
