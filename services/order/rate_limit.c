/* Token buckets of one atomic each. */
#include "services/order/rate_limit.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define SMALL_BURST   10

struct rate rate_of(int64_t per_s, int64_t burst)
{
    if (per_s <= 0)
        return (struct rate){0};
    int64_t interval_ns = (NS_PER_SECOND - 1) / per_s + 1;
    return (struct rate){.interval_ns = interval_ns, .span_ns = interval_ns * burst};
}

struct rate rate_of_requests(int64_t per_s)
{
    int64_t burst = per_s / 10;
    if (burst < SMALL_BURST)
        burst = per_s < SMALL_BURST ? per_s : SMALL_BURST;
    return rate_of(per_s, burst);
}

int64_t rate_level(struct rate rate, int64_t full_at_ns, int64_t now_ns)
{
    int64_t empty_ns = now_ns + rate.span_ns;
    return full_at_ns > empty_ns + RATE_SKEW_NS ? empty_ns : full_at_ns;
}

int64_t rate_next(struct rate rate, int64_t level_ns, int64_t now_ns)
{
    return (level_ns > now_ns ? level_ns : now_ns) + rate.interval_ns;
}

bool rate_bucket_take(struct rate_bucket *b, struct rate rate, int64_t now_ns)
{
    if (rate.interval_ns == 0)
        return true;
    int64_t held = atomic_load_explicit(&b->full_at_ns, memory_order_relaxed);
    for (;;) {
        int64_t level = rate_level(rate, held, now_ns);
        int64_t next = rate_next(rate, level, now_ns);
        bool taken = next <= now_ns + rate.span_ns;
        if (!taken && level == held)
            return false;
        if (atomic_compare_exchange_weak_explicit(&b->full_at_ns, &held, taken ? next : level,
                                                  memory_order_relaxed, memory_order_relaxed))
            return taken;
    }
}

int64_t rate_bucket_wait_ns(const struct rate_bucket *b, struct rate rate, int64_t now_ns)
{
    if (rate.interval_ns == 0)
        return 0;
    int64_t held = atomic_load_explicit(&b->full_at_ns, memory_order_relaxed);
    int64_t next = rate_next(rate, rate_level(rate, held, now_ns), now_ns);
    int64_t wait = next - now_ns - rate.span_ns;
    return wait > 0 ? wait : 0;
}

int64_t rate_line_join(struct rate_line *l, struct rate rate, int64_t now_ns)
{
    int64_t held = atomic_load_explicit(&l->served_at_ns, memory_order_relaxed);
    int64_t next = rate_next(rate, held, now_ns);
    if (next > now_ns + RATE_LINE_MAX_NS)
        next = now_ns + RATE_LINE_MAX_NS;
    /* Lost to another thread: two stand on the same place, and nothing depends on it. */
    atomic_compare_exchange_weak_explicit(&l->served_at_ns, &held, next, memory_order_relaxed,
                                          memory_order_relaxed);
    return next > now_ns ? next - now_ns : 1;
}
