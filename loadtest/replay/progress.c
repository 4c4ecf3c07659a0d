/* What a person sees while it runs. */
#include "loadtest/replay/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "loadtest/replay/follow.h"
#include "loadtest/replay/peak.h"
#include "loadtest/replay/run.h"

#define BAR       24
#define ERASE     "\r\033[K"
#define OFTEN_NS  (200 * NS_PER_MS)
#define SELDOM_NS (2 * NS_PER_S)

static void begin(struct progress *p, const struct run *run)
{
    *p =
        (struct progress){.run = run, .is_terminal = isatty(STDERR_FILENO) == 1, .shown_ns = clock_mono_ns()};
    p->every_ns = p->is_terminal ? OFTEN_NS : SELDOM_NS;
}

void progress_peak(struct progress *p, const struct run *run, struct peak_share *shares,
                   struct sampler *sampler)
{
    begin(p, run);
    p->peak = shares;
    p->sampler = sampler;
    p->whole = (int64_t)run->plan->count;
    p->shown_ns = run->start_ns;
}

void progress_follow(struct progress *p, const struct run *run, struct follow_share *shares, size_t whole)
{
    begin(p, run);
    p->follow = shares;
    p->whole = (int64_t)whole;
}

static void show_bar(const struct progress *p, int64_t done)
{
    const int64_t whole = p->whole > 0 ? p->whole : 1;
    int filled = (int)(done * BAR / whole);
    filled = filled > BAR ? BAR : filled;
    if (p->is_terminal)
        fputs(ERASE "[", stderr);
    for (int i = 0; p->is_terminal && i < BAR; i++)
        fputc(i < filled ? '#' : '.', stderr);
    if (p->is_terminal)
        fputs("] ", stderr);
    fprintf(stderr, "%3d %%", (int)(done * 100 / whole));
}

static void show_peak(struct progress *p, int64_t now_ns)
{
    int64_t sent = 0, accepted = 0, refused = 0, failed = 0, late_ns = 0;
    for (int64_t i = 0; i < p->run->settings->threads; i++) {
        const struct peak_live *live = &p->peak[i].live;
        const int64_t late = atomic_load_explicit(&live->late_ns, memory_order_relaxed);
        sent += atomic_load_explicit(&live->sent, memory_order_relaxed);
        accepted += atomic_load_explicit(&live->accepted, memory_order_relaxed);
        refused += atomic_load_explicit(&live->refused, memory_order_relaxed);
        failed += atomic_load_explicit(&live->failed, memory_order_relaxed);
        late_ns = late > late_ns ? late : late_ns;
    }
    const double seconds = (double)(now_ns - p->shown_ns) / (double)NS_PER_S;
    const struct sample sample = sampler_latest(p->sampler);
    show_bar(p, sent);
    fprintf(stderr, "  %5.1f s  sent %.0f/s  202 %.0f/s  refused %.0f/s",
            (double)(now_ns - p->run->start_ns) / (double)NS_PER_S, (double)(sent - p->sent) / seconds,
            (double)(accepted - p->accepted) / seconds, (double)(refused - p->refused) / seconds);
    if (failed > 0)
        fprintf(stderr, "  failed %lld", (long long)failed);
    if (sample.undecided >= 0)
        fprintf(stderr, "  undecided %lld", (long long)sample.undecided);
    if (late_ns > 10 * NS_PER_MS)
        fprintf(stderr, "  late by %.2f s", (double)late_ns / (double)NS_PER_S);
    p->sent = sent;
    p->accepted = accepted;
    p->refused = refused;
}

static void show_follow(struct progress *p)
{
    int64_t settled = 0;
    for (int64_t i = 0; i < p->run->settings->threads; i++)
        settled += atomic_load_explicit(&p->follow[i].settled, memory_order_relaxed);
    show_bar(p, settled);
    fprintf(stderr, "  %lld of %lld orders followed", (long long)settled, (long long)p->whole);
}

static void show(struct progress *p, int64_t now_ns)
{
    if (p->peak)
        show_peak(p, now_ns);
    else
        show_follow(p);
    if (!p->is_terminal)
        fputc('\n', stderr);
    p->shown_ns = now_ns;
}

void progress_show(struct progress *p)
{
    const int64_t now_ns = clock_mono_ns();
    if (now_ns - p->shown_ns >= p->every_ns)
        show(p, now_ns);
}

void progress_end(struct progress *p)
{
    if (p->is_terminal)
        fputs(ERASE, stderr);
}

void progress_note(const char *text)
{
    if (isatty(STDERR_FILENO) == 1)
        fprintf(stderr, ERASE "%s …\r", text);
    else
        fprintf(stderr, "%s\n", text);
}
