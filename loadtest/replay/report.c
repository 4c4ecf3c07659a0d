/* The figures of a report, and its files. */
#include "loadtest/replay/report.h"

#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "loadtest/replay/report_page.h"

const char *const report_end_words[ENGINE_ENDS] = {"answered", "no connection could be made",
                                                   "connection lost before the answer",
                                                   "the answer is no HTTP", "no answer in time"};
const char *const report_end_names[ENGINE_ENDS] = {"answered", "no_connection", "lost", "broken", "timeout"};

/* The decisions from the last sample before the peak to the first one with nothing left (or the last). */
static void rate_decisions(const struct run *run, struct report_rates *out)
{
    const struct sample *first = NULL, *last = NULL;
    for (size_t i = 0; i < run->sample_count; i++) {
        const struct sample *s = &run->samples[i];
        if (s->decided < 0)
            continue;
        if (!first || s->at_ns <= run->start_ns)
            first = s;
        if (s->undecided > out->most_undecided)
            out->most_undecided = s->undecided;
        if (!last || s->decided > last->decided)
            last = s;
    }
    out->decided = -1;
    if (!first || !last || last->at_ns <= run->start_ns)
        return;
    out->decisions = last->decided - first->decided;
    out->decided_s = (double)(last->at_ns - run->start_ns) / (double)NS_PER_S;
    out->decided = (double)out->decisions / out->decided_s;
}

void report_rates(const struct run *run, struct report_rates *out)
{
    const struct peak_counts *c = &run->counts;
    const struct plan *plan = run->plan;
    const double intended_s = (double)plan->intents[plan->count - 1].at_ns / (double)NS_PER_S;
    const double shortest = 0.001;
    *out = (struct report_rates){.peak_s = (double)run->peak_ns / (double)NS_PER_S};
    const double seconds = out->peak_s > shortest ? out->peak_s : shortest;
    /* n requests are n - 1 distances */
    out->offered =
        intended_s > shortest ? (double)(plan->count - 1) / intended_s : (double)plan->count / seconds;
    out->sent = (double)c->sent / seconds;
    out->accepted = (double)c->accepted / seconds;
    out->refused = (double)c->refused / seconds;
    out->failed = c->sent - c->answered;
    out->other = c->answered - c->accepted - c->refused;
    rate_decisions(run, out);
    out->process_cores = (run->end.process - run->begin.process) / seconds;
    out->machine_cores = machine_busy_cores(&run->begin, &run->end, run->machine.cores);
}

static int write_file(const char *path, const struct slice *parts, size_t count, struct detail *why)
{
    FILE *f = fopen(path, "w");
    bool fine = f != NULL;
    for (size_t i = 0; fine && i < count; i++)
        fine = fwrite(parts[i].data, 1, parts[i].len, f) == parts[i].len;
    int error = errno;
    if (f && fclose(f) != 0 && fine) {
        fine = false;
        error = errno;
    }
    if (fine)
        return 0;
    detail_set(why, "%s: cannot write: %s", path, strerror(error));
    return E_IO;
}

int report_write_json(const struct run *run, const char *path, struct detail *why)
{
    struct buffer json = {0};
    report_json(run, &json);
    buffer_add_text(&json, "\n");
    int rc = write_file(path, &(struct slice){.data = json.data, .len = json.len}, 1, why);
    buffer_free(&json);
    return rc;
}

/* "</script>" in a text must not end the script that it stands in. */
static void add_for_script(struct buffer *out, const struct buffer *json)
{
    for (size_t i = 0; i < json->len; i++)
        if (json->data[i] == '<')
            buffer_add_text(out, "\\u003c");
        else
            buffer_add(out, json->data + i, 1);
}

int report_write_html(const struct run *run, const char *path, struct detail *why)
{
    static const char mark[] = "/*REPORT*/null";
    struct buffer json = {0}, safe = {0};
    const char *at = memmem(report_page.data, report_page.len, mark, sizeof mark - 1);
    const size_t before = at ? (size_t)(at - report_page.data) : 0;
    report_json(run, &json);
    add_for_script(&safe, &json);
    const struct slice parts[] = {
        {.data = report_page.data, .len = before},
        {.data = safe.data, .len = safe.len},
        {.data = report_page.data + before + sizeof mark - 1,
         .len = report_page.len - before - sizeof mark + 1},
    };
    int rc = write_file(path, parts, 3, why);
    buffer_free(&json);
    buffer_free(&safe);
    return rc;
}
