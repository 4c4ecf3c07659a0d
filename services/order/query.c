/* Answers from memory. */
#include "services/order/query.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/order/submit_order.h"

static void answer_not_found(const char *detail, struct http_reply *reply)
{
    http_reply_problem(
        reply, &(struct problem){.code = PROBLEM_NOT_FOUND, .detail = detail, .detail_is_constant = true});
}

static void answer_unavailable(struct front_end *fe, const char *detail, struct http_reply *reply)
{
    http_reply_problem(reply, &(struct problem){.code = PROBLEM_UNAVAILABLE,
                                                .detail = detail,
                                                .detail_is_constant = true,
                                                .retry_after_s = front_end_retry_after_s(fe)});
}

/* ---- items ---- */

struct item_listing {
    struct buffer *out;
    const char *only; /* this sku; NULL: all */
    int count;
    int64_t age_ms; /* of the oldest one listed */
    int64_t version;
};

static void list_item(void *context, const struct item *item, int64_t age_ms)
{
    struct item_listing *l = context;
    if (l->only && strcmp(item->sku, l->only) != 0)
        return;
    if (l->count++ > 0)
        buffer_add_text(l->out, ",");
    item_encode(l->out, item);
    l->out->len--; /* its "}": one more member */
    buffer_printf(l->out, ",\"age_ms\":%lld}", (long long)age_ms);
    l->version = item->version;
    if (age_ms > l->age_ms)
        l->age_ms = age_ms;
}

static const char no_catalogue[] = "this front end has not seen the catalogue yet";

static void query_catalogue(struct front_end *fe, const char *only, struct http_reply *reply)
{
    bool is_complete =
        catalogue_is_complete(fe->catalogue); /* before the visit: a snapshot may come in between */
    struct buffer *b = http_reply_json(reply, 200);
    struct item_listing listing = {.out = b, .only = only};
    if (!only)
        buffer_add_text(b, "{\"items\":[");
    catalogue_visit(fe->catalogue, clock_mono_ns(), list_item, &listing);
    if (!only)
        buffer_add_text(b, "]}");

    /* A snapshot is replaced within a second; one that was not is no better for being kept elsewhere too. */
    reply->cache_control = listing.age_ms <= CATALOGUE_STALE_MS ? "max-age=1" : "no-cache";
    if (only && listing.version > 0)
        snprintf(reply->etag, sizeof reply->etag, "\"%lld\"", (long long)listing.version);
    bool is_answered = only ? listing.count > 0 || is_complete : is_complete;
    if (is_answered && !(only && listing.count == 0))
        return;
    http_reply_reset(reply);
    if (is_answered)
        answer_not_found("no item has this sku", reply);
    else
        answer_unavailable(fe, no_catalogue, reply);
}

void query_items(struct front_end *fe, struct http_reply *reply)
{
    query_catalogue(fe, NULL, reply);
}

void query_item(struct front_end *fe, const char *sku, struct http_reply *reply)
{
    query_catalogue(fe, sku, reply);
}

/* ---- the front end itself ---- */

void query_health(struct front_end *fe, struct http_reply *reply)
{
    (void)fe;
    buffer_add_text(http_reply_json(reply, 200), "{\"status\":\"ok\"}");
}

/* Writes the reason, or returns false: it is ready. */
static bool is_unready(struct front_end *fe, struct detail *reason)
{
    struct detail trouble;
    const char *what = NULL;
    publisher_trouble(fe->publisher, &trouble);
    switch (publisher_state(fe->publisher)) {
    case BROKER_UNREACHABLE:
        what = trouble.text[0] ? trouble.text : "the order queue cannot be reached";
        break;
    case BROKER_BLOCKED:
        what = "the order queue is short of memory or disk";
        break;
    case BROKER_NO_LEDGER:
        what = "this front end cannot write its ledger";
        break;
    case BROKER_USABLE:
        if (publisher_is_unroutable(fe->publisher))
            what = trouble.text;
        else if (!catalogue_is_complete(fe->catalogue))
            what = no_catalogue;
        break;
    }
    if (atomic_load_explicit(&fe->draining, memory_order_relaxed))
        what = "this front end is shutting down";
    detail_set(reason, "%s", what ? what : "");
    return what != NULL;
}

void query_readiness(struct front_end *fe, struct http_reply *reply)
{
    struct detail reason;
    if (is_unready(fe, &reason)) {
        http_reply_problem(reply, &(struct problem){.code = PROBLEM_UNAVAILABLE,
                                                    .detail = reason.text,
                                                    .retry_after_s = front_end_retry_after_s(fe)});
        return;
    }
    int64_t age_ms = catalogue_age_ms(fe->catalogue, clock_mono_ns());
    struct buffer *b = http_reply_json(reply, 200);
    reply->cache_control = "no-store";
    if (age_ms > CATALOGUE_STALE_MS)
        buffer_printf(
            b, "{\"status\":\"degraded\",\"reason\":\"the catalogue is %lld s old; orders are still taken\"}",
            (long long)(age_ms / 1000));
    else
        buffer_add_text(b, "{\"status\":\"ready\"}");
}

static void print_shard_gauges(struct front_end *fe, struct buffer *b)
{
    char labels[32];
    for (int shard = 0; shard < fe->shards; shard++) {
        snprintf(labels, sizeof labels, "shard=\"%d\"", shard);
        metrics_gauge(b, "seckill_order_backlog", shard ? NULL : "Orders accepted here and not yet decided",
                      labels, (double)pending_backlog(fe->pending, (uint8_t)shard));
    }
    for (int shard = 0; shard < fe->shards; shard++) {
        snprintf(labels, sizeof labels, "shard=\"%d\"", shard);
        metrics_gauge(b, "seckill_order_backlog_oldest_seconds",
                      shard ? NULL : "How long the oldest undecided order has waited", labels,
                      (double)pending_oldest_age_ms(fe->pending, (uint8_t)shard) / 1000);
    }
    for (int shard = 0; shard < fe->shards; shard++) {
        snprintf(labels, sizeof labels, "shard=\"%d\"", shard);
        metrics_gauge(b, "seckill_order_drain_rate",
                      shard ? NULL : "Orders decided per second, over the last seconds", labels,
                      pending_drain_rate(fe->pending, (uint8_t)shard));
    }
}

void query_metrics(struct front_end *fe, struct http_reply *reply)
{
    struct buffer *b = http_reply_text(reply, 200, "text/plain; version=0.0.4; charset=utf-8");
    struct pending_counts counts = pending_counts(fe->pending);
    int64_t age_ms = catalogue_age_ms(fe->catalogue, clock_mono_ns());
    metrics_print(fe->metrics, b);
    metrics_counter(b, "seckill_order_decisions_matched_total", "Decisions of this front end's orders",
                    "status=\"confirmed\"", counts.decided_confirmed);
    metrics_counter(b, "seckill_order_decisions_matched_total", NULL, "status=\"rejected\"",
                    counts.decided_rejected);
    metrics_counter(b, "seckill_order_decisions_unmatched_total",
                    "Decisions of orders that are not in memory here", "", counts.decisions_unmatched);
    metrics_counter(b, "seckill_order_given_up_total", "Accepted orders that inventory no longer knew of", "",
                    counts.given_up);
    metrics_gauge(b, "seckill_order_undecided", "Orders in memory without a decision", "",
                  (double)counts.undecided);
    metrics_gauge(b, "seckill_order_remembered", "Decided orders kept in memory", "",
                  (double)counts.remembered);
    print_shard_gauges(fe, b);
    struct desk_counts desk = status_desk_counts(fe->desk);
    metrics_gauge(b, "seckill_order_inquiries_held",
                  "Questions about orders that are held: asked on, or waiting", "", (double)desk.held);
    metrics_gauge(b, "seckill_order_inquiries_waiting", "Of these: with ?wait=", "", (double)desk.waiting);
    metrics_gauge(b, "seckill_order_inquiries_packet", "Answers that wait for word about a red packet", "",
                  (double)packet_desk_held(fe->packets));
    metrics_gauge(b, "seckill_order_broker_usable", "1 while orders can be published", "",
                  publisher_state(fe->publisher) == BROKER_USABLE ? 1 : 0);
    metrics_gauge(b, "seckill_order_catalogue_age_seconds",
                  "Age of the oldest shard's snapshot; -1: never seen", "",
                  age_ms < 0 ? -1.0 : (double)age_ms / 1000);
    metrics_gauge(b, "seckill_order_clock_ahead_seconds",
                  "This host's clock ahead of inventory's, with the way of the snapshot", "",
                  (double)atomic_load_explicit(&fe->metrics->clock_ahead_ms, memory_order_relaxed) / 1000);
    if (fe->trace) {
        struct trace_recorder_counts trace = trace_recorder_counts(fe->trace);
        metrics_counter(b, "seckill_order_trace_records_total",
                        "Orders that were to be recorded (trace.file)", "outcome=\"written\"", trace.written);
        metrics_counter(b, "seckill_order_trace_records_total", NULL, "outcome=\"dropped\"", trace.dropped);
    }
    metrics_gauge(b, "seckill_order_http_connections", "Open HTTP connections", "",
                  (double)atomic_load_explicit(&fe->connections, memory_order_relaxed));
}

void query_openapi(struct http_reply *reply)
{
    struct buffer *b = http_reply_text(reply, 200, "application/yaml");
    reply->cache_control = "max-age=60";
    buffer_add(b, openapi_file.data, openapi_file.len);
}
