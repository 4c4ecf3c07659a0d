#include "services/order/query_stats.h"

#include <inttypes.h>

#include "common/base/clock.h"
#include "common/pipeline/names.h"

static uint64_t total_of(const struct front_end *fe, enum metric which)
{
    return atomic_load_explicit(&fe->metrics->value[which], memory_order_relaxed);
}

static const char *state_of(const struct front_end *fe)
{
    if (atomic_load_explicit(&fe->draining, memory_order_relaxed))
        return "draining";
    switch (publisher_state(fe->publisher)) {
    case BROKER_UNREACHABLE:
        return "no_broker";
    case BROKER_BLOCKED:
        return "broker_blocked";
    case BROKER_NO_LEDGER:
        return "no_ledger";
    case BROKER_USABLE:
        break;
    }
    return "taking_orders";
}

/* ---- answers ---- */

/* Those of POST /v1/orders, by the words that clients get. */
static const struct {
    enum metric metric;
    const char *word;
} verdicts[] = {
    {METRIC_ACCEPTED, "accepted"},
    {METRIC_MALFORMED, "malformed"},
    {METRIC_TOO_LARGE, "too_large"},
    {METRIC_UNSUPPORTED_TYPE, "unsupported_media_type"},
    {METRIC_INVALID, "invalid"},
    {METRIC_UNKNOWN_ITEM, "unknown_item"},
    {METRIC_SALE_NOT_STARTED, "sale_not_started"},
    {METRIC_SALE_ENDED, "sale_ended"},
    {METRIC_SALE_PAUSED, "sale_paused"},
    {METRIC_SOLD_OUT, "sold_out"},
    {METRIC_RATE_LIMITED, "rate_limited"},
    {METRIC_OVERLOADED, "overloaded"},
    {METRIC_UNAVAILABLE, "unavailable"},
    {METRIC_OUTCOME_UNKNOWN, "outcome_unknown"},
};

#define VERDICT_COUNT (sizeof verdicts / sizeof verdicts[0])

static void add_rate(struct buffer *b, const char *member, double per_second)
{
    buffer_printf(b, "\"%s\":%.1f", member, per_second);
}

static void add_verdicts(const struct front_end *fe, const struct stats_window *w, struct buffer *b)
{
    buffer_add_text(b, ",\"verdicts\":{");
    for (size_t i = 0; i < VERDICT_COUNT; i++) {
        buffer_printf(b, "%s\"%s\":{\"count\":%" PRIu64 ",", i ? "," : "", verdicts[i].word,
                      total_of(fe, verdicts[i].metric));
        add_rate(b, "rate", stats_per_second(w, w->value[verdicts[i].metric]));
        buffer_add_text(b, "}");
    }
    buffer_add_text(b, "}");
}

static void add_rates(const struct stats_window *w, struct buffer *b)
{
    uint64_t answers = 0;
    for (size_t i = 0; i < VERDICT_COUNT; i++)
        answers += w->value[verdicts[i].metric];
    buffer_add_text(b, ",\"rates\":{");
    add_rate(b, "http_requests", stats_per_second(w, w->value[METRIC_HTTP_REQUESTS]));
    buffer_add_text(b, ",");
    add_rate(b, "orders", stats_per_second(w, answers));
    buffer_add_text(b, ",");
    add_rate(b, "accepted", stats_per_second(w, w->value[METRIC_ACCEPTED]));
    buffer_add_text(b, ",");
    add_rate(b, "refused", stats_per_second(w, answers - w->value[METRIC_ACCEPTED]));
    buffer_add_text(b, ",");
    add_rate(b, "decided", stats_per_second(w, w->decided));
    buffer_add_text(b, "}");
}

static const struct {
    enum histogram histogram;
    const char *word;
} latencies[] = {
    {HISTOGRAM_ANSWER_ACCEPTED, "accepted"},
    {HISTOGRAM_ANSWER_REFUSED, "refused"},
    {HISTOGRAM_ANSWER_UNKNOWN, "outcome_unknown"},
    {HISTOGRAM_CONFIRM, "broker_confirm"},
};

static void add_quantile(struct buffer *b, const char *member, double us)
{
    if (us < 0)
        buffer_printf(b, ",\"%s\":null", member);
    else
        buffer_printf(b, ",\"%s\":%.3f", member, us / 1000);
}

static void add_latencies(const struct stats_window *w, struct buffer *b)
{
    buffer_add_text(b, ",\"latency_ms\":{");
    for (size_t i = 0; i < sizeof latencies / sizeof latencies[0]; i++) {
        const uint64_t *buckets = w->bucket[latencies[i].histogram];
        uint64_t count = 0;
        for (int j = 0; j <= HISTOGRAM_BOUNDS; j++)
            count += buckets[j];
        buffer_printf(b, "%s\"%s\":{\"count\":%" PRIu64, i ? "," : "", latencies[i].word, count);
        add_quantile(b, "p50", histogram_quantile(latencies[i].histogram, buckets, 0.50));
        add_quantile(b, "p99", histogram_quantile(latencies[i].histogram, buckets, 0.99));
        buffer_add_text(b, "}");
    }
    buffer_add_text(b, "}");
}

/* ---- shards ---- */

static void add_orders(const struct pending_counts *c, struct buffer *b)
{
    buffer_printf(b,
                  ",\"orders\":{\"undecided\":%" PRId64 ",\"confirmed\":%" PRIu64 ",\"rejected\":%" PRIu64
                  ",\"given_up\":%" PRIu64 "}",
                  c->undecided, c->decided_confirmed, c->decided_rejected, c->given_up);
}

static void add_backlog(const struct front_end *fe, struct buffer *b)
{
    buffer_add_text(b, ",\"backlog\":[");
    for (int shard = 0; shard < fe->shards; shard++) {
        buffer_printf(b, "%s{\"shard\":%d,\"orders\":%" PRId64 ",\"oldest_ms\":%" PRId64 ",",
                      shard ? "," : "", shard, pending_backlog(fe->pending, (uint8_t)shard),
                      pending_oldest_age_ms(fe->pending, (uint8_t)shard));
        add_rate(b, "decided_rate", pending_drain_rate(fe->pending, (uint8_t)shard));
        buffer_add_text(b, "}");
    }
    buffer_add_text(b, "]");
}

static void count_item(void *context, const struct item *item, int64_t age_ms)
{
    int64_t *items = context;
    (void)age_ms;
    items[item->shard]++;
}

static void add_catalogue(const struct front_end *fe, int64_t now_ns, struct buffer *b)
{
    int64_t items[MAX_SHARDS] = {0};
    catalogue_visit(fe->catalogue, now_ns, count_item, items);
    buffer_add_text(b, ",\"catalogue\":[");
    for (int shard = 0; shard < fe->shards; shard++) {
        int64_t age_ms = catalogue_shard_age_ms(fe->catalogue, shard, now_ns);
        buffer_printf(b, "%s{\"shard\":%d,\"items\":%" PRId64 ",\"age_ms\":", shard ? "," : "", shard,
                      items[shard]);
        if (age_ms < 0)
            buffer_add_text(b, "null}");
        else
            buffer_printf(b, "%" PRId64 "}", age_ms);
    }
    buffer_add_text(b, "]");
}

/* ---- the whole ---- */

struct service_listing {
    struct buffer *out;
    int count;
};

static void list_service(void *context, const struct heartbeat *h, int64_t last_seen_ms)
{
    struct service_listing *l = context;
    if (l->count++ > 0)
        buffer_add_text(l->out, ",");
    heartbeat_show(l->out, h, last_seen_ms);
}

void query_stats(struct front_end *fe, struct http_reply *reply)
{
    int64_t now_ns = clock_mono_ns();
    struct pending_counts counts = pending_counts(fe->pending);
    struct stats_window w;
    struct buffer *b = http_reply_json(reply, 200);
    struct service_listing services = {.out = b};
    char at[RFC3339_SIZE];
    stats_window(fe->stats, counts.decided_confirmed + counts.decided_rejected, now_ns, &w);
    reply->cache_control = "no-store";
    buffer_printf(b, "{\"at\":\"%s\",\"instance\":", rfc3339_format(clock_wall_ms(), at));
    buffer_add_json(b, slice_of(fe->instance));
    buffer_printf(b, ",\"version\":\"%s\",\"state\":\"%s\",\"window_s\":%.1f", SECKILL_VERSION, state_of(fe),
                  w.seconds);
    add_rates(&w, b);
    add_verdicts(fe, &w, b);
    add_orders(&counts, b);
    add_backlog(fe, b);
    add_latencies(&w, b);
    add_catalogue(fe, now_ns, b);
    buffer_printf(b, ",\"connections\":%" PRId64 ",\"services\":[",
                  atomic_load_explicit(&fe->connections, memory_order_relaxed));
    alive_visit(fe->alive, now_ns, list_service, &services);
    buffer_add_text(b, "]}");
}
