/* The report as JSON. Written by hand: it is long lists of numbers. */
#include <inttypes.h>

#include "common/base/clock.h"
#include "loadtest/replay/report.h"

/* ---- Members ---- */

static void add_name(struct buffer *b, const char *name)
{
    if (b->len > 0 && b->data[b->len - 1] != '{' && b->data[b->len - 1] != '[')
        buffer_add_text(b, ",");
    if (name)
        buffer_printf(b, "\"%s\":", name);
}

static void add_int(struct buffer *b, const char *name, int64_t value)
{
    add_name(b, name);
    buffer_add_int(b, value);
}

static void add_real(struct buffer *b, const char *name, double value)
{
    add_name(b, name);
    buffer_printf(b, "%.3f", value);
}

static void add_text(struct buffer *b, const char *name, const char *value)
{
    add_name(b, name);
    buffer_add_json(b, slice_of(value));
}

static void add_bool(struct buffer *b, const char *name, bool value)
{
    add_name(b, name);
    buffer_add_text(b, value ? "true" : "false");
}

static void open_object(struct buffer *b, const char *name)
{
    add_name(b, name);
    buffer_add_text(b, "{");
}

static void open_list(struct buffer *b, const char *name)
{
    add_name(b, name);
    buffer_add_text(b, "[");
}

/* ---- Parts ---- */

static void add_plan(struct buffer *b, const struct run *run)
{
    static const char *const shapes[] = {"none", "constant", "ramp", "spike", "poisson"};
    const struct replay_settings *s = run->settings;
    const struct plan *plan = run->plan;
    open_object(b, "plan");
    if (*s->trace) {
        add_text(b, "trace", s->trace);
        add_text(b, "speed", s->speed);
        add_bool(b, "truncated", plan->truncated);
        open_object(b, "recorded_verdicts");
        for (int i = 0; i < plan->verdict_count; i++) {
            add_name(b, NULL);
            buffer_add_json(b, slice_of(plan->verdicts[i].name));
            buffer_printf(b, ":%" PRId64, plan->verdicts[i].count);
        }
        buffer_add_text(b, "}");
    } else {
        add_text(b, "shape", shapes[s->generate]);
        add_int(b, "rate", s->rate);
        add_int(b, "seed", s->seed);
        add_int(b, "users", s->users);
        add_text(b, "zipf", s->zipf);
        add_bool(b, "keyed", s->keyed);
    }
    add_int(b, "requests", (int64_t)plan->count);
    add_real(b, "seconds", (double)plan->intents[plan->count - 1].at_ns / (double)NS_PER_S);
    add_int(b, "repeats", (int64_t)plan->repeats);
    add_int(b, "by_bots", (int64_t)plan->bots);
    add_int(b, "malformed", (int64_t)plan->malformed);
    buffer_add_text(b, "}");
    add_int(b, "connections", run->connections);
    add_int(b, "threads", s->threads);
}

static void add_counts(struct buffer *b, const struct run *run, const struct report_rates *rates)
{
    const struct peak_counts *c = &run->counts;
    open_object(b, "counts");
    add_int(b, "offered", (int64_t)run->plan->count);
    add_int(b, "sent", c->sent);
    add_int(b, "not_sent", c->not_sent);
    add_int(b, "answered", c->answered);
    add_int(b, "accepted", c->accepted);
    add_int(b, "refused", c->refused);
    add_int(b, "other", rates->other);
    add_int(b, "failed", rates->failed);
    open_list(b, "answers");
    for (int i = 0; i < c->tally.count; i++) {
        open_object(b, NULL);
        add_int(b, "status", c->tally.rows[i].status);
        add_text(b, "code", c->tally.rows[i].code);
        add_int(b, "count", c->tally.rows[i].count);
        buffer_add_text(b, "}");
    }
    buffer_add_text(b, "]");
    open_object(b, "failures");
    for (int i = ENGINE_ANSWERED + 1; i < ENGINE_ENDS; i++)
        add_int(b, report_end_names[i], c->ends[i]);
    buffer_add_text(b, "}");
    add_int(b, "reconnects", run->reconnects);
    buffer_add_text(b, "}");
}

static void add_rates(struct buffer *b, const struct run *run, const struct report_rates *rates)
{
    add_real(b, "peak_s", rates->peak_s);
    open_object(b, "per_s");
    add_real(b, "offered", rates->offered);
    add_real(b, "sent", rates->sent);
    add_real(b, "accepted", rates->accepted);
    add_real(b, "refused", rates->refused);
    if (rates->decided >= 0)
        add_real(b, "decided", rates->decided);
    buffer_add_text(b, "}");
    if (rates->decided >= 0)
        add_int(b, "decisions", rates->decisions);
    add_bool(b, "drained", run->is_drained);
    if (run->is_drained)
        add_real(b, "drain_s", (double)run->drain_ns / (double)NS_PER_S);
    add_int(b, "most_undecided", rates->most_undecided);
}

static void add_quantiles(struct buffer *b, const char *name, const struct histogram *h)
{
    open_object(b, name);
    add_int(b, "count", (int64_t)h->total);
    add_int(b, "p50", (int64_t)histogram_quantile(h, 0.5));
    add_int(b, "p90", (int64_t)histogram_quantile(h, 0.9));
    add_int(b, "p99", (int64_t)histogram_quantile(h, 0.99));
    add_int(b, "p99_9", (int64_t)histogram_quantile(h, 0.999));
    add_int(b, "max", (int64_t)h->max_us);
    add_real(b, "mean", h->total ? (double)h->sum_us / (double)h->total : 0);
    buffer_add_text(b, "}");
}

/* Buckets of 8 an octave, [from, to, count] in microseconds, those that are empty left out. */
static void add_histogram(struct buffer *b, const char *name, const struct histogram *h)
{
    const size_t step = (size_t)1 << (h->bits - 4);
    open_list(b, name);
    for (size_t i = 0; i < h->size;) {
        /* Below 2^bits each bucket is a microsecond: join as many as make an eighth of an octave there. */
        size_t end = i + step;
        if (i < ((size_t)1 << h->bits)) {
            const size_t octave = i < 8 ? 0 : (size_t)(63 - __builtin_clzll((unsigned long long)i));
            end = i + (octave <= 3 ? 1 : (size_t)1 << (octave - 3));
        }
        uint64_t count = 0;
        for (size_t k = i; k < end && k < h->size; k++)
            count += h->counts[k];
        if (count > 0) {
            add_name(b, NULL);
            buffer_printf(b, "[%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", histogram_low(h, i),
                          histogram_low(h, end), count);
        }
        i = end;
    }
    buffer_add_text(b, "]");
}

static void add_latencies(struct buffer *b, const struct run *run)
{
    const struct peak_counts *c = &run->counts;
    add_quantiles(b, "latency_us", &c->latency);
    add_quantiles(b, "accepted_latency_us", &c->accepted_latency);
    add_quantiles(b, "service_us", &c->service);
    add_histogram(b, "latency_histogram", &c->latency);
    add_histogram(b, "service_histogram", &c->service);
}

static void add_machine(struct buffer *b, const struct run *run, const struct report_rates *rates)
{
    open_object(b, "machine");
    add_text(b, "cpu", run->machine.cpu);
    add_int(b, "cores", run->machine.cores);
    add_int(b, "memory_mib", run->machine.memory_mib);
    add_text(b, "system", run->machine.system);
    add_real(b, "busy_cores", rates->machine_cores);
    add_real(b, "process_cores", rates->process_cores);
    buffer_add_text(b, "}");
}

static void add_verification(struct buffer *b, const struct run *run)
{
    const struct verification *v = &run->verification;
    if (!run->settings->verify)
        return;
    open_object(b, "verify");
    add_bool(b, "done", run->is_verified);
    if (!run->is_verified) {
        add_text(b, "trouble", run->verify_trouble);
        buffer_add_text(b, "}");
        return;
    }
    add_bool(b, "holds", verification_holds(v));
    add_int(b, "orders", (int64_t)v->count);
    add_int(b, "confirmed", v->confirmed);
    add_int(b, "rejected", v->rejected);
    add_int(b, "undecided", v->undecided);
    add_int(b, "missing", v->missing);
    add_real(b, "seconds", (double)run->verify_ns / (double)NS_PER_S);
    open_object(b, "reasons");
    for (int i = 0; i < v->reasons.count; i++) {
        add_name(b, NULL);
        buffer_add_json(b, slice_of(v->reasons.rows[i].code));
        buffer_printf(b, ":%" PRId64, v->reasons.rows[i].count);
    }
    buffer_add_text(b, "}");
    open_list(b, "checks");
    for (int i = 0; i < CHECK_COUNT; i++) {
        open_object(b, NULL);
        add_text(b, "says", v->checks[i].says);
        add_int(b, "checked", v->checks[i].checked);
        add_text(b, "of", v->checks[i].of);
        add_int(b, "failed", v->checks[i].failed);
        if (v->checks[i].failed > 0)
            add_text(b, "example", v->checks[i].example);
        buffer_add_text(b, "}");
    }
    buffer_add_text(b, "]}");
}

/* ---- Over time ---- */

static void add_moments(struct buffer *b, const char *name, const struct timeline *t, enum moment what)
{
    open_list(b, name);
    for (size_t i = 0; i < t->count; i++)
        add_int(b, NULL, t->slots[i].counts[what]);
    buffer_add_text(b, "]");
}

static void add_quantile_over_time(struct buffer *b, const char *name, const struct timeline *t, double q)
{
    open_list(b, name);
    for (size_t i = 0; i < t->count; i++) {
        if (t->slots[i].latency.bits != 0) {
            add_int(b, NULL, (int64_t)histogram_quantile(&t->slots[i].latency, q));
        } else {
            add_name(b, NULL);
            buffer_add_text(b, "null");
        }
    }
    buffer_add_text(b, "]");
}

static void add_offered(struct buffer *b, const struct run *run)
{
    const struct plan *plan = run->plan;
    const int64_t slot_ns = run->counts.timeline.slot_ns;
    size_t i = 0;
    open_list(b, "offered");
    for (int64_t end_ns = slot_ns; i < plan->count; end_ns += slot_ns) {
        int64_t count = 0;
        for (; i < plan->count && plan->intents[i].at_ns < end_ns; i++)
            count++;
        add_int(b, NULL, count);
    }
    buffer_add_text(b, "]");
}

static void add_timeline(struct buffer *b, const struct run *run)
{
    const struct timeline *t = &run->counts.timeline;
    open_object(b, "timeline");
    add_int(b, "slot_ms", t->slot_ns / NS_PER_MS);
    add_offered(b, run);
    add_moments(b, "sent", t, MOMENT_SENT);
    add_moments(b, "accepted", t, MOMENT_ACCEPTED);
    add_moments(b, "refused", t, MOMENT_REFUSED);
    add_moments(b, "failed", t, MOMENT_FAILED);
    add_quantile_over_time(b, "p50_us", t, 0.5);
    add_quantile_over_time(b, "p90_us", t, 0.9);
    add_quantile_over_time(b, "p99_us", t, 0.99);
    add_quantile_over_time(b, "max_us", t, 1);
    buffer_add_text(b, "}");
}

static void add_samples(struct buffer *b, const struct run *run)
{
    open_list(b, "samples");
    for (size_t i = 0; i < run->sample_count; i++) {
        const struct sample *s = &run->samples[i];
        open_object(b, NULL);
        add_real(b, "t_s", (double)(s->at_ns - run->start_ns) / (double)NS_PER_S);
        if (s->decided >= 0) {
            add_int(b, "undecided", s->undecided);
            add_int(b, "decided", s->decided);
        }
        if (i > 0)
            add_real(b, "busy_cores",
                     machine_busy_cores(&run->samples[i - 1].time, &s->time, run->machine.cores));
        buffer_add_text(b, "}");
    }
    buffer_add_text(b, "]");
}

void report_json(const struct run *run, struct buffer *b)
{
    struct report_rates rates;
    char started[RFC3339_SIZE];
    report_rates(run, &rates);
    buffer_add_text(b, "{");
    add_text(b, "seckill_replay", SECKILL_VERSION);
    add_text(b, "started", rfc3339_format(run->started_ms, started));
    add_text(b, "target", run->target.host);
    add_bool(b, "stopped", run->stopped);
    add_plan(b, run);
    add_counts(b, run, &rates);
    add_rates(b, run, &rates);
    add_latencies(b, run);
    add_machine(b, run, &rates);
    add_verification(b, run);
    add_timeline(b, run);
    add_samples(b, run);
    buffer_add_text(b, "}");
}
