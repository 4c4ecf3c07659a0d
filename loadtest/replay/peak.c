/* The peak: the plan's requests on their way. */
#include "loadtest/replay/peak.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "loadtest/replay/request.h"

struct sender {
    struct peak_share *share;
    struct request_maker maker;
    size_t at; /* the next request */
    int64_t end_ns;
};

/* ---- Counts ---- */

void peak_counts_init(struct peak_counts *c, int64_t slot_ns)
{
    *c = (struct peak_counts){0};
    histogram_init(&c->latency, HISTOGRAM_FINE);
    histogram_init(&c->service, HISTOGRAM_FINE);
    histogram_init(&c->accepted_latency, HISTOGRAM_FINE);
    timeline_init(&c->timeline, slot_ns);
}

void peak_counts_free(struct peak_counts *c)
{
    histogram_free(&c->latency);
    histogram_free(&c->service);
    histogram_free(&c->accepted_latency);
    timeline_free(&c->timeline);
    free(c->orders);
    *c = (struct peak_counts){0};
}

static void add_order(struct peak_counts *c, const struct accepted *order)
{
    if (c->order_count == c->order_room) {
        c->order_room = c->order_room ? 2 * c->order_room : 1024;
        c->orders = xrealloc(c->orders, c->order_room * sizeof *c->orders);
    }
    c->orders[c->order_count++] = *order;
}

void peak_counts_merge(struct peak_counts *into, const struct peak_counts *from)
{
    into->sent += from->sent;
    into->answered += from->answered;
    into->not_sent += from->not_sent;
    into->accepted += from->accepted;
    into->refused += from->refused;
    for (int i = 0; i < ENGINE_ENDS; i++)
        into->ends[i] += from->ends[i];
    into->nameless += from->nameless;
    tally_merge(&into->tally, &from->tally);
    histogram_merge(&into->latency, &from->latency);
    histogram_merge(&into->service, &from->service);
    histogram_merge(&into->accepted_latency, &from->accepted_latency);
    timeline_merge(&into->timeline, &from->timeline);
    if (from->last_ns > into->last_ns)
        into->last_ns = from->last_ns;
    for (size_t i = 0; i < from->order_count; i++)
        add_order(into, &from->orders[i]);
}

/* Of one thread, so no read-modify-write is needed. */
static void live_add(atomic_llong *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* ---- The source ---- */

/* What is not sent by the end waited in vain until then. */
static void give_up_rest(struct sender *s, int64_t now_ns)
{
    struct peak_share *share = s->share;
    for (; s->at < share->plan->count; s->at += share->step) {
        const int64_t due_ns = share->start_ns + share->plan->intents[s->at].at_ns;
        share->counts.not_sent++;
        if (due_ns < now_ns)
            histogram_add(&share->counts.latency, (now_ns - due_ns) / 1000);
    }
}

static bool next_request(void *context, int64_t now_ns, struct engine_job *job, struct buffer *bytes,
                         int64_t *ask_ns)
{
    struct sender *s = context;
    struct peak_share *share = s->share;
    *ask_ns = INT64_MAX;
    if (s->at >= share->plan->count)
        return false;
    const struct intent *n = &share->plan->intents[s->at];
    const int64_t due_ns = share->start_ns + n->at_ns;
    if (due_ns > now_ns) {
        *ask_ns = due_ns;
        return false;
    }
    if (now_ns > s->end_ns) {
        give_up_rest(s, now_ns);
        return false;
    }
    *job = (struct engine_job){.due_ns = due_ns, .ticket = (uint32_t)s->at};
    request_post(&s->maker, share->plan, n, bytes);
    s->at += share->step;
    share->counts.sent++;
    timeline_add(&share->counts.timeline, now_ns - share->start_ns, MOMENT_SENT);
    live_add(&share->live.sent);
    atomic_store_explicit(&share->live.late_ns, now_ns - due_ns, memory_order_relaxed);
    return true;
}

static bool is_over(void *context, int64_t now_ns)
{
    struct sender *s = context;
    if (s->at < s->share->plan->count && now_ns > s->end_ns)
        give_up_rest(s, now_ns);
    return s->at >= s->share->plan->count;
}

static void take_accepted(struct peak_share *share, uint32_t ticket, struct slice body)
{
    struct accepted order = {.intent = ticket};
    const struct slice id = response_member(body, "\"order_id\"");
    if (id.len != ORDER_ID_LEN) {
        share->counts.nameless++;
        return;
    }
    memcpy(order.order_id, id.data, ORDER_ID_LEN);
    add_order(&share->counts, &order);
}

static void take_answer(struct peak_share *share, const struct engine_job *job, int64_t at_ns,
                        int64_t latency_us, const struct response *r)
{
    struct peak_counts *c = &share->counts;
    c->answered++;
    if (r->status == 202) {
        c->accepted++;
        live_add(&share->live.accepted);
        tally_add(&c->tally, 202, (struct slice){0}, 1);
        histogram_add(&c->accepted_latency, latency_us);
        timeline_add(&c->timeline, at_ns, MOMENT_ACCEPTED);
        take_accepted(share, job->ticket, r->body);
        return;
    }
    tally_add(&c->tally, r->status, response_member(r->body, "\"code\""), 1);
    if (r->status < 400)
        return;
    c->refused++;
    live_add(&share->live.refused);
    timeline_add(&c->timeline, at_ns, MOMENT_REFUSED);
}

static void request_done(void *context, const struct engine_job *job, int64_t sent_ns, int64_t now_ns,
                         enum engine_end end, const struct response *r)
{
    struct sender *s = context;
    struct peak_share *share = s->share;
    struct peak_counts *c = &share->counts;
    const int64_t at_ns = now_ns - share->start_ns, latency_us = (now_ns - job->due_ns + 500) / 1000;
    c->ends[end]++;
    if (at_ns > c->last_ns)
        c->last_ns = at_ns;
    if (r) {
        histogram_add(&c->service, (now_ns - sent_ns + 500) / 1000);
        take_answer(share, job, at_ns, latency_us, r);
    } else {
        live_add(&share->live.failed);
        timeline_add(&c->timeline, at_ns, MOMENT_FAILED);
    }
    if (r || end == ENGINE_TIMEOUT) {
        histogram_add(&c->latency, latency_us);
        timeline_latency(&c->timeline, at_ns, latency_us);
    }
}

void peak_run(struct peak_share *share)
{
    struct sender s = {.share = share, .at = share->first};
    const struct engine_source source = {
        .context = &s, .next = next_request, .done = request_done, .is_over = is_over};
    s.end_ns = share->start_ns + share->plan->intents[share->plan->count - 1].at_ns + share->overtime_ns;
    request_maker_init(&s.maker, share->host);
    engine_run(share->engine, &source, share->timeout_ns, share->stop);
    for (; s.at < share->plan->count; s.at += share->step) /* after a stop: those that nobody waited for */
        share->counts.not_sent++;
    request_maker_free(&s.maker);
}
