/* A whole replay. */
#include "loadtest/replay/run.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/signals.h"
#include "loadtest/replay/progress.h"

#define CONNECT_SECONDS 10
#define LEAD_NS         (20 * NS_PER_MS) /* for all threads to be at their place */
#define LOOK_MS         100              /* how often main looks up from its waiting */

/* ---- Threads ---- */

struct crew { /* threads that do one thing each, and main, which watches */
    pthread_t *threads;
    int count;
    atomic_int working;
};

struct task {
    struct crew *crew;
    void (*run)(void *share);
    void *share;
};

static void *do_task(void *argument)
{
    struct task *t = argument;
    t->run(t->share);
    atomic_fetch_sub(&t->crew->working, 1);
    return NULL;
}

/* Runs `run` on each share; meanwhile main shows the progress and takes signals. */
static void work(struct run *run, int signal_fd, atomic_bool *stop, void (*what)(void *), void *shares,
                 size_t share_size, struct progress *progress)
{
    const int count = (int)run->settings->threads;
    struct crew crew = {.threads = xcalloc((size_t)count, sizeof(pthread_t)), .count = count};
    struct task *tasks = xcalloc((size_t)count, sizeof *tasks);
    atomic_store(&crew.working, count);
    for (int i = 0; i < count; i++) {
        tasks[i] =
            (struct task){.crew = &crew, .run = what, .share = (char *)shares + (size_t)i * share_size};
        if (pthread_create(&crew.threads[i], NULL, do_task, &tasks[i]) != 0)
            log_fatal(EXIT_UNAVAILABLE, "thread_failed", "number=%d", i);
    }
    while (atomic_load(&crew.working) > 0) {
        struct pollfd fd = {.fd = signal_fd, .events = POLLIN};
        if (poll(&fd, 1, LOOK_MS) > 0 && signals_next(signal_fd) == SIGNAL_STOP) {
            if (run->stopped) /* asked twice: at once */
                _exit(130);
            run->stopped = true;
            atomic_store(stop, true);
        }
        progress_show(progress);
    }
    for (int i = 0; i < count; i++)
        pthread_join(crew.threads[i], NULL);
    free(crew.threads);
    free(tasks);
}

/* ---- The peak ---- */

static int allow_connections(int64_t wanted, struct detail *why)
{
    struct rlimit limit;
    const rlim_t needed = (rlim_t)wanted + 64;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return 0;
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > needed ? needed : limit.rlim_max;
    if (limit.rlim_cur >= needed && setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return 0;
    detail_set(why, "replay.connections: %d need more open files than the %d that this process may have",
               (int)wanted, (int)limit.rlim_max);
    return E_INVALID;
}

static struct peak_share *shares_new(struct run *run, int64_t slot_ns, const atomic_bool *stop)
{
    const struct replay_settings *s = run->settings;
    struct peak_share *shares = xcalloc((size_t)s->threads, sizeof *shares);
    for (int64_t i = 0; i < s->threads; i++) {
        const int64_t connections = s->connections / s->threads + (i < s->connections % s->threads);
        shares[i] = (struct peak_share){.plan = run->plan,
                                        .engine = engine_new(&run->target, (int)connections),
                                        .host = run->target.host,
                                        .first = (size_t)i,
                                        .step = (size_t)s->threads,
                                        .timeout_ns = s->timeout * NS_PER_S,
                                        .overtime_ns = s->overtime * NS_PER_S,
                                        .stop = stop};
        peak_counts_init(&shares[i].counts, slot_ns);
    }
    return shares;
}

static void shares_free(struct peak_share *shares, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        engine_free(shares[i].engine);
        peak_counts_free(&shares[i].counts);
    }
    free(shares);
}

static void run_share(void *share)
{
    peak_run(share);
}

/* A fifth of a second where the peak is short, so that its charts show something. */
static int64_t slot_of(const struct plan *plan)
{
    const int64_t seconds = plan->intents[plan->count - 1].at_ns / NS_PER_S;
    return (seconds <= 60 ? 200 : seconds <= 600 ? 1000 : 10000) * NS_PER_MS;
}

static int connect_all(struct run *run, struct peak_share *shares, struct detail *why)
{
    for (int64_t i = 0; i < run->settings->threads; i++) {
        int rc = engine_connect(shares[i].engine, CONNECT_SECONDS, why);
        if (rc)
            return rc;
        run->connections += engine_open_connections(shares[i].engine);
    }
    return 0;
}

static void send_peak(struct run *run, int signal_fd, struct peak_share *shares, struct sampler *sampler,
                      atomic_bool *stop)
{
    const int64_t count = run->settings->threads;
    struct progress progress;
    machine_time(&run->begin);
    run->start_ns = clock_mono_ns() + LEAD_NS;
    run->started_ms = clock_wall_ms() + LEAD_NS / NS_PER_MS;
    for (int64_t i = 0; i < count; i++)
        shares[i].start_ns = run->start_ns;
    progress_peak(&progress, run, shares, sampler);
    work(run, signal_fd, stop, run_share, shares, sizeof *shares, &progress);
    progress_end(&progress);
    machine_time(&run->end);
    for (int64_t i = 0; i < count; i++) {
        peak_counts_merge(&run->counts, &shares[i].counts);
        run->reconnects += engine_reconnects(shares[i].engine);
    }
    tally_sort(&run->counts.tally);
    run->peak_ns = run->counts.last_ns;
}

/* ---- After it ---- */

static void wait_for_drain(struct run *run, int signal_fd, struct sampler *sampler)
{
    int64_t at_ns = 0;
    const int64_t end_ns = clock_mono_ns() + run->settings->drain_timeout * NS_PER_S;
    enum signal_event event = SIGNAL_RELOAD; /* which means nothing to us */
    if (run->stopped || run->settings->drain_timeout == 0 || run->counts.accepted == 0)
        return;
    progress_note("waiting until the front end has nothing undecided");
    while (event == SIGNAL_RELOAD && !run->is_drained) {
        run->is_drained = sampler_wait_drained(sampler, end_ns, signal_fd, &at_ns);
        event = run->is_drained ? SIGNAL_NONE : signals_next(signal_fd);
    }
    run->stopped = event == SIGNAL_STOP;
    run->drain_ns = at_ns - run->start_ns - run->peak_ns;
}

static void follow_share_run(void *share)
{
    follow_run(share);
}

static void follow_orders(struct run *run, int signal_fd, struct peak_share *shares, size_t again,
                          atomic_bool *stop)
{
    const int64_t count = run->settings->threads;
    struct verification *v = &run->verification;
    struct follow_share *follows = xcalloc((size_t)count, sizeof *follows);
    struct progress progress;
    const int64_t seconds = run->settings->drain_timeout > 10 ? run->settings->drain_timeout : 10;
    for (int64_t i = 0; i < count; i++)
        follows[i] = (struct follow_share){.plan = run->plan,
                                           .engine = shares[i].engine,
                                           .host = run->target.host,
                                           .orders = v->orders,
                                           .count = v->count,
                                           .first = (size_t)i,
                                           .step = (size_t)count,
                                           .again = again,
                                           .end_ns = clock_mono_ns() + seconds * NS_PER_S,
                                           .stop = stop};
    progress_follow(&progress, run, follows, again ? (v->count + again - 1) / again : v->count);
    work(run, signal_fd, stop, follow_share_run, follows, sizeof *follows, &progress);
    progress_end(&progress);
    free(follows);
}

static void verify(struct run *run, int signal_fd, struct peak_share *shares, const struct items *before,
                   struct getter *getter, atomic_bool *stop)
{
    struct verification *v = &run->verification;
    struct items after;
    struct detail why;
    const int64_t begin_ns = clock_mono_ns(), again = run->settings->verify_again;
    verification_begin(v, run->plan, run->counts.orders, run->counts.order_count);
    follow_orders(run, signal_fd, shares, 0, stop);
    if (!run->stopped && again > 0)
        follow_orders(run, signal_fd, shares,
                      (v->count + (size_t)again - 1) / (size_t)again + (v->count == 0), stop);
    if (run->stopped) {
        snprintf(run->verify_trouble, sizeof run->verify_trouble, "stopped before its end");
        return;
    }
    if (items_get(&after, getter, &why) != 0) {
        snprintf(run->verify_trouble, sizeof run->verify_trouble, "%s", why.text);
        return;
    }
    verification_end(v, run->plan, before, &after);
    v->checks[CHECK_DECIDED].failed += run->counts.nameless;
    if (run->counts.nameless > 0 && v->checks[CHECK_DECIDED].example[0] == '\0')
        snprintf(v->checks[CHECK_DECIDED].example, sizeof v->checks[CHECK_DECIDED].example,
                 "a 202 without an order_id");
    items_free(&after);
    run->is_verified = true;
    run->verify_ns = clock_mono_ns() - begin_ns;
}

static int run_connected(struct run *run, int signal_fd, struct peak_share *shares, atomic_bool *stop,
                         struct detail *why)
{
    const bool verifies = run->settings->verify;
    struct getter getter;
    struct items before = {0};
    struct sampler *sampler = NULL;
    getter_init(&getter, &run->target);
    int rc = verifies ? items_get(&before, &getter, why) : 0;
    if (rc == 0)
        rc = sampler_start(&sampler, &run->target,
                           run->counts.timeline.slot_ns < NS_PER_S ? run->counts.timeline.slot_ns : NS_PER_S);
    if (rc == 0) {
        send_peak(run, signal_fd, shares, sampler, stop);
        wait_for_drain(run, signal_fd, sampler);
        run->samples = sampler_stop(sampler, &run->sample_count);
        if (verifies && run->stopped)
            snprintf(run->verify_trouble, sizeof run->verify_trouble, "stopped before its end");
        else if (verifies)
            verify(run, signal_fd, shares, &before, &getter, stop);
    }
    items_free(&before);
    getter_free(&getter);
    return rc ? E_REFUSED : 0;
}

int run_replay(struct run *run, int signal_fd, struct detail *why)
{
    atomic_bool stop = false;
    int rc = allow_connections(run->settings->connections, why);
    if (rc)
        return rc;
    const int64_t slot_ns = slot_of(run->plan);
    struct peak_share *shares = shares_new(run, slot_ns, &stop);
    machine_describe(&run->machine);
    peak_counts_init(&run->counts, slot_ns);
    rc = connect_all(run, shares, why);
    if (rc == 0)
        rc = run_connected(run, signal_fd, shares, &stop, why);
    shares_free(shares, run->settings->threads);
    return rc;
}

void run_free(struct run *run)
{
    peak_counts_free(&run->counts);
    verification_free(&run->verification);
    free(run->samples);
    run->samples = NULL;
}
