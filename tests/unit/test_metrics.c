/* What a scraper reads: families, buckets that only grow, sums that fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "services/order/metrics.h"

static bool has_line(struct buffer *b, const char *line)
{
    const char *at = strstr(buffer_text(b), line);
    return at && at[strlen(line)] == '\n' && (at == b->data || at[-1] == '\n');
}

static void test_a_histogram_is_cumulative_and_ends_with_all(void **state)
{
    (void)state;
    static struct metrics m;
    struct buffer b = {0};
    histogram_add(&m, HISTOGRAM_BATCH, 1);
    histogram_add(&m, HISTOGRAM_BATCH, 2);
    histogram_add(&m, HISTOGRAM_BATCH, 3);
    histogram_add(&m, HISTOGRAM_BATCH, 500);
    histogram_add(&m, HISTOGRAM_BATCH, 501);
    metrics_print(&m, &b);
    assert_true(has_line(&b, "# TYPE seckill_order_batch_orders histogram"));
    assert_true(has_line(&b, "seckill_order_batch_orders_bucket{le=\"1\"} 1"));
    assert_true(has_line(&b, "seckill_order_batch_orders_bucket{le=\"2\"} 2"));
    assert_true(has_line(&b, "seckill_order_batch_orders_bucket{le=\"5\"} 3"));
    assert_true(has_line(&b, "seckill_order_batch_orders_bucket{le=\"200\"} 3"));
    assert_true(has_line(&b, "seckill_order_batch_orders_bucket{le=\"500\"} 4"));
    assert_true(has_line(&b, "seckill_order_batch_orders_bucket{le=\"+Inf\"} 5"));
    assert_true(has_line(&b, "seckill_order_batch_orders_sum 1007"));
    assert_true(has_line(&b, "seckill_order_batch_orders_count 5"));
    buffer_free(&b);
}

static void test_times_are_printed_in_seconds_and_by_outcome(void **state)
{
    (void)state;
    static struct metrics m;
    struct buffer b = {0};
    histogram_add(&m, HISTOGRAM_ANSWER_REFUSED, 250);
    histogram_add(&m, HISTOGRAM_ANSWER_REFUSED, 60 * 1000 * 1000);
    metrics_print(&m, &b);
    assert_true(has_line(&b, "seckill_order_answer_seconds_bucket{outcome=\"refused\",le=\"0.0001\"} 0"));
    assert_true(has_line(&b, "seckill_order_answer_seconds_bucket{outcome=\"refused\",le=\"0.00025\"} 1"));
    assert_true(has_line(&b, "seckill_order_answer_seconds_bucket{outcome=\"refused\",le=\"+Inf\"} 2"));
    assert_true(has_line(&b, "seckill_order_answer_seconds_sum{outcome=\"refused\"} 60.00025"));
    assert_true(has_line(&b, "seckill_order_answer_seconds_count{outcome=\"accepted\"} 0"));
    buffer_free(&b);
}

static void test_each_family_is_announced_once(void **state)
{
    (void)state;
    static struct metrics m;
    struct buffer b = {0};
    metrics_print(&m, &b);
    for (const char *type = buffer_text(&b); (type = strstr(type, "# TYPE ")); type++) {
        const size_t len = strcspn(type, "\n");
        assert_null(memmem(type + len, strlen(type + len), type, len));
    }
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_histogram_is_cumulative_and_ends_with_all),
        cmocka_unit_test(test_times_are_printed_in_seconds_and_by_outcome),
        cmocka_unit_test(test_each_family_is_announced_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
