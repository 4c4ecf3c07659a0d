/* What the connections bring: messages for the hand, questions, confirms, alarms. */
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/pipeline/worker_internal.h"

static void answer_question(struct worker *w, const struct broker_delivery *d)
{
    if (w->fault || w->link.lost)
        return;
    link_guard_begin(w);
    w->fault = rpc_server_delivery(w->rpc, d, w->link.publish, clock_wall_ms());
    link_guard_end();
    if (w->fault)
        log_error("rpc_fault", "what=\"%s\" sqlite=\"%s\"", error_text(w->fault), store_error(w->store));
    w->tick_due_ns = 0; /* what it changed is to be seen soon */
}

void worker_answer_kept(struct worker *w)
{
    for (size_t i = 0; i < w->questions.count; i++)
        answer_question(w, &w->questions.list[i]->delivery);
    questions_drop(&w->questions);
}

static void take(struct worker *w, const struct broker_delivery *d)
{
    struct inbound *m = inbound_copy(d);
    w->link.quiet_since_ns = clock_mono_ns();
    w->link.suspect = false;
    if (w->spec->handler.prepare)
        m->prepared = w->spec->handler.prepare(w->spec->context, m->body);
    hand_add(w->handling ? &w->next : &w->hand, m);
}

static void on_delivery(void *context, const struct broker_delivery *d)
{
    struct worker *w = context;
    if (!slice_is(d->consumer, CONSUMER_RPC))
        take(w, d);
    else if (w->handling)
        questions_keep(&w->questions, d);
    else
        answer_question(w, d);
}

static void on_cancelled(void *context, struct slice consumer)
{
    struct detail why;
    detail_set(&why, "the broker ended the consumer \"%.*s\"", (int)consumer.len, consumer.data);
    link_trouble(context, why.text);
}

static void on_confirmed(void *context, uint64_t tag, bool multiple, bool ack)
{
    struct worker *w = context;
    if (!ack)
        renewal_refused(&w->link.renewal, clock_mono_ns());
    outbox_relay_confirmed(w->relay, tag, multiple, ack, clock_mono_ns());
}

static void on_returned(void *context, const struct broker_returned *returned)
{
    struct worker *w = context;
    outbox_relay_returned(w->relay, returned);
}

static void on_blocked(void *context, bool blocked, struct slice reason)
{
    struct worker *w = context;
    char text[200], quoted[256];
    snprintf(text, sizeof text, "%.*s", (int)reason.len, reason.data ? reason.data : "");
    if (blocked != w->link.blocked)
        log_warn(blocked ? "broker_blocked" : "broker_unblocked", "why=%s",
                 log_quote(text, quoted, sizeof quoted));
    w->link.blocked = blocked;
}

int worker_pump(struct worker *w, struct broker_connection *c, int max_deliveries)
{
    const struct broker_events events = {.context = w,
                                         .delivery = on_delivery,
                                         .confirmed = on_confirmed,
                                         .returned = on_returned,
                                         .blocked = on_blocked,
                                         .cancelled = on_cancelled};
    struct detail why = {.text = ""};
    int result = broker_connection_pump(c, &events, max_deliveries, &why);
    if (result < 0)
        link_trouble(w, why.text);
    return w->link.lost ? -1 : result;
}

bool worker_gather(struct worker *w)
{
    int more = 1;
    while (more == 1 && !hand_is_full(w, &w->hand) && !w->fault)
        more = worker_pump(w, w->link.consume, DELIVERIES_A_PUMP);
    if (!w->link.lost)
        hand_aim(w);
    return more != 1;
}
