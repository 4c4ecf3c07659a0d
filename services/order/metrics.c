/* The counters' names. Those of one family stand together: the family's header is printed before its first.
 */
#include "services/order/metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define ANSWERS      "seckill_order_answers_total"
#define ANSWERS_HELP "Answers of POST /v1/orders, by code"
#define BATCHES      "seckill_order_batches_total"
#define LIMITED      "seckill_order_rate_limited_total"
#define LIMITED_HELP "Answers rate_limited of POST /v1/orders, by whose rate it was"
#define BATCHES_HELP "Messages of orders sent to the broker, by what became of them"

static const struct {
    const char *name;
    const char *labels;
    const char *help;
} counters[METRIC_COUNT] = {
    [METRIC_ACCEPTED] = {ANSWERS, "code=\"accepted\"", ANSWERS_HELP},
    [METRIC_MALFORMED] = {ANSWERS, "code=\"malformed\"", ANSWERS_HELP},
    [METRIC_UNAUTHENTICATED] = {ANSWERS, "code=\"unauthenticated\"", ANSWERS_HELP},
    [METRIC_FORBIDDEN] = {ANSWERS, "code=\"forbidden\"", ANSWERS_HELP},
    [METRIC_TOO_LARGE] = {ANSWERS, "code=\"too_large\"", ANSWERS_HELP},
    [METRIC_UNSUPPORTED_TYPE] = {ANSWERS, "code=\"unsupported_media_type\"", ANSWERS_HELP},
    [METRIC_INVALID] = {ANSWERS, "code=\"invalid\"", ANSWERS_HELP},
    [METRIC_UNKNOWN_ITEM] = {ANSWERS, "code=\"unknown_item\"", ANSWERS_HELP},
    [METRIC_SALE_NOT_STARTED] = {ANSWERS, "code=\"sale_not_started\"", ANSWERS_HELP},
    [METRIC_SALE_ENDED] = {ANSWERS, "code=\"sale_ended\"", ANSWERS_HELP},
    [METRIC_SALE_PAUSED] = {ANSWERS, "code=\"sale_paused\"", ANSWERS_HELP},
    [METRIC_SOLD_OUT] = {ANSWERS, "code=\"sold_out\"", ANSWERS_HELP},
    [METRIC_RATE_LIMITED] = {ANSWERS, "code=\"rate_limited\"", ANSWERS_HELP},
    [METRIC_OVERLOADED] = {ANSWERS, "code=\"overloaded\"", ANSWERS_HELP},
    [METRIC_UNAVAILABLE] = {ANSWERS, "code=\"unavailable\"", ANSWERS_HELP},
    [METRIC_OUTCOME_UNKNOWN] = {ANSWERS, "code=\"outcome_unknown\"", ANSWERS_HELP},
    [METRIC_LIMITED_FRONT_END] = {LIMITED, "threshold=\"front_end\"", LIMITED_HELP},
    [METRIC_LIMITED_USER] = {LIMITED, "threshold=\"user\"", LIMITED_HELP},
    [METRIC_LIMITED_ADDRESS] = {LIMITED, "threshold=\"address\"", LIMITED_HELP},
    [METRIC_BATCHES_PUBLISHED] = {BATCHES, "outcome=\"published\"", BATCHES_HELP},
    [METRIC_BATCHES_CONFIRMED] = {BATCHES, "outcome=\"confirmed\"", BATCHES_HELP},
    [METRIC_BATCHES_NACKED] = {BATCHES, "outcome=\"nacked\"", BATCHES_HELP},
    [METRIC_BATCHES_RETURNED] = {BATCHES, "outcome=\"returned\"", BATCHES_HELP},
    [METRIC_BATCHES_TIMED_OUT] = {BATCHES, "outcome=\"timed_out\"", BATCHES_HELP},
    [METRIC_ORDERS_CONFIRMED] = {"seckill_order_orders_confirmed_total", "",
                                 "Orders that the broker confirmed"},
    [METRIC_CONFIRM_WAIT_US] = {"seckill_order_confirm_wait_microseconds_total", "",
                                "Time from publish to confirm, summed over confirmed batches"},
    [METRIC_BROKER_CONNECTS] = {"seckill_order_broker_connects_total", "", "Times the broker became usable"},
    [METRIC_BROKER_LOSSES] = {"seckill_order_broker_losses_total", "", "Times the broker was lost"},
    [METRIC_DECISIONS] = {"seckill_order_decisions_total", "", "Decisions that came back from inventory"},
    [METRIC_SNAPSHOTS] = {"seckill_order_snapshots_total", "", "Catalogue snapshots that came in"},
    [METRIC_STATUS_QUESTIONS] = {"seckill_order_status_questions_total", "",
                                 "Questions to inventory about orders, each for many ids"},
    [METRIC_STATUS_IDS] = {"seckill_order_status_ids_total", "", "Ids in these questions"},
    [METRIC_PACKET_QUESTIONS] = {"seckill_order_packet_questions_total", "",
                                 "Questions about red packets, each for many ids"},
    [METRIC_PACKET_IDS] = {"seckill_order_packet_ids_total", "", "Ids in these questions"},
    [METRIC_RPC_LATE] = {"seckill_order_rpc_late_total", "", "Answers that nobody waited for any more"},
    [METRIC_ADMIN_DONE] = {"seckill_order_admin_total", "outcome=\"done\"",
                           "Changes that operators asked for"},
    [METRIC_ADMIN_REFUSED] = {"seckill_order_admin_total", "outcome=\"refused\"", NULL},
    [METRIC_ADMIN_DENIED] = {"seckill_order_admin_total", "outcome=\"denied\"", NULL},
    [METRIC_ADMIN_FAILED] = {"seckill_order_admin_total", "outcome=\"failed\"", NULL},
    [METRIC_HTTP_REQUESTS] = {"seckill_order_http_requests_total", "", "HTTP requests of any kind"},
    [METRIC_HTTP_SHED] = {"seckill_order_http_shed_total", "",
                          "Requests refused because of too many connections"},
    [METRIC_HTTP_ADDRESS_FULL] =
        {"seckill_order_http_address_full_total", "",
         "Connections, and requests by way of a proxy, not taken because their address has enough"},
    [METRIC_HTTP_TOO_SLOW] = {"seckill_order_http_too_slow_total", "",
                              "Connections shut down because a request was not complete in time"},
};

static void print_sample(struct buffer *out, const char *type, const char *name, const char *help,
                         const char *labels)
{
    if (help)
        buffer_printf(out, "# HELP %s %s.\n# TYPE %s %s\n", name, help, name, type);
    buffer_add_text(out, name);
    if (*labels)
        buffer_printf(out, "{%s}", labels);
}

void metrics_counter(struct buffer *out, const char *name, const char *help, const char *labels,
                     uint64_t value)
{
    print_sample(out, "counter", name, help, labels);
    buffer_printf(out, " %" PRIu64 "\n", value);
}

void metrics_gauge(struct buffer *out, const char *name, const char *help, const char *labels, double value)
{
    print_sample(out, "gauge", name, help, labels);
    buffer_printf(out, " %.10g\n", value);
}

/* ---- histograms ---- */

#define ANSWER      "seckill_order_answer_seconds"
#define ANSWER_HELP "From the headers of POST /v1/orders to its answer, by outcome"

/* Upper bounds, ascending, ended by 0. */
static const uint64_t times_us[HISTOGRAM_BOUNDS] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000};
static const uint64_t batch_sizes[HISTOGRAM_BOUNDS] = {1, 2, 5, 10, 20, 50, 100, 200, 500};

static const struct {
    const char *name, *labels, *help;
    const uint64_t *bounds;
    double unit; /* of a value, in the unit that is printed */
} histograms[HISTOGRAM_COUNT] = {
    [HISTOGRAM_ANSWER_ACCEPTED] = {ANSWER, "outcome=\"accepted\"", ANSWER_HELP, times_us, 1e-6},
    [HISTOGRAM_ANSWER_REFUSED] = {ANSWER, "outcome=\"refused\"", NULL, times_us, 1e-6},
    [HISTOGRAM_ANSWER_UNKNOWN] = {ANSWER, "outcome=\"unknown\"", NULL, times_us, 1e-6},
    [HISTOGRAM_CONFIRM] = {"seckill_order_confirm_seconds", "",
                           "From the first publish of a batch to its confirm", times_us, 1e-6},
    [HISTOGRAM_BATCH] = {"seckill_order_batch_orders", "", "Orders in a published batch", batch_sizes, 1},
};

void histogram_add(struct metrics *m, enum histogram which, uint64_t value)
{
    const uint64_t *bounds = histograms[which].bounds;
    int i = 0;
    while (i < HISTOGRAM_BOUNDS && bounds[i] != 0 && value > bounds[i])
        i++;
    if (i < HISTOGRAM_BOUNDS && bounds[i] == 0)
        i = HISTOGRAM_BOUNDS;
    atomic_fetch_add_explicit(&m->histograms[which].count[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->histograms[which].sum, value, memory_order_relaxed);
}

double histogram_quantile(enum histogram which, const uint64_t count[HISTOGRAM_BOUNDS + 1], double part)
{
    const uint64_t *bounds = histograms[which].bounds;
    double total = 0, below = 0, lower = 0;
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
        total += (double)count[i];
    if (total == 0)
        return -1;
    for (int i = 0; i < HISTOGRAM_BOUNDS && bounds[i] != 0; i++) {
        double here = (double)count[i];
        if (here > 0 && below + here >= part * total)
            return lower + ((double)bounds[i] - lower) * (part * total - below) / here;
        below += here;
        lower = (double)bounds[i];
    }
    return lower;
}

/* The count is what the buckets add up to at this moment, so that the last bucket and it agree. */
static void print_histogram(const struct metrics *m, int which, struct buffer *out)
{
    const char *name = histograms[which].name, *labels = histograms[which].labels;
    const char *comma = *labels ? "," : "";
    uint64_t total = 0;
    if (histograms[which].help)
        buffer_printf(out, "# HELP %s %s.\n# TYPE %s histogram\n", name, histograms[which].help, name);
    for (int i = 0; i < HISTOGRAM_BOUNDS && histograms[which].bounds[i] != 0; i++) {
        total += atomic_load_explicit(&m->histograms[which].count[i], memory_order_relaxed);
        buffer_printf(out, "%s_bucket{%s%sle=\"%.10g\"} %" PRIu64 "\n", name, labels, comma,
                      (double)histograms[which].bounds[i] * histograms[which].unit, total);
    }
    total += atomic_load_explicit(&m->histograms[which].count[HISTOGRAM_BOUNDS], memory_order_relaxed);
    buffer_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, comma, total);
    double sum = (double)atomic_load_explicit(&m->histograms[which].sum, memory_order_relaxed);
    const char *open = *labels ? "{" : "", *close = *labels ? "}" : "";
    buffer_printf(out, "%s_sum%s%s%s %.10g\n%s_count%s%s%s %" PRIu64 "\n", name, open, labels, close,
                  sum * histograms[which].unit, name, open, labels, close, total);
}

void metrics_print(const struct metrics *m, struct buffer *out)
{
    const char *family = "";
    for (int i = 0; i < METRIC_COUNT; i++) {
        bool is_first = strcmp(family, counters[i].name) != 0;
        family = counters[i].name;
        metrics_counter(out, family, is_first ? counters[i].help : NULL, counters[i].labels,
                        atomic_load_explicit(&m->value[i], memory_order_relaxed));
    }
    for (int i = 0; i < HISTOGRAM_COUNT; i++)
        print_histogram(m, i, out);
}
