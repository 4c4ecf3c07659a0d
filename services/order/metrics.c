/* The counters' names. Those of one family stand together: the family's header is printed before its first.
 */
#include "services/order/metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define ANSWERS      "seckill_order_answers_total"
#define ANSWERS_HELP "Answers of POST /v1/orders, by code"
#define BATCHES      "seckill_order_batches_total"
#define BATCHES_HELP "Messages of orders sent to the broker, by what became of them"

static const struct {
    const char *name;
    const char *labels;
    const char *help;
} counters[METRIC_COUNT] = {
    [METRIC_ACCEPTED] = {ANSWERS, "code=\"accepted\"", ANSWERS_HELP},
    [METRIC_MALFORMED] = {ANSWERS, "code=\"malformed\"", ANSWERS_HELP},
    [METRIC_TOO_LARGE] = {ANSWERS, "code=\"too_large\"", ANSWERS_HELP},
    [METRIC_UNSUPPORTED_TYPE] = {ANSWERS, "code=\"unsupported_media_type\"", ANSWERS_HELP},
    [METRIC_INVALID] = {ANSWERS, "code=\"invalid\"", ANSWERS_HELP},
    [METRIC_UNKNOWN_ITEM] = {ANSWERS, "code=\"unknown_item\"", ANSWERS_HELP},
    [METRIC_SALE_NOT_STARTED] = {ANSWERS, "code=\"sale_not_started\"", ANSWERS_HELP},
    [METRIC_SALE_ENDED] = {ANSWERS, "code=\"sale_ended\"", ANSWERS_HELP},
    [METRIC_SALE_PAUSED] = {ANSWERS, "code=\"sale_paused\"", ANSWERS_HELP},
    [METRIC_SOLD_OUT] = {ANSWERS, "code=\"sold_out\"", ANSWERS_HELP},
    [METRIC_OVERLOADED] = {ANSWERS, "code=\"overloaded\"", ANSWERS_HELP},
    [METRIC_UNAVAILABLE] = {ANSWERS, "code=\"unavailable\"", ANSWERS_HELP},
    [METRIC_OUTCOME_UNKNOWN] = {ANSWERS, "code=\"outcome_unknown\"", ANSWERS_HELP},
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
    [METRIC_RPC_LATE] = {"seckill_order_rpc_late_total", "", "Answers that nobody waited for any more"},
    [METRIC_HTTP_REQUESTS] = {"seckill_order_http_requests_total", "", "HTTP requests of any kind"},
    [METRIC_HTTP_SHED] = {"seckill_order_http_shed_total", "",
                          "Requests refused because of too many connections"},
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

void metrics_print(const struct metrics *m, struct buffer *out)
{
    const char *family = "";
    for (int i = 0; i < METRIC_COUNT; i++) {
        bool is_first = strcmp(family, counters[i].name) != 0;
        family = counters[i].name;
        metrics_counter(out, family, is_first ? counters[i].help : NULL, counters[i].labels,
                        atomic_load_explicit(&m->value[i], memory_order_relaxed));
    }
}
