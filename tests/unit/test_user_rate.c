/* Each user's rate: exact for a user, blind to strangers, of a fixed size under any attack. */
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "services/order/user_rate.h"

#define START (1000 * NS_PER_S)

/* Tests with a key of their own give the same answer every time. */
static const unsigned char test_key[USER_RATES_KEY_BYTES] = "sixteen bytes ok";

static int set_up(void **state)
{
    *state = user_rates_new(test_key);
    return 0;
}

static int tear_down(void **state)
{
    user_rates_free(*state);
    return 0;
}

static bool ask(struct user_rates *u, const char *user, struct rate rate, int64_t now_ns)
{
    int64_t wait_ns;
    return user_rates_take(u, user, rate, now_ns, &wait_ns);
}

static bool ask_number(struct user_rates *u, const char *kind, int64_t number, struct rate rate,
                       int64_t now_ns)
{
    char user[32];
    snprintf(user, sizeof user, "%s%lld", kind, (long long)number);
    return ask(u, user, rate, now_ns);
}

static int64_t take_all(struct user_rates *u, const char *user, struct rate rate, int64_t now_ns)
{
    int64_t taken = 0;
    while (ask(u, user, rate, now_ns))
        taken++;
    return taken;
}

static void test_user_gets_burst_then_rate(void **state)
{
    struct rate rate = rate_of(5, 10);
    int64_t taken = 0;
    assert_int_equal(take_all(*state, "u1", rate, START), 10);
    for (int64_t ms = 1; ms <= 10000; ms++)
        taken += ask(*state, "u1", rate, START + ms * NS_PER_MS);
    assert_int_equal(taken, 50);
}

static void test_wait_is_until_the_next_token(void **state)
{
    struct rate rate = rate_of(5, 10);
    int64_t wait_ns = 0;
    assert_int_equal(take_all(*state, "u1", rate, START), 10);
    assert_false(user_rates_take(*state, "u1", rate, START + 50 * NS_PER_MS, &wait_ns));
    assert_int_equal(wait_ns, 150 * NS_PER_MS);
    assert_false(ask(*state, "u1", rate, START + 200 * NS_PER_MS - 1));
    assert_true(ask(*state, "u1", rate, START + 200 * NS_PER_MS));
}

static void test_rate_zero_is_no_threshold(void **state)
{
    for (int i = 0; i < 100000; i++)
        assert_true(ask(*state, "u1", rate_of(0, 10), START));
    assert_int_equal(take_all(*state, "u1", rate_of(5, 10), START), 10);
}

static void test_limited_user_does_not_limit_another(void **state)
{
    struct rate rate = rate_of(5, 10);
    assert_int_equal(take_all(*state, "u1", rate, START), 10);
    assert_int_equal(take_all(*state, "u2", rate, START), 10);
    assert_int_equal(take_all(*state, "u", rate, START), 10);
    assert_int_equal(take_all(*state, "", rate, START), 10);
}

static void test_refused_take_nothing(void **state)
{
    struct rate rate = rate_of(5, 10);
    assert_int_equal(take_all(*state, "u1", rate, START), 10);
    for (int i = 0; i < 100000; i++)
        assert_false(ask(*state, "u1", rate, START + 100 * NS_PER_MS));
    assert_int_equal(take_all(*state, "u1", rate, START + NS_PER_S), 5);
}

static void test_clock_steps_leave_no_user_limited_for_ever(void **state)
{
    struct rate rate = rate_of(5, 10);
    int64_t back = START - 500 * NS_PER_S;
    assert_int_equal(take_all(*state, "u1", rate, START), 10);
    assert_int_equal(take_all(*state, "u1", rate, back), 0);
    assert_int_equal(take_all(*state, "u1", rate, back + NS_PER_S), 5);
    assert_int_equal(take_all(*state, "u1", rate, START + 500 * NS_PER_S), 10);
}

static void test_new_rate_counts_at_once(void **state)
{
    assert_int_equal(take_all(*state, "u1", rate_of(1, 1000000), START), 1000000); /* full in 11 days */
    assert_int_equal(take_all(*state, "u1", rate_of(1000, 10), START), 0);
    assert_int_equal(take_all(*state, "u1", rate_of(1000, 10), START + 10 * NS_PER_MS), 10);
}

/* ---- attacks ---- */

/*
 * A million users in 50 s (20 000 a second), one order each, and one honest one who orders three times a
 * second all the while: who of the million is refused was met by strangers in all four of its buckets, with
 * ten tokens spent in each; nobody was. And nothing is allocated.
 */
static void test_million_random_users_limit_nobody(void **state)
{
    struct rate rate = rate_of(5, 10);
    size_t before = mallinfo2().uordblks;
    int refused = 0, honest_refused = 0;
    for (int64_t i = 0; i < 1000000; i++) {
        int64_t now = START + i * 50000;
        refused += !ask_number(*state, "random-", i, rate, now);
        if (i % 6667 == 0)
            honest_refused += !ask(*state, "honest", rate, now);
    }
    assert_int_equal(honest_refused, 0);
    assert_int_equal(refused, 0);
    assert_int_equal(mallinfo2().uordblks, before);
}

/* The worst that the default threshold of the front end lets happen: 4 000 users who each exhaust their rate,
 * all the time. The header promises each quiet user a chance of 1 in 70 000 to be limited; of 100 000 it is
 * at most a handful. They are asked one after another with a clean slate each: what they take is theirs. */
static void test_exhausting_users_hardly_limit_quiet_ones(void **state)
{
    struct rate rate = rate_of(5, 10);
    for (int round = 0; round < 10; round++)
        for (int i = 0; i < 4000; i++)
            assert_true(ask_number(*state, "greedy-", i, rate, START));
    int greedy = 0, refused = 0;
    for (int i = 0; i < 4000; i++)
        greedy += ask_number(*state, "greedy-", i, rate, START);
    assert_in_range(greedy, 0, 0);
    for (int i = 0; i < 100000; i++)
        refused += !ask_number(*state, "quiet-", i, rate_of(5, 10), START);
    assert_in_range(refused, 0, 10);
}

/* Of users who ask equally often, and too often, each gets the same. */
static void test_users_are_served_fairly(void **state)
{
    enum { USERS = 100 };
    struct rate rate = rate_of(5, 10);
    int taken[USERS] = {0};
    for (int64_t ms = 0; ms < 10000; ms += 10)
        for (int i = 0; i < USERS; i++)
            taken[i] += ask_number(*state, "user-", i, rate, START + ms * NS_PER_MS);
    for (int i = 0; i < USERS; i++)
        assert_in_range(taken[i], 59, 60);
}

static void test_keys_are_drawn_at_random(void **state)
{
    (void)state;
    /* Of a user's four buckets among 4 × 65 536, in two tables: emptied by the same strangers, they differ.
     */
    struct rate rate = rate_of(1, 1);
    int differs = 0;
    struct user_rates *a = user_rates_new(NULL), *b = user_rates_new(NULL);
    for (int i = 0; i < 60000; i++) {
        (void)ask_number(a, "greedy-", i, rate, START);
        (void)ask_number(b, "greedy-", i, rate, START);
    }
    for (int i = 0; i < 2000; i++)
        differs += ask_number(a, "quiet-", i, rate, START) != ask_number(b, "quiet-", i, rate, START);
    assert_true(differs > 0);
    user_rates_free(a);
    user_rates_free(b);
}

/* ---- threads ---- */

enum { THREADS = 8, ASKS = 20000, SHARED_USERS = 16 };

struct asker {
    struct user_rates *users;
    pthread_t thread;
    int64_t taken[SHARED_USERS];
    int64_t strangers_refused;
    int number;
};

static void *ask_for_all(void *argument)
{
    struct asker *a = argument;
    struct rate rate = rate_of(5, 10);
    for (int i = 0; i < ASKS; i++) {
        a->taken[i % SHARED_USERS] += ask_number(a->users, "shared-", i % SHARED_USERS, rate, START);
        a->strangers_refused += !ask_number(a->users, "stranger-", i * THREADS + a->number, rate, START);
    }
    return NULL;
}

static void test_threads_share_each_users_burst(void **state)
{
    static struct asker askers[THREADS];
    int64_t refused = 0;
    for (int i = 0; i < THREADS; i++) {
        askers[i] = (struct asker){.users = *state, .number = i};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_for_all, &askers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(askers[i].thread, NULL);
        refused += askers[i].strangers_refused;
    }
    for (int user = 0; user < SHARED_USERS; user++) {
        int64_t taken = 0;
        for (int i = 0; i < THREADS; i++)
            taken += askers[i].taken[user];
        assert_int_equal(taken, 10);
    }
    assert_int_equal(refused, 0);
}

#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TABLE(test_user_gets_burst_then_rate),
        WITH_TABLE(test_wait_is_until_the_next_token),
        WITH_TABLE(test_rate_zero_is_no_threshold),
        WITH_TABLE(test_limited_user_does_not_limit_another),
        WITH_TABLE(test_refused_take_nothing),
        WITH_TABLE(test_clock_steps_leave_no_user_limited_for_ever),
        WITH_TABLE(test_new_rate_counts_at_once),
        WITH_TABLE(test_million_random_users_limit_nobody),
        WITH_TABLE(test_exhausting_users_hardly_limit_quiet_ones),
        WITH_TABLE(test_users_are_served_fairly),
        cmocka_unit_test(test_keys_are_drawn_at_random),
        WITH_TABLE(test_threads_share_each_users_burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
