/* The report as text, for a person. */
#include <inttypes.h>

#include "common/base/clock.h"
#include "loadtest/replay/report.h"

static double seconds(int64_t ns)
{
    return (double)ns / (double)NS_PER_S;
}

static void print_count(FILE *out, const char *what, int64_t count, double per_s)
{
    fprintf(out, "%-34s %10" PRId64, what, count);
    if (per_s >= 0)
        fprintf(out, " %12.1f/s", per_s);
    fputc('\n', out);
}

static void print_source(const struct run *run, FILE *out)
{
    static const char *const shapes[] = {"", "constant", "ramp", "spike", "poisson"};
    const struct replay_settings *s = run->settings;
    const struct plan *plan = run->plan;
    if (*s->trace)
        fprintf(out, "%s at speed %s%s", s->trace, s->speed, plan->truncated ? " (its end is missing)" : "");
    else
        fprintf(out, "made up: %s, seed %" PRId64, shapes[s->generate], s->seed);
    fprintf(out, "; %zu requests in %.3f s", plan->count, seconds(plan->intents[plan->count - 1].at_ns));
    if (plan->repeats > 0)
        fprintf(out, ", %zu repeats", plan->repeats);
    if (plan->bots > 0)
        fprintf(out, ", %zu by a bot", plan->bots);
    if (plan->malformed > 0)
        fprintf(out, ", %zu malformed", plan->malformed);
    fprintf(out, "\nto http://%s over %" PRId64 " connections by %" PRId64 " thread%s%s\n\n",
            run->target.host, run->connections, s->threads, s->threads == 1 ? "" : "s",
            run->stopped ? "; stopped before its end" : "");
}

static void print_counts(const struct run *run, const struct report_rates *rates, FILE *out)
{
    const struct peak_counts *c = &run->counts;
    char what[96];
    print_count(out, "offered", (int64_t)run->plan->count, rates->offered);
    print_count(out, "sent", c->sent, rates->sent);
    for (int i = 0; i < c->tally.count; i++) {
        const struct tally_row *row = &c->tally.rows[i];
        snprintf(what, sizeof what, "  %d %s", row->status, row->status == 202 ? "accepted" : row->code);
        print_count(out, what, row->count, (double)row->count / (rates->peak_s > 0 ? rates->peak_s : 1));
    }
    for (int i = ENGINE_ANSWERED + 1; i < ENGINE_ENDS; i++)
        if (c->ends[i] > 0) {
            snprintf(what, sizeof what, "  failed: %s", report_end_words[i]);
            print_count(out, what, c->ends[i], -1);
        }
    if (c->not_sent > 0)
        print_count(out, run->stopped ? "not sent: it was stopped" : "not sent: the time was over",
                    c->not_sent, -1);
    print_count(out, "refused", c->refused, rates->refused);
    print_count(out, "failed", rates->failed + c->not_sent, -1);
    if (rates->decided >= 0)
        print_count(out, "decided", rates->decisions, rates->decided);
    if (run->reconnects > 0)
        print_count(out, "connections opened again", run->reconnects, -1);
    fprintf(out, "\nthe peak took %.2f s", rates->peak_s);
    if (run->is_drained)
        fprintf(out, "; all was decided %.2f s later, with at most %" PRId64 " undecided",
                seconds(run->drain_ns), rates->most_undecided);
    else if (c->accepted > 0)
        fprintf(out, "; the drain was not seen to its end");
    fputs("\n\n", out);
}

static void print_quantiles(FILE *out, const char *what, const struct histogram *h)
{
    static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};
    fprintf(out, "%-34s", what);
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
        fprintf(out, " %10.3f", (double)histogram_quantile(h, quantiles[i]) / 1000);
    fprintf(out, " %10.3f\n", (double)h->max_us / 1000);
}

static void print_latencies(const struct run *run, FILE *out)
{
    const struct peak_counts *c = &run->counts;
    fprintf(out, "%-34s %10s %10s %10s %10s %10s\n", "milliseconds", "p50", "p90", "p99", "p99.9", "max");
    print_quantiles(out, "latency, from the intended time", &c->latency);
    if (c->accepted > 0)
        print_quantiles(out, "  of those accepted", &c->accepted_latency);
    print_quantiles(out, "service, from when it left", &c->service);
}

static void print_verification(const struct run *run, FILE *out)
{
    const struct verification *v = &run->verification;
    if (!run->settings->verify)
        return;
    if (!run->is_verified) {
        fprintf(out, "\nnot verified: %s\n", run->verify_trouble);
        return;
    }
    fprintf(out, "\n%-48s %10s  %-10s %s\n", "AS A BUYER SEES IT", "CHECKED", "OF", "VERDICT");
    for (int i = 0; i < CHECK_COUNT; i++) {
        const struct check *c = &v->checks[i];
        fprintf(out, "%-48s %10" PRId64 "  %-10s ", c->says, c->checked, c->of);
        if (c->failed == 0)
            fputs("holds\n", out);
        else
            fprintf(out, "BROKEN, %" PRId64 " times; the first: %s\n", c->failed, c->example);
    }
    fprintf(out, "\n%zu orders followed in %.2f s: %" PRId64 " confirmed, %" PRId64 " rejected", v->count,
            seconds(run->verify_ns), v->confirmed, v->rejected);
    for (int i = 0; i < v->reasons.count; i++)
        fprintf(out, "%s%s %" PRId64, i == 0 ? " (" : ", ", v->reasons.rows[i].code,
                v->reasons.rows[i].count);
    fprintf(out, "%s\nverify: %s\n", v->reasons.count > 0 ? ")" : "",
            !verification_holds(v) ? "A CHECK FAILED"
            : v->count > 0         ? "every check holds"
                                   : "nothing was accepted, so there was nothing to check");
}

static void print_machine(const struct run *run, const struct report_rates *rates, FILE *out)
{
    const struct machine *m = &run->machine;
    fprintf(out, "\n%d × %s, %.1f GiB, %s\n", m->cores, m->cpu, (double)m->memory_mib / 1024, m->system);
    fprintf(out, "cores busy during the peak: %.2f by this program, %.2f of %d in all\n",
            rates->process_cores, rates->machine_cores, m->cores);
}

void report_text(const struct run *run, FILE *out)
{
    struct report_rates rates;
    report_rates(run, &rates);
    print_source(run, out);
    print_counts(run, &rates, out);
    print_latencies(run, out);
    print_machine(run, &rates, out);
    print_verification(run, out);
}
