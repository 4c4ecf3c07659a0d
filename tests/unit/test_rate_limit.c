/* One bucket: never a token too many or too few, at any rate, whatever the clock and the other threads do. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "services/order/rate_limit.h"

#define START (1000 * NS_PER_S)

static int64_t take_all(struct rate_bucket *b, struct rate rate, int64_t now_ns)
{
    int64_t taken = 0;
    while (rate_bucket_take(b, rate, now_ns))
        taken++;
    return taken;
}

static void test_rate_zero_is_no_threshold(void **state)
{
    (void)state;
    struct rate_bucket b = {0};
    for (int i = 0; i < 100000; i++)
        assert_true(rate_bucket_take(&b, rate_of(0, 1), START));
    assert_int_equal(rate_bucket_wait_ns(&b, rate_of(0, 1), START), 0);
    assert_int_equal(b.full_at_ns, 0);
}

static void test_full_bucket_holds_its_burst_exactly(void **state)
{
    (void)state;
    static const int64_t rates[] = {1, 3, 5, 7, 999, 1000, 1001, 20000, 7000000, 10000000};
    static const int64_t bursts[] = {1, 2, 10, 1000, 1000000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        for (size_t k = 0; k < sizeof bursts / sizeof *bursts; k++) {
            struct rate_bucket b = {0};
            assert_int_equal(take_all(&b, rate_of(rates[i], bursts[k]), START), bursts[k]);
        }
}

/* Asked as fast as one can, for ten seconds: burst and rate, to the token (the interval is a whole number of
 * nanoseconds, so the rates that do not divide a second are a little low, never high). */
static void test_rate_is_exact_below_and_above_a_thousand_a_second(void **state)
{
    (void)state;
    static const int64_t rates[] = {1, 3, 5, 1000, 1001, 2500, 20000, 30000, 999983};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct rate rate = rate_of(rates[i], 10);
        struct rate_bucket b = {0};
        int64_t taken = 0, step_ns = rate.interval_ns / 3 + 1;
        for (int64_t now = START; now <= START + 10 * NS_PER_S; now += step_ns)
            taken += rate_bucket_take(&b, rate, now);
        assert_true(taken <= 10 + 10 * rates[i]);
        assert_true(taken >= 10 + 10 * rates[i] - 2 - 10 * rates[i] * rates[i] / NS_PER_S);
    }
}

static void test_token_comes_to_the_nanosecond(void **state)
{
    (void)state;
    struct rate rate = rate_of(20000, 1);
    struct rate_bucket b = {0};
    assert_true(rate_bucket_take(&b, rate, START));
    assert_int_equal(rate_bucket_wait_ns(&b, rate, START), 50000);
    assert_false(rate_bucket_take(&b, rate, START + 49999));
    assert_int_equal(rate_bucket_wait_ns(&b, rate, START + 49999), 1);
    assert_true(rate_bucket_take(&b, rate, START + 50000));
}

/* A limiter that counts refusals as well never lets in again who does not stop asking. */
static void test_refused_take_nothing(void **state)
{
    (void)state;
    struct rate rate = rate_of(5, 10);
    struct rate_bucket b = {0};
    assert_int_equal(take_all(&b, rate, START), 10);
    for (int i = 0; i < 1000000; i++)
        assert_false(rate_bucket_take(&b, rate, START + 199999999));
    assert_true(rate_bucket_take(&b, rate, START + 200000000));
}

static void test_quiet_time_fills_it_to_the_burst_and_no_further(void **state)
{
    (void)state;
    struct rate rate = rate_of(5, 10);
    struct rate_bucket b = {0};
    assert_int_equal(take_all(&b, rate, START), 10);
    assert_int_equal(take_all(&b, rate, START + NS_PER_S), 5);
    assert_int_equal(take_all(&b, rate, START + 3600 * NS_PER_S), 10);
}

static void test_clock_that_jumps_ahead_gives_one_burst(void **state)
{
    (void)state;
    struct rate rate = rate_of(20000, 2000);
    struct rate_bucket b = {0};
    assert_int_equal(take_all(&b, rate, START), 2000);
    assert_int_equal(take_all(&b, rate, START + INT64_C(1000000) * NS_PER_S), 2000);
}

static void test_clock_that_jumps_back_leaves_an_empty_bucket_that_fills(void **state)
{
    (void)state;
    struct rate rate = rate_of(5, 10);
    struct rate_bucket b = {0};
    int64_t back = START - 500 * NS_PER_S;
    assert_int_equal(take_all(&b, rate, START), 10);
    assert_int_equal(take_all(&b, rate, back), 0);
    assert_int_equal(take_all(&b, rate, back + NS_PER_S), 5);
}

/* Another thread's clock, read a moment earlier: no token more than the newer clock gives. */
static void test_slightly_older_clock_gives_nothing_extra(void **state)
{
    (void)state;
    struct rate rate = rate_of(20000, 2000);
    struct rate_bucket b = {0};
    assert_int_equal(take_all(&b, rate, START), 2000);
    for (int i = 0; i < 1000; i++) {
        assert_false(rate_bucket_take(&b, rate, START - RATE_SKEW_NS));
        assert_false(rate_bucket_take(&b, rate, START));
    }
}

static void test_new_rate_counts_at_once(void **state)
{
    (void)state;
    struct rate slow = rate_of(1, 1000000), fast = rate_of(1000, 10);
    struct rate_bucket b = {0};
    assert_int_equal(take_all(&b, slow, START), 1000000); /* full again in 11 days */
    assert_int_equal(take_all(&b, fast, START), 0);
    assert_int_equal(take_all(&b, fast, START + 10 * NS_PER_MS), 10);
    assert_int_equal(take_all(&b, rate_of(1, 5), START + 10 * NS_PER_MS), 4);
}

static void test_front_ends_burst_is_a_tenth_of_a_second(void **state)
{
    (void)state;
    static const struct {
        int64_t per_s, burst;
    } cases[] = {{1, 1},    {5, 5},      {10, 10},      {50, 10},
                 {100, 10}, {1000, 100}, {20000, 2000}, {10000000, 1000000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rate_bucket b = {0};
        assert_int_equal(take_all(&b, rate_of_requests(cases[i].per_s), START), cases[i].burst);
    }
    assert_int_equal(rate_of_requests(0).interval_ns, 0);
}

/* ---- the line of the refused ---- */

static void test_line_grows_with_the_refused_and_is_served_at_the_rate(void **state)
{
    (void)state;
    struct rate rate = rate_of(1000, 100);
    struct rate_line l = {0};
    for (int i = 1; i <= 3000; i++)
        assert_int_equal(rate_line_join(&l, rate, START), i * NS_PER_MS);
    assert_int_equal(rate_line_join(&l, rate, START + NS_PER_S), 2001 * NS_PER_MS);
    assert_int_equal(rate_line_join(&l, rate, START + 60 * NS_PER_S), NS_PER_MS);
}

static void test_line_is_bounded_whatever_comes(void **state)
{
    (void)state;
    struct rate rate = rate_of(1000, 100);
    struct rate_line l = {0};
    for (int i = 0; i < 100000; i++)
        assert_in_range(rate_line_join(&l, rate, START), 1, RATE_LINE_MAX_NS);
    assert_int_equal(rate_line_join(&l, rate, START), RATE_LINE_MAX_NS);
    /* The clock jumps back; the threshold is turned off meanwhile. */
    assert_int_equal(rate_line_join(&l, rate, START - 500 * NS_PER_S), RATE_LINE_MAX_NS);
    assert_in_range(rate_line_join(&l, rate_of(0, 1), START), 1, RATE_LINE_MAX_NS);
    assert_in_range(rate_line_join(&l, rate_of(0, 1), START + 500 * NS_PER_S), 1, RATE_LINE_MAX_NS);
}

/* ---- threads ---- */

enum { THREADS = 8, ASKS = 100000 };

static struct {
    struct rate_bucket bucket;
    struct rate rate;
    _Atomic int64_t now_ns;
    int64_t step_ns;
    _Atomic int64_t taken;
} shared;

static void *ask(void *unused)
{
    (void)unused;
    int64_t taken = 0;
    for (int i = 0; i < ASKS; i++)
        taken +=
            rate_bucket_take(&shared.bucket, shared.rate, atomic_fetch_add(&shared.now_ns, shared.step_ns));
    atomic_fetch_add(&shared.taken, taken);
    return NULL;
}

static int64_t ask_from_all_threads(struct rate rate, int64_t step_ns)
{
    pthread_t threads[THREADS];
    shared.rate = rate;
    shared.step_ns = step_ns;
    atomic_store(&shared.bucket.full_at_ns, 0);
    atomic_store(&shared.now_ns, START);
    atomic_store(&shared.taken, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return atomic_load(&shared.taken);
}

static void test_threads_share_one_burst(void **state)
{
    (void)state;
    assert_int_equal(ask_from_all_threads(rate_of(20000, 2000), 0), 2000);
}

/* The clock goes on by 100 ns at each of 800 000 askings: 80 ms, so that even the clock of a thread that was
 * preempted for long is within the skew that is allowed. Such a thread may find no token where there is one
 * by now: there is no exact lower bound. */
static void test_threads_share_one_rate(void **state)
{
    (void)state;
    int64_t taken = ask_from_all_threads(rate_of(2000000, 2000), 100);
    assert_true(taken <= 2000 + 160000);
    assert_true(taken > 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_zero_is_no_threshold),
        cmocka_unit_test(test_full_bucket_holds_its_burst_exactly),
        cmocka_unit_test(test_rate_is_exact_below_and_above_a_thousand_a_second),
        cmocka_unit_test(test_token_comes_to_the_nanosecond),
        cmocka_unit_test(test_refused_take_nothing),
        cmocka_unit_test(test_quiet_time_fills_it_to_the_burst_and_no_further),
        cmocka_unit_test(test_clock_that_jumps_ahead_gives_one_burst),
        cmocka_unit_test(test_clock_that_jumps_back_leaves_an_empty_bucket_that_fills),
        cmocka_unit_test(test_slightly_older_clock_gives_nothing_extra),
        cmocka_unit_test(test_new_rate_counts_at_once),
        cmocka_unit_test(test_front_ends_burst_is_a_tenth_of_a_second),
        cmocka_unit_test(test_line_grows_with_the_refused_and_is_served_at_the_rate),
        cmocka_unit_test(test_line_is_bounded_whatever_comes),
        cmocka_unit_test(test_threads_share_one_burst),
        cmocka_unit_test(test_threads_share_one_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
