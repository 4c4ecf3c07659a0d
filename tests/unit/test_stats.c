/* What happened in the last seconds, and who is alive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "services/order/alive.h"
#include "services/order/stats.h"

static void test_rates_are_of_the_window_alone(void **state)
{
    static struct metrics m;
    struct stats_window w;
    (void)state;
    memset(&m, 0, sizeof m);
    metric_add(&m, METRIC_ACCEPTED, 1000); /* long ago */
    struct stats *s = stats_new(&m, 0);
    metric_add(&m, METRIC_ACCEPTED, 50);
    stats_window(s, 20, NS_PER_S / 2, &w);
    assert_int_equal(w.value[METRIC_ACCEPTED], 50);
    assert_int_equal(w.decided, 20);
    assert_true(stats_per_second(&w, 50) > 99.9 && stats_per_second(&w, 50) < 100.1);
    for (int second = 1; second <= 30; second++) {
        metric_add(&m, METRIC_ACCEPTED, 10);
        histogram_add(&m, HISTOGRAM_CONFIRM, 1000);
        stats_take(s, 20 + (uint64_t)second, second * NS_PER_S);
        stats_take(s, 20 + (uint64_t)second, second * NS_PER_S + 1); /* too soon to count */
    }
    stats_window(s, 50, 31 * NS_PER_S, &w);
    assert_true(w.seconds > STATS_WINDOW_S - 0.1 && w.seconds < STATS_WINDOW_S + 0.1);
    assert_int_equal(w.value[METRIC_ACCEPTED], 90);
    assert_int_equal(w.decided, 9);
    uint64_t confirms = 0;
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
        confirms += w.bucket[HISTOGRAM_CONFIRM][i];
    assert_int_equal(confirms, 9);
    stats_free(s);
}

static void test_no_time_has_no_rate(void **state)
{
    static struct metrics m;
    struct stats_window w;
    (void)state;
    struct stats *s = stats_new(&m, 7);
    stats_window(s, 0, 7, &w);
    assert_true(stats_per_second(&w, 5) == 0);
    stats_free(s);
}

static void test_quantiles(void **state)
{
    uint64_t count[HISTOGRAM_BOUNDS + 1] = {0};
    (void)state;
    assert_true(histogram_quantile(HISTOGRAM_CONFIRM, count, 0.5) < 0);
    count[3] = 100; /* 500 to 1000 µs */
    assert_true(histogram_quantile(HISTOGRAM_CONFIRM, count, 0.5) == 750);
    count[0] = 100; /* up to 100 µs */
    assert_true(histogram_quantile(HISTOGRAM_CONFIRM, count, 0.5) == 100);
    assert_true(histogram_quantile(HISTOGRAM_CONFIRM, count, 0.75) == 750);
    memset(count, 0, sizeof count);
    count[HISTOGRAM_BOUNDS] = 1; /* beyond 5 s */
    assert_true(histogram_quantile(HISTOGRAM_CONFIRM, count, 0.99) == 5000000);
}

/* ---- who is alive ---- */

static struct heartbeat beat(const char *service, const char *instance, int64_t rate)
{
    struct heartbeat h = {.rate = rate};
    snprintf(h.service, sizeof h.service, "%s", service);
    snprintf(h.instance, sizeof h.instance, "%s", instance);
    return h;
}

static char seen[4096];

static void note(void *context, const struct heartbeat *h, int64_t last_seen_ms)
{
    (void)context;
    snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s/%s:%d@%d ", h->service, h->instance,
             (int)h->rate, (int)last_seen_ms);
}

static void sees(struct alive *a, int64_t now_ns, const char *expected)
{
    seen[0] = '\0';
    alive_visit(a, now_ns, note, NULL);
    assert_string_equal(seen, expected);
}

static void test_alive_is_who_was_heard_of(void **state)
{
    struct alive *a = alive_new();
    (void)state;
    sees(a, 0, "");
    struct heartbeat order2 = beat("order", "b", 2), order1 = beat("order", "a", 1),
                     inventory = beat("inventory.0", "x", 3), again = beat("order", "a", 9);
    alive_heard(a, &order2, NS_PER_S);
    alive_heard(a, &order1, NS_PER_S);
    alive_heard(a, &inventory, 2 * NS_PER_S);
    sees(a, 2 * NS_PER_S, "inventory.0/x:3@0 order/a:1@1000 order/b:2@1000 ");
    alive_heard(a, &again, 5 * NS_PER_S);
    sees(a, HEARTBEAT_GONE_NS + NS_PER_S, "inventory.0/x:3@9000 order/a:9@6000 order/b:2@10000 ");
    sees(a, HEARTBEAT_GONE_NS + NS_PER_S + 1, "inventory.0/x:3@9000 order/a:9@6000 ");
    sees(a, HEARTBEAT_GONE_NS + 60 * NS_PER_S, "");
    alive_free(a);
}

static void count(void *context, const struct heartbeat *h, int64_t last_seen_ms)
{
    (void)h;
    (void)last_seen_ms;
    ++*(int *)context;
}

static void test_alive_is_bounded(void **state)
{
    struct alive *a = alive_new();
    char name[16];
    int members = 0;
    (void)state;
    for (int i = 0; i < ALIVE_MAX + 10; i++) {
        snprintf(name, sizeof name, "%d", i);
        struct heartbeat h = beat("order", name, 0);
        alive_heard(a, &h, 0);
    }
    alive_visit(a, 0, count, &members);
    assert_int_equal(members, ALIVE_MAX);
    struct heartbeat known = beat("order", "5", 77); /* still taken */
    alive_heard(a, &known, HEARTBEAT_GONE_NS);
    sees(a, HEARTBEAT_GONE_NS + 1, "order/5:77@0 ");
    alive_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates_are_of_the_window_alone),
        cmocka_unit_test(test_no_time_has_no_rate),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_alive_is_who_was_heard_of),
        cmocka_unit_test(test_alive_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
