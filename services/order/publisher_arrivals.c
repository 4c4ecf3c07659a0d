/* What comes in on the two connections of the broker thread. See publisher_internal.h. */
#include <inttypes.h>

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/pipeline/names.h"
#include "services/order/order_log.h"
#include "services/order/publisher_internal.h"

#define DECISIONS_AT_ONCE 64
#define CLOCK_WARN_MS     250 /* between inventory's clock and ours */
#define CLOCK_WARN_NS     (60 * NS_PER_S)

static void on_confirmed(void *context, uint64_t tag, bool multiple, bool ack)
{
    struct publisher *p = context;
    enum submit_verdict verdict;
    if (!ack)
        renewal_refused(&p->renewal, clock_mono_ns());
    for (struct batch *b; (b = inflight_confirm(&p->inflight, tag, multiple, ack, &verdict));)
        publisher_end_batch(p, b, verdict);
}

static void on_returned(void *context, const struct broker_returned *r)
{
    struct publisher *p = context;
    if (rpc_client_returned(p->asker.rpc, r))
        return;
    const struct broker_header *seq = broker_header_find(&r->properties, HEADER_SEQ);
    struct batch *b = seq ? inflight_find(&p->inflight, seq->number) : NULL;
    if (b)
        b->returned = true; /* its confirm follows */
    FAULT_POINT("arrivals.returned");
    log_error("batch_returned", "seq=%" PRId64 " code=%d reason=\"%.*s\" exchange=%.*s key=%.*s",
              seq ? seq->number : -1, r->reply_code, (int)r->reply_text.len, r->reply_text.data,
              (int)r->exchange.len, r->exchange.data, (int)r->routing_key.len, r->routing_key.data);
}

static void on_blocked(void *context, bool blocked, struct slice reason)
{
    struct publisher *p = context;
    log_warn(blocked ? "broker_blocked" : "broker_unblocked", "reason=\"%.*s\"", (int)reason.len,
             reason.data);
    if (blocked) {
        atomic_store(&p->state, BROKER_BLOCKED);
        atomic_store(&p->next_attempt_ns, clock_mono_ns() + RECONNECT_NS);
        coalescer_close(p->coalescer);
        publisher_refuse_waiting(p, REFUSED_BLOCKED);
        status_desk_cannot_ask(p->options.desk);
        packet_desk_cannot_ask(p->options.packets);
        admin_desk_cannot_ask(p->options.admin);
    } else {
        publisher_take_orders(p);
    }
}

static void take_decisions(struct publisher *p, struct slice body)
{
    struct decision decisions[DECISIONS_AT_ONCE];
    struct slice line;
    struct detail why;
    int count = 0;
    uint64_t total = 0;
    while (line_next(&body, &line)) {
        if (decision_decode(line, &decisions[count], &why) != 0) {
            log_warn("decision_unreadable", "reason=\"%s\"", why.text);
            continue;
        }
        if (publisher_logs_orders(p))
            order_log_decided(&decisions[count]);
        total++;
        if (++count == DECISIONS_AT_ONCE) {
            ask_status_decided(&p->asker, decisions, count);
            count = 0;
        }
    }
    ask_status_decided(&p->asker, decisions, count);
    FAULT_POINT("arrivals.decided");
    metric_add(p->options.metrics, METRIC_DECISIONS, total);
}

/* Sale windows are judged by our clock here and by inventory's there. The way of the message is part of the
 * difference. */
static void compare_clocks(struct publisher *p, int64_t theirs_ms)
{
    int64_t ahead_ms = clock_wall_ms() - theirs_ms, now_ns = clock_mono_ns();
    rpc_client_servers_clock(p->asker.rpc, -ahead_ms);
    atomic_store_explicit(&p->options.metrics->clock_ahead_ms, ahead_ms, memory_order_relaxed);
    bool off = ahead_ms > CLOCK_WARN_MS || ahead_ms < -CLOCK_WARN_MS;
    if (!off || (p->clock_warned_ns && now_ns - p->clock_warned_ns < CLOCK_WARN_NS))
        return;
    p->clock_warned_ns = now_ns;
    log_warn("clocks_differ", "ahead_of_inventory_ms=%" PRId64, ahead_ms);
}

static void take_snapshot(struct publisher *p, struct slice body)
{
    struct snapshot snapshot;
    struct detail why;
    if (snapshot_decode(body, &snapshot, &why) != 0) {
        log_warn("snapshot_unreadable", "reason=\"%s\"", why.text);
        return;
    }
    compare_clocks(p, snapshot.at_ms);
    catalogue_update(p->options.catalogue, &snapshot, clock_mono_ns());
    FAULT_POINT("arrivals.snapshot");
    status_desk_heard_of(p->options.desk, snapshot.shard);
    snapshot_free(&snapshot);
    metric_add(p->options.metrics, METRIC_SNAPSHOTS, 1);
}

static void on_delivery(void *context, const struct broker_delivery *d)
{
    struct publisher *p = context;
    if (slice_is(d->consumer, CONSUMER_STOCK) && heartbeat_is(&d->properties))
        publisher_take_heartbeat(p, d->body);
    else if (slice_is(d->consumer, CONSUMER_STOCK))
        take_snapshot(p, d->body);
    else if (!rpc_client_delivery(p->asker.rpc, d))
        take_decisions(p, d->body);
}

static void on_cancelled(void *context, struct slice consumer)
{
    struct publisher *p = context;
    log_warn("consumer_cancelled", "consumer=%.*s", (int)consumer.len, consumer.data);
    broker_connection_shutdown(broker_connection_fd(p->session.consume)); /* the next read finds it dead */
}

void publisher_pump(struct publisher *p)
{
    const struct broker_events events = {
        .context = p,
        .delivery = on_delivery,
        .confirmed = on_confirmed,
        .returned = on_returned,
        .blocked = on_blocked,
        .cancelled = on_cancelled,
    };
    struct detail why;
    if (broker_connection_pump(p->session.publish, &events, 0, &why) < 0 ||
        broker_connection_pump(p->session.consume, &events, 0, &why) < 0)
        publisher_lose_session(p, why.text);
}
