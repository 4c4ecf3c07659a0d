/* What the generator makes up keeps to its shape and shares; a trace is planned as it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "loadtest/replay/plan.h"
#include "loadtest/replay/random.h"

static struct plan_sku two_skus[] = {{{"a", 1}, 3}, {{"b", 1}, 1}};

static struct plan_generator generator(enum plan_shape shape, double rate, double duration_s)
{
    return (struct plan_generator){.shape = shape,
                                   .rate = rate,
                                   .duration_s = duration_s,
                                   .users = 1000,
                                   .skus = two_skus,
                                   .sku_count = 2,
                                   .quantity = 1,
                                   .keyed = true,
                                   .seed = 11};
}

static void make(struct plan *plan, const struct plan_generator *g)
{
    struct detail why;
    if (plan_generate(plan, g, &why) != 0)
        fail_msg("%s", why.text);
    for (size_t i = 1; i < plan->count; i++)
        assert_true(plan->intents[i - 1].at_ns <= plan->intents[i].at_ns);
}

static size_t count_between(const struct plan *plan, double from_s, double to_s)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->count; i++)
        n += plan->intents[i].at_ns >= (int64_t)(from_s * 1e9) &&
             plan->intents[i].at_ns < (int64_t)(to_s * 1e9);
    return n;
}

static void assert_near(double got, double wanted, double allowed)
{
    if (fabs(got - wanted) > allowed)
        fail_msg("%g instead of %g ± %g", got, wanted, allowed);
}

static void test_constant_comes_at_even_distances(void **state)
{
    struct plan_generator g = generator(SHAPE_CONSTANT, 10000, 3);
    struct plan plan;
    (void)state;
    make(&plan, &g);
    assert_int_equal(plan.count, 30000);
    for (size_t i = 1; i < plan.count; i++)
        assert_near((double)(plan.intents[i].at_ns - plan.intents[i - 1].at_ns), 100000, 2);
    plan_free(&plan);
}

static void test_ramp_rises_to_the_rate(void **state)
{
    struct plan_generator g = generator(SHAPE_RAMP, 10000, 4);
    struct plan plan;
    (void)state;
    make(&plan, &g);
    assert_int_equal(plan.count, 20000);
    for (int i = 0; i < 4; i++) /* the integral of 10000 t / 4 */
        assert_near((double)count_between(&plan, i, i + 1), 10000.0 / 8 * (2 * i + 1), 2);
    plan_free(&plan);
}

static void test_spike_halves_each_second_after_the_first(void **state)
{
    struct plan_generator g = generator(SHAPE_SPIKE, 16000, 5);
    struct plan plan;
    (void)state;
    make(&plan, &g);
    assert_near((double)count_between(&plan, 0, 1), 16000, 2);
    for (int i = 1; i < 5; i++)
        assert_near((double)count_between(&plan, i, i + 1), 16000 / M_LN2 * (exp2(1 - i) - exp2(-i)), 3);
    plan_free(&plan);
}

/* Gaps of independent buyers: mean and standard deviation are the same, and numbers in a second vary by their
 * root. */
static void test_poisson_comes_as_independent_buyers_do(void **state)
{
    struct plan_generator g = generator(SHAPE_POISSON, 10000, 20);
    struct plan plan;
    (void)state;
    make(&plan, &g);
    double sum = 0, squares = 0, chi = 0;
    for (size_t i = 1; i < plan.count; i++) {
        const double gap = (double)(plan.intents[i].at_ns - plan.intents[i - 1].at_ns) / 1000;
        sum += gap;
        squares += gap * gap;
    }
    const double n = (double)plan.count - 1, mean = sum / n;
    assert_near(mean, 100, 1);
    assert_near(sqrt(squares / n - mean * mean), 100, 1.5);
    for (int i = 0; i < 19; i++)
        chi += pow((double)count_between(&plan, i, i + 1) - 10000, 2) / 10000;
    assert_true(chi > 5 && chi < 40); /* 19 ± 6 */
    plan_free(&plan);
}

static void test_a_count_scales_the_shape_or_cuts_it(void **state)
{
    struct plan_generator g = generator(SHAPE_SPIKE, 0, 5);
    struct plan plan;
    struct detail why;
    (void)state;
    g.count = 50000;
    make(&plan, &g);
    assert_int_equal(plan.count, 50000);
    assert_near((double)count_between(&plan, 0, 1) / 50000, 1 / (1 + (1 - exp2(-4)) / M_LN2), 0.001);
    plan_free(&plan);
    g.rate = 1000;
    g.count = 7;
    make(&plan, &g);
    assert_int_equal(plan.count, 7);
    plan_free(&plan);
    g.rate = 0;
    g.count = 0;
    assert_int_equal(plan_generate(&plan, &g, &why), E_INVALID);
    g.rate = 10000000;
    g.duration_s = 3600;
    g.shape = SHAPE_CONSTANT;
    assert_int_equal(plan_generate(&plan, &g, &why), E_FULL);
}

static void test_shares_are_kept_and_repeats_are_of_earlier_orders(void **state)
{
    struct plan_generator g = generator(SHAPE_CONSTANT, 100000, 1);
    struct plan plan;
    size_t malformed = 0, bots = 0, repeats = 0, of_a = 0;
    bool *seen = calloc(200000, sizeof *seen);
    (void)state;
    g.repeats = 0.1;
    g.bots = 0.05;
    g.malformed = 0.02;
    make(&plan, &g);
    for (size_t i = 0; i < plan.count; i++) {
        const struct intent *n = &plan.intents[i];
        malformed += n->malformed;
        repeats += n->repeat;
        bots += !n->malformed && !n->repeat && n->user == 0;
        of_a += !n->malformed && n->sku == 0;
        if (n->malformed)
            continue;
        assert_true(n->key > 0 && n->key < 200000);
        assert_int_equal(seen[n->key], n->repeat);
        seen[n->key] = true;
    }
    assert_int_equal(malformed, plan.malformed);
    assert_int_equal(repeats, plan.repeats);
    assert_near((double)malformed, 2000, 150);
    assert_near((double)repeats, 10000, 300);
    assert_near((double)bots, 5000, 250);
    assert_near((double)of_a / (100000 - (double)malformed), 0.75, 0.01);
    free(seen);
    plan_free(&plan);
}

static void test_the_seed_brings_the_same_sale_back(void **state)
{
    struct plan_generator g = generator(SHAPE_POISSON, 5000, 2);
    struct plan a, b, c;
    char x[PLAN_NAME_SIZE], y[PLAN_NAME_SIZE];
    (void)state;
    g.repeats = 0.1;
    make(&a, &g);
    make(&b, &g);
    assert_int_equal(a.count, b.count);
    for (size_t i = 0; i < a.count; i++) {
        assert_int_equal(a.intents[i].at_ns, b.intents[i].at_ns);
        assert_int_equal(a.intents[i].user, b.intents[i].user);
        assert_int_equal(a.intents[i].key, b.intents[i].key);
    }
    g.seed = 12;
    make(&c, &g);
    assert_int_not_equal(a.intents[100].at_ns, c.intents[100].at_ns);
    const struct slice p = plan_key(&a, 1, x), q = plan_key(&c, 1, y);
    assert_int_equal(p.len, q.len);
    assert_true(memcmp(p.data, q.data, p.len) != 0);
    plan_free(&a);
    plan_free(&b);
    plan_free(&c);
}

/* Shares of the first ranks against 1 / k^s, by chi square. */
static void assert_zipf(uint64_t count, double exponent)
{
    enum { DRAWS = 200000, RANKS = 10 };
    struct zipf z;
    struct random r;
    double whole = 0, chi = 0;
    long got[RANKS + 1] = {0};
    random_seed(&r, 3);
    zipf_init(&z, count, exponent);
    for (int i = 0; i < DRAWS; i++) {
        const uint64_t k = zipf_draw(&z, &r);
        assert_true(k >= 1 && k <= count);
        got[k <= RANKS ? k : 0]++;
    }
    for (uint64_t k = 1; k <= count; k++)
        whole += pow((double)k, -exponent);
    for (int k = 1; k <= RANKS; k++) {
        const double wanted = DRAWS * pow(k, -exponent) / whole;
        chi += pow((double)got[k] - wanted, 2) / wanted;
    }
    if (chi > 35) /* ten degrees of freedom: once in ten thousand seeds */
        fail_msg("exponent %g: chi square %g", exponent, chi);
}

static void test_zipf_draws_as_often_as_it_should(void **state)
{
    (void)state;
    assert_zipf(1000, 0);
    assert_zipf(1000, 0.5);
    assert_zipf(100000, 1);
    assert_zipf(1000, 1.0000001);
    assert_zipf(50, 2.5);
    assert_zipf(10, 10);
    struct zipf z;
    struct random r;
    random_seed(&r, 1);
    zipf_init(&z, 1, 1);
    assert_int_equal(zipf_draw(&z, &r), 1);
}

static void test_a_plan_that_is_saved_and_read_is_the_same(void **state)
{
    struct plan_generator g = generator(SHAPE_POISSON, 5000, 1);
    struct plan a, b, fast;
    struct detail why;
    char path[64], x[PLAN_NAME_SIZE], y[PLAN_NAME_SIZE];
    (void)state;
    g.repeats = 0.2;
    g.malformed = 0.1;
    make(&a, &g);
    snprintf(path, sizeof path, "/tmp/test_replay_plan.%d.zst", (int)getpid());
    assert_int_equal(plan_save(&a, path, &why), 0);
    assert_int_equal(plan_save(&a, path, &why), E_EXISTS);
    assert_int_equal(plan_read(&b, path, 1, 0, &why), 0);
    assert_int_equal(b.count, a.count);
    assert_int_equal(b.malformed, a.malformed);
    assert_int_equal(b.repeats, a.repeats);
    assert_int_equal(b.verdict_count, 1);
    const int64_t first_ns = a.intents[0].at_ns / 1000 * 1000;
    for (size_t i = 0; i < a.count; i++) {
        const struct intent *n = &a.intents[i], *m = &b.intents[i];
        assert_int_equal(n->at_ns / 1000 * 1000 - first_ns, m->at_ns);
        assert_int_equal(n->malformed, m->malformed);
        if (n->malformed)
            continue;
        const struct slice u = plan_user(&a, n->user, x), v = plan_user(&b, m->user, y);
        assert_int_equal(u.len, v.len);
        assert_memory_equal(u.data, v.data, u.len);
        const struct slice k = plan_key(&a, n->key, x), l = plan_key(&b, m->key, y);
        assert_int_equal(k.len, l.len);
        assert_memory_equal(k.data, l.data, k.len);
        assert_int_equal(n->repeat, m->repeat);
    }
    assert_int_equal(plan_read(&fast, path, 4, 100, &why), 0);
    assert_int_equal(fast.count, 100);
    assert_near((double)fast.intents[99].at_ns * 4, (double)b.intents[99].at_ns, 2000);
    unlink(path);
    assert_int_equal(plan_read(&fast, path, 1, 0, &why), E_NOT_FOUND);
    plan_free(&a);
    plan_free(&b);
    plan_free(&fast);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_comes_at_even_distances),
        cmocka_unit_test(test_ramp_rises_to_the_rate),
        cmocka_unit_test(test_spike_halves_each_second_after_the_first),
        cmocka_unit_test(test_poisson_comes_as_independent_buyers_do),
        cmocka_unit_test(test_a_count_scales_the_shape_or_cuts_it),
        cmocka_unit_test(test_shares_are_kept_and_repeats_are_of_earlier_orders),
        cmocka_unit_test(test_the_seed_brings_the_same_sale_back),
        cmocka_unit_test(test_zipf_draws_as_often_as_it_should),
        cmocka_unit_test(test_a_plan_that_is_saved_and_read_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
