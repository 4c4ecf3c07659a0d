#include "services/order/stats.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"

struct sample {
    int64_t at_ns;
    struct stats_window counts; /* as they stood; seconds unused */
};

struct stats {
    const struct metrics *metrics;
    pthread_mutex_t lock; /* over the ring */
    struct sample ring[STATS_WINDOW_S];
    int count, next; /* samples; where the next one goes, which is the oldest one's place once it is full */
};

static void read_counters(const struct metrics *m, uint64_t decided, struct stats_window *out)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        out->value[i] = atomic_load_explicit(&m->value[i], memory_order_relaxed);
    for (int i = 0; i < HISTOGRAM_COUNT; i++)
        for (int j = 0; j <= HISTOGRAM_BOUNDS; j++)
            out->bucket[i][j] = atomic_load_explicit(&m->histograms[i].count[j], memory_order_relaxed);
    out->decided = decided;
}

static void keep(struct stats *s, uint64_t decided, int64_t now_ns)
{
    struct sample *sample = &s->ring[s->next];
    sample->at_ns = now_ns;
    read_counters(s->metrics, decided, &sample->counts);
    s->next = (s->next + 1) % STATS_WINDOW_S;
    if (s->count < STATS_WINDOW_S)
        s->count++;
}

struct stats *stats_new(const struct metrics *metrics, int64_t now_ns)
{
    struct stats *s = xcalloc(1, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    s->metrics = metrics;
    keep(s, 0, now_ns);
    return s;
}

void stats_free(struct stats *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void stats_take(struct stats *s, uint64_t decided, int64_t now_ns)
{
    pthread_mutex_lock(&s->lock);
    const struct sample *latest = &s->ring[(s->next + STATS_WINDOW_S - 1) % STATS_WINDOW_S];
    if (now_ns - latest->at_ns >= NS_PER_S)
        keep(s, decided, now_ns);
    pthread_mutex_unlock(&s->lock);
}

/* A counter that another thread raises between two readings of the same moment must not go below nothing. */
static uint64_t more(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

void stats_window(struct stats *s, uint64_t decided, int64_t now_ns, struct stats_window *out)
{
    pthread_mutex_lock(&s->lock);
    const struct sample *oldest = &s->ring[s->count < STATS_WINDOW_S ? 0 : s->next];
    read_counters(s->metrics, decided, out);
    out->seconds = (double)(now_ns - oldest->at_ns) / NS_PER_S;
    for (int i = 0; i < METRIC_COUNT; i++)
        out->value[i] = more(out->value[i], oldest->counts.value[i]);
    for (int i = 0; i < HISTOGRAM_COUNT; i++)
        for (int j = 0; j <= HISTOGRAM_BOUNDS; j++)
            out->bucket[i][j] = more(out->bucket[i][j], oldest->counts.bucket[i][j]);
    out->decided = more(out->decided, oldest->counts.decided);
    pthread_mutex_unlock(&s->lock);
}

double stats_per_second(const struct stats_window *w, uint64_t n)
{
    return w->seconds > 0 ? (double)n / w->seconds : 0;
}
