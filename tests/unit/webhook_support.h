/* For the tests of the sink webhook: a gateway in this process, a sink that speaks to it, and the loop that a
 * worker would be. */
#ifndef SECKILL_TESTS_WEBHOOK_SUPPORT_H
#define SECKILL_TESTS_WEBHOOK_SUPPORT_H

#include <poll.h>
#include <signal.h>

#include "common/base/clock.h"
#include "common/pipeline/settings.h"
#include "services/notification/sink.h"
#include "tests/support/gateway.h"
#include "tests/unit/base_support.h"

enum { MOST = 512, PATIENCE_S = 60 };

struct webhook_test {
    struct gateway *gateway;
    struct settings settings; /* may be changed before the sink is made */
    char url[128];
    struct sink *sink;
    struct sink_outcome outcomes[MOST]; /* in their order */
    int count;
    int rounds; /* of the loop */
};

static inline int webhook_setup(void **state)
{
    struct webhook_test *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    signal(SIGPIPE, SIG_IGN); /* as signals_start does */
    t->gateway = gateway_start(0);
    assert_non_null(t->gateway);
    snprintf(t->url, sizeof(t->url), "http://127.0.0.1:%d/v1/sms?from=shop", gateway_port(t->gateway));
    t->settings.notification.webhook_url = t->url;
    t->settings.notification.webhook_token_file = "";
    t->settings.notification.webhook_ca_file = "";
    t->settings.notification.in_flight = 256;
    t->settings.notification.connect_timeout_ms = 30000;
    t->settings.notification.total_timeout_ms = 40000;
    *state = t;
    return 0;
}

static inline int webhook_teardown(void **state)
{
    struct webhook_test *t = *state;
    sink_free(t->sink);
    gateway_free(t->gateway);
    free(t);
    return 0;
}

static inline void webhook_make(struct webhook_test *t)
{
    struct detail why = {.text = ""};
    if (sink_webhook_new(&t->sink, &t->settings, &why) != 0)
        fail_msg("%s", why.text);
}

static inline struct event event_of(int number, const char *user)
{
    struct event e = {.kind = EVENT_KIND_CONFIRMED,
                      .decision = {.status = ORDER_CONFIRMED,
                                   .sku = "phone-1",
                                   .quantity = 1,
                                   .at_ms = 1795348800456,
                                   .unit_price = 99900,
                                   .total = 99900,
                                   .receipt_no = number + 1}};
    snprintf(e.decision.order_id, sizeof(e.decision.order_id), "01JDXWBXG00000000000%06u",
             (unsigned)number % 1000000);
    snprintf(e.decision.user_id, sizeof(e.decision.user_id), "%s", user);
    return e;
}

/* Begins message `number`; its token is that, too. There must be room. */
static inline void webhook_begin(struct webhook_test *t, int number, const char *user)
{
    struct event e = event_of(number, user);
    assert_true(t->sink->ops->room(t->sink) > 0);
    t->sink->ops->start(t->sink, &(struct sink_message){.event = &e,
                                                        .text = slice_of("It is \"yours\"."),
                                                        .attempt = 1,
                                                        .token = (uint64_t)number});
}

/* What a worker does in a round: run, and if there was no outcome, sleep until the descriptor or the moment,
 * at most max_ms. */
static inline void webhook_round(struct webhook_test *t, int max_ms)
{
    struct pollfd p = {.fd = t->sink->ops->wait_fd(t->sink), .events = POLLIN};
    assert_true(t->count < MOST);
    t->rounds++;
    const int fresh = t->sink->ops->run(t->sink, clock_mono_ns(), t->outcomes + t->count, MOST - t->count);
    t->count += fresh;
    if (fresh > 0)
        return;
    int64_t due = t->sink->ops->due_ns(t->sink), now = clock_mono_ns();
    int64_t ms = due <= now ? 0 : due / NS_PER_MS - now / NS_PER_MS + 1;
    poll(&p, 1, ms < max_ms ? (int)ms : max_ms);
}

/* Until there are so many outcomes altogether. */
static inline void webhook_wait(struct webhook_test *t, int count)
{
    int64_t until = clock_mono_ns() + PATIENCE_S * NS_PER_S;
    while (t->count < count) {
        if (clock_mono_ns() > until)
            fail_msg("%d outcomes instead of %d", t->count, count);
        webhook_round(t, 1000);
    }
}

/* Until the gateway has received so many requests altogether. */
static inline void webhook_wait_received(struct webhook_test *t, int64_t count)
{
    int64_t until = clock_mono_ns() + PATIENCE_S * NS_PER_S;
    while (!gateway_wait_received(t->gateway, count, 0)) {
        if (clock_mono_ns() > until)
            fail_msg("the gateway did not get %lld requests", (long long)count);
        webhook_round(t, 20);
    }
}

/* One message, to its end. */
static inline struct sink_outcome webhook_send(struct webhook_test *t, int number)
{
    webhook_begin(t, number, "u1");
    webhook_wait(t, t->count + 1);
    assert_int_equal(t->outcomes[t->count - 1].token, number);
    return t->outcomes[t->count - 1];
}

static inline void assert_why_has(const struct sink_outcome *o, const char *part)
{
    if (!strstr(o->why.text, part))
        fail_msg("\"%s\" does not say \"%s\"", o->why.text, part);
}

#endif
