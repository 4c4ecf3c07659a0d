/* The front end's sign of life, and those of others. See heartbeat.h. */
#include "common/base/log.h"
#include "services/order/publisher_internal.h"

static int64_t counted(const struct publisher *p, enum metric which)
{
    return (int64_t)atomic_load_explicit(&p->options.metrics->value[which], memory_order_relaxed);
}

static int64_t oldest_ms(const struct publisher *p)
{
    int64_t oldest = 0;
    for (int shard = 0; shard < p->options.settings->topology.shards; shard++) {
        int64_t age = pending_oldest_age_ms(p->options.pending, (uint8_t)shard);
        if (age > oldest)
            oldest = age;
    }
    return oldest;
}

int publisher_beat(struct publisher *p, int64_t now_ns)
{
    struct heartbeat *h = &p->heartbeat;
    if (now_ns < p->beat.due_ns)
        return 0;
    h->handled = counted(p, METRIC_ACCEPTED);
    h->errors = counted(p, METRIC_UNAVAILABLE) + counted(p, METRIC_OUTCOME_UNKNOWN);
    h->backlog = pending_counts(p->options.pending).undecided;
    h->lag_ms = oldest_ms(p);
    heartbeat_measure(h, &p->beat, now_ns);
    return heartbeat_send(h, p->session.publish);
}

void publisher_take_heartbeat(struct publisher *p, struct slice body)
{
    struct heartbeat h;
    struct detail why;
    if (heartbeat_decode(body, &h, &why) == 0)
        alive_heard(p->options.alive, &h, clock_mono_ns());
    else
        log_warn("heartbeat_unreadable", "reason=\"%s\"", why.text);
}
