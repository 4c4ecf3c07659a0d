/* The questions of admission, in the order of their answers. */
#include "services/order/admission.h"

#include "common/base/clock.h"

#define RETRY_MIN_S 1
#define RETRY_MAX_S 60

enum admission_verdict admission_early(const struct admission_state *state)
{
    if (state->draining)
        return VERDICT_DRAINING;
    switch (state->broker) {
    case BROKER_USABLE:
        break;
    case BROKER_UNREACHABLE:
        return VERDICT_BROKER_UNREACHABLE;
    case BROKER_BLOCKED:
        return VERDICT_BROKER_BLOCKED;
    case BROKER_NO_LEDGER:
        return VERDICT_NO_LEDGER;
    }
    if (state->max_rate > 0 &&
        !rate_bucket_take(state->requests, rate_of_requests(state->max_rate), state->now_ns))
        return VERDICT_RATE_LIMITED;
    return VERDICT_ADMITTED;
}

enum admission_verdict admission_user(const struct admission_user *user, int64_t *wait_ns)
{
    struct rate rate = rate_of(user->rate, user->burst);
    return user_rates_take(user->users, user->user_id, rate, user->now_ns, wait_ns) ? VERDICT_ADMITTED
                                                                                    : VERDICT_USER_LIMITED;
}

static enum admission_verdict judge_item(const struct catalogue_entry *entry, int64_t now_ms,
                                         int32_t quantity)
{
    if (entry->starts_ms != 0 && now_ms < entry->starts_ms)
        return VERDICT_SALE_NOT_STARTED;
    if (entry->ends_ms != 0 && now_ms >= entry->ends_ms)
        return VERDICT_SALE_ENDED;
    if (entry->paused)
        return VERDICT_SALE_PAUSED;
    if (entry->stock_left < quantity)
        return VERDICT_SOLD_OUT;
    return VERDICT_ADMITTED;
}

enum admission_verdict admission_order(const struct admission_facts *facts)
{
    if (facts->already_accepted)
        return VERDICT_ALREADY_ACCEPTED;
    if (!facts->entry)
        return facts->catalogue_complete ? VERDICT_UNKNOWN_ITEM : VERDICT_NO_CATALOGUE;

    enum admission_verdict item = judge_item(facts->entry, facts->now_ms, facts->quantity);
    if (item != VERDICT_ADMITTED)
        return item;
    if (facts->max_pending > 0 && facts->backlog >= facts->max_pending)
        return VERDICT_OVERLOADED;
    return VERDICT_ADMITTED;
}

/* Evenly spread over low..high, within 1..60. */
static int spread(double low, double high, uint64_t noise)
{
    double share = (double)(noise >> 32) / 4294967296.0; /* [0, 1) */
    double seconds = low + (high - low + 1.0) * share;
    if (!(seconds > RETRY_MIN_S))
        return RETRY_MIN_S;
    return seconds < RETRY_MAX_S ? (int)seconds : RETRY_MAX_S;
}

int retry_after_backlog_s(int64_t backlog, double drained_per_s, uint64_t noise)
{
    double drain_s = RETRY_MAX_S;
    if (drained_per_s > 0 && (double)backlog / drained_per_s < RETRY_MAX_S)
        drain_s = (double)backlog / drained_per_s;
    return spread(drain_s / 4, drain_s, noise);
}

int retry_after_delay_s(int delay_s, uint64_t noise)
{
    return spread(delay_s, 2.0 * delay_s + 1, noise);
}

int retry_after_wait_s(int64_t wait_ns, uint64_t noise)
{
    int64_t delay_s = wait_ns > 0 ? (wait_ns - 1) / NS_PER_S + 1 : 1;
    return retry_after_delay_s(delay_s < RETRY_MAX_S ? (int)delay_s : RETRY_MAX_S, noise);
}
