/* Looks at /metrics and at the processor time, in a thread of its own. */
#include "loadtest/replay/sampler.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "loadtest/replay/getter.h"

#define SAMPLES_MAX    100000
#define DRAIN_SLEEP_NS (50 * NS_PER_MS)

struct sampler {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* to end, or to sample more often */
    bool ends;
    int64_t interval_ns;
    struct sample *samples;
    size_t count;
    struct getter getter; /* the thread's own */
};

/* The value of a metric without labels; -1 if it is not there. */
static int64_t metric(struct slice text, const char *name)
{
    const size_t len = strlen(name);
    const char *p = text.data, *end = text.data + text.len;
    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        const char *line_end = stop ? stop : end;
        char number[32] = {0};
        if ((size_t)(line_end - p) > len + 1 && memcmp(p, name, len) == 0 && p[len] == ' ') {
            const size_t n = (size_t)(line_end - p) - len - 1;
            memcpy(number, p + len + 1, n < sizeof number ? n : sizeof number - 1);
            return (int64_t)strtod(number, NULL);
        }
        p = line_end + 1;
    }
    return -1;
}

static struct sample take_sample(struct sampler *s)
{
    /* The time is that of the question: what is told then is at least as new. */
    struct sample sample = {.at_ns = clock_mono_ns(), .undecided = -1, .decided = -1};
    struct slice text;
    if (getter_get(&s->getter, "/metrics", &text) == 200) {
        sample.undecided = metric(text, "seckill_order_undecided");
        sample.decided = metric(text, "seckill_order_decisions_total");
    }
    machine_time(&sample.time);
    return sample;
}

static void wait_interval(struct sampler *s, int64_t from_ns)
{
    struct timespec until;
    const int64_t at_ns = from_ns + s->interval_ns;
    until = (struct timespec){.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S};
    pthread_cond_timedwait(&s->wake, &s->lock, &until);
}

static void *sample_all(void *argument)
{
    struct sampler *s = argument;
    pthread_mutex_lock(&s->lock);
    for (bool last = false; !last;) {
        last = s->ends;
        const int64_t began_ns = clock_mono_ns();
        pthread_mutex_unlock(&s->lock);
        const struct sample sample = take_sample(s);
        pthread_mutex_lock(&s->lock);
        if (s->count < SAMPLES_MAX)
            s->samples[s->count++] = sample;
        else
            s->samples[SAMPLES_MAX - 1] = sample;
        if (!last && !s->ends)
            wait_interval(s, began_ns);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

int sampler_start(struct sampler **out, const struct target *target, int64_t interval_ns)
{
    struct sampler *s = xcalloc(1, sizeof *s);
    pthread_condattr_t monotonic;
    s->interval_ns = interval_ns;
    s->samples = xcalloc(SAMPLES_MAX, sizeof *s->samples);
    getter_init(&s->getter, target);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    s->samples[s->count++] = take_sample(s);
    if (pthread_create(&s->thread, NULL, sample_all, s) == 0) {
        *out = s;
        return 0;
    }
    getter_free(&s->getter);
    free(s->samples);
    free(s);
    return E_IO;
}

struct sample sampler_latest(struct sampler *s)
{
    pthread_mutex_lock(&s->lock);
    const struct sample sample = s->samples[s->count - 1];
    pthread_mutex_unlock(&s->lock);
    return sample;
}

bool sampler_wait_drained(struct sampler *s, int64_t end_ns, int signal_fd, int64_t *at_ns)
{
    const int64_t begin_ns = clock_mono_ns();
    pthread_mutex_lock(&s->lock);
    s->interval_ns = DRAIN_SLEEP_NS;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    for (;;) {
        const struct sample latest = sampler_latest(s);
        struct pollfd fd = {.fd = signal_fd, .events = POLLIN};
        if (latest.at_ns >= begin_ns && latest.undecided == 0) {
            *at_ns = latest.at_ns;
            return true;
        }
        if (latest.at_ns >= begin_ns && latest.undecided < 0)
            return false; /* there is nobody to ask */
        if (latest.at_ns >= end_ns || clock_mono_ns() >= end_ns)
            return false;
        if (poll(&fd, 1, (int)(DRAIN_SLEEP_NS / NS_PER_MS)) > 0)
            return false; /* told to stop; main reads why */
    }
}

struct sample *sampler_stop(struct sampler *s, size_t *count)
{
    pthread_mutex_lock(&s->lock);
    s->ends = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    struct sample *samples = s->samples;
    *count = s->count;
    getter_free(&s->getter);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
    free(s);
    return samples;
}
