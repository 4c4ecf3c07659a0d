/* The histogram against exact quantiles of the same values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "loadtest/replay/histogram.h"
#include "loadtest/replay/random.h"

#define COUNT 200000

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Values from 1 µs to 1 h, as many in each octave. */
static void fill(uint64_t *values, struct histogram *h, uint64_t seed)
{
    struct random r;
    random_seed(&r, seed);
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = (uint64_t)exp(random_unit(&r) * log((double)HISTOGRAM_MAX_US));
        values[i] = values[i] < 1 ? 1 : values[i];
        histogram_add(h, (int64_t)values[i]);
    }
    qsort(values, COUNT, sizeof *values, by_value);
}

static void assert_quantiles(int bits, double allowed)
{
    static const double quantiles[] = {0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 1};
    static uint64_t values[COUNT];
    struct histogram h;
    histogram_init(&h, bits);
    fill(values, &h, 7);
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        const uint64_t exact = values[(size_t)ceil(quantiles[i] * COUNT) - 1];
        const uint64_t got = histogram_quantile(&h, quantiles[i]);
        if (got < exact || (double)got > (double)exact * (1 + allowed))
            fail_msg("quantile %g: %llu instead of %llu", quantiles[i], (unsigned long long)got,
                     (unsigned long long)exact);
    }
    assert_int_equal(h.total, COUNT);
    assert_int_equal(h.max_us, values[COUNT - 1]);
    assert_int_equal(h.min_us, values[0]);
    histogram_free(&h);
}

static void test_three_digits_from_a_microsecond_to_an_hour(void **state)
{
    (void)state;
    assert_quantiles(HISTOGRAM_FINE, 0.001);
    assert_quantiles(HISTOGRAM_COARSE, 1.0 / 32);
}

static void test_buckets_follow_on_one_another_without_a_gap(void **state)
{
    struct histogram h;
    (void)state;
    histogram_init(&h, HISTOGRAM_FINE);
    for (size_t i = 0; i < h.size; i++) {
        assert_int_equal(histogram_index(&h, histogram_low(&h, i)), i);
        assert_int_equal(histogram_index(&h, histogram_high(&h, i)), i);
        assert_int_equal(histogram_high(&h, i) + 1, histogram_low(&h, i + 1));
    }
    histogram_free(&h);
}

static void test_what_is_outside_is_counted_at_the_edge(void **state)
{
    struct histogram h;
    (void)state;
    histogram_init(&h, HISTOGRAM_FINE);
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    histogram_add(&h, -5);
    histogram_add(&h, 0);
    assert_int_equal(histogram_quantile(&h, 1), 1);
    histogram_add(&h, INT64_MAX);
    assert_int_equal(histogram_quantile(&h, 1), HISTOGRAM_MAX_US);
    assert_int_equal(h.total, 3);
    histogram_free(&h);
}

static void test_merged_is_as_counted_in_one(void **state)
{
    static uint64_t values[COUNT];
    struct histogram one, two, all;
    (void)state;
    histogram_init(&one, HISTOGRAM_FINE);
    histogram_init(&two, HISTOGRAM_FINE);
    histogram_init(&all, HISTOGRAM_FINE);
    fill(values, &one, 1);
    for (size_t i = 0; i < COUNT; i++)
        histogram_add(&all, (int64_t)values[i]);
    fill(values, &two, 2);
    for (size_t i = 0; i < COUNT; i++)
        histogram_add(&all, (int64_t)values[i]);
    histogram_merge(&one, &two);
    assert_int_equal(one.total, all.total);
    assert_int_equal(one.sum_us, all.sum_us);
    assert_int_equal(one.min_us, all.min_us);
    assert_int_equal(one.max_us, all.max_us);
    assert_memory_equal(one.counts, all.counts, all.size * sizeof *all.counts);
    histogram_free(&one);
    histogram_free(&two);
    histogram_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_digits_from_a_microsecond_to_an_hour),
        cmocka_unit_test(test_buckets_follow_on_one_another_without_a_gap),
        cmocka_unit_test(test_what_is_outside_is_counted_at_the_edge),
        cmocka_unit_test(test_merged_is_as_counted_in_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
