/* The split of a budget: everything goes out and nothing more, nobody gets less than the minimum, and no
 * place in the draw is better than another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "services/redpacket/random_bits.h"
#include "services/redpacket/split_amount.h"

static uint64_t seed;

static uint64_t next_seeded(void *context) /* splitmix64: the same on every machine */
{
    uint64_t z = (*(uint64_t *)context += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static const struct random_source seeded = {.next = next_seeded, .context = &seed};

static int set_up(void **state)
{
    (void)state;
    seed = 20261122;
    return 0;
}

/* ---- numbers below a bound ---- */

static const uint64_t *script; /* what the source gives, in turn */

static uint64_t next_scripted(void *context)
{
    (void)context;
    return *script++;
}

static const struct random_source scripted = {.next = next_scripted};

static void test_numbers_that_would_favour_a_remainder_are_drawn_again(void **state)
{
    (void)state;
    /* 2^64 mod 3 = 1: of the 2^64 numbers one is too many. */
    script = (const uint64_t[]){0, 0, 1, UINT64_MAX};
    assert_int_equal(random_below(&scripted, 3), 1);
    assert_int_equal(random_below(&scripted, 3), 0); /* 2^64 - 1 = 3 · 6148914691236517205 */
    /* 2^64 mod (2^63 + 1) = 2^63 - 1: nearly half of them. */
    script = (const uint64_t[]){0, INT64_MAX - 1, INT64_MAX, UINT64_MAX};
    assert_true(random_below(&scripted, (UINT64_C(1) << 63) + 1) == INT64_MAX);
    assert_true(random_below(&scripted, (UINT64_C(1) << 63) + 1) == (UINT64_C(1) << 63) - 2);
    /* A power of two divides 2^64: all are taken, 0 too. */
    script = (const uint64_t[]){0, UINT64_MAX};
    assert_int_equal(random_below(&scripted, 16), 0);
    assert_int_equal(random_below(&scripted, 16), 15);
    script = (const uint64_t[]){12345};
    assert_int_equal(random_below(&scripted, 1), 0);
}

/* ---- whole campaigns ---- */

/* Draws all packets, and looks at what must hold after each. */
static void draw_all(int64_t budget, int64_t packets, int64_t min, int64_t *amounts)
{
    int64_t left = budget;
    for (int64_t n = packets; n > 0; n--) {
        int64_t amount = split_amount(left, n, min, &seeded);
        if (amount < min || amount > left - (n - 1) * min)
            fail_msg("%lld of %lld for packet %lld from the end, minimum %lld", (long long)amount,
                     (long long)left, (long long)n, (long long)min);
        left -= amount;
        if (amounts)
            amounts[packets - n] = amount;
    }
    assert_int_equal(left, 0);
}

static void test_everything_is_given_and_nobody_gets_less_than_the_minimum(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) {
        int64_t packets = 1 + (int64_t)random_below(&seeded, 12);
        int64_t min = 1 + (int64_t)random_below(&seeded, i % 2 ? 3 : 1000000);
        int64_t spare = (int64_t)random_below(&seeded, i % 3 ? 30 : INT64_C(1) << 40);
        draw_all(packets * min + spare, packets, min, NULL);
    }
}

static void test_exactly_the_minimum_for_each(void **state)
{
    (void)state;
    int64_t amounts[1000];
    draw_all(7000, 1000, 7, amounts);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(amounts[i], 7);
}

static void test_one_packet_gets_the_budget(void **state)
{
    (void)state;
    assert_int_equal(split_amount(1, 1, 1, &seeded), 1);
    assert_int_equal(split_amount(INT64_MAX, 1, 1, &seeded), INT64_MAX);
    assert_int_equal(split_amount(INT64_MAX, 1, INT64_MAX, &seeded), INT64_MAX);
}

static void test_budgets_as_large_as_a_number_can_be(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++) {
        draw_all(INT64_MAX, 2, 1, NULL);
        draw_all(INT64_MAX, 3, INT64_MAX / 3, NULL);
        draw_all(INT64_MAX, 7, 1 + i, NULL);
        draw_all(INT64_MAX - i, 2, INT64_MAX / 2 - i, NULL);
    }
    draw_all(INT64_MAX, 1000000, 1, NULL);
    draw_all(INT64_MAX, 1000000, INT64_MAX / 1000000, NULL);
    /* So many packets that nearly each has the minimum only. */
    int64_t amount = split_amount(INT64_MAX, INT64_MAX - 1, 1, &seeded);
    assert_in_range(amount, 1, 2);
}

/* Both ends of the draw can be had: with a budget of 4 for 2 packets that is 1, 2 and 3. */
static void test_every_amount_between_the_bounds_can_be_drawn(void **state)
{
    (void)state;
    int seen[5] = {0};
    for (int i = 0; i < 30000; i++)
        seen[split_amount(4, 2, 1, &seeded)]++;
    assert_int_equal(seen[0] + seen[4], 0);
    for (int amount = 1; amount <= 3; amount++) /* 10 000 ± 5σ, σ = √(30 000 · 1/3 · 2/3) = 82 */
        assert_in_range(seen[amount], 10000 - 410, 10000 + 410);
}

/* ---- fair whatever the place ---- */

#define ROUNDS     100000
#define MAX_PLACES 100

/*
 * The mean at each place over many campaigns is budget / packets, within five standard deviations of that
 * mean.
 *
 * Those are bounded as follows. Let m be the spare amount for each packet left (M at the start), x the spare
 * part of a draw. A draw has E[x] = m, and Var[x] ≤ m²/3 + m/3 + 1/12: of the uniform distribution on
 * 0…2m, its integers and the rounding of its upper end. After it m has changed by (m - x)/(j) for the j
 * packets that remain, so E[m²] has grown by Var[x]/j². Since Σ1/j² < 1.645, E[m²] stays below
 * e^(1.645/3) · (M² + 1.645 · (M/3 + 1/12)), and with it Var[x] at any place below 1.31·M² + 1.6·M + 0.4.
 *
 * Five of them are surely passed by what this test is there for: bounds that are rounded down give the first
 * places of (15, 10, 1) one unit each instead of 1.5, and a draw that ignores what was drawn before gives
 * the last place nothing or all.
 */
static void assert_fair(int64_t budget, int64_t packets, int64_t min)
{
    static int64_t amounts[MAX_PLACES], sums[MAX_PLACES];
    double mean = (double)budget / (double)packets, spare = mean - (double)min;
    double variance = 1.31 * spare * spare + 1.6 * spare + 0.4;
    for (int64_t k = 0; k < packets; k++)
        sums[k] = 0;
    for (int round = 0; round < ROUNDS; round++) {
        draw_all(budget, packets, min, amounts);
        for (int64_t k = 0; k < packets; k++)
            sums[k] += amounts[k];
    }
    for (int64_t k = 0; k < packets; k++) {
        double off = (double)sums[k] / ROUNDS - mean;
        if (off * off > 25 * variance / ROUNDS)
            fail_msg("place %lld of (%lld, %lld, %lld): the mean is %.4f away from %.4f", (long long)k + 1,
                     (long long)budget, (long long)packets, (long long)min, off, mean);
    }
}

static void test_the_mean_is_the_same_at_each_place(void **state)
{
    (void)state;
    assert_fair(10000, 10, 1);
    assert_fair(15, 10, 1);
    assert_fair(23, 3, 1);
    assert_fair(1007, 7, 100);
    assert_fair(101, 100, 1);
    assert_fair(INT64_C(1000000000000), 5, 100);
}

/* Who is lucky once gets more than the average, and up to nearly twice: it is a draw, not a share. */
static void test_amounts_differ(void **state)
{
    (void)state;
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 10000; i++) {
        int64_t amount = split_amount(10000, 10, 1, &seeded);
        least = amount < least ? amount : least;
        most = amount > most ? amount : most;
    }
    assert_in_range(least, 1, 20);
    assert_in_range(most, 1980, 1999);
}

static void test_the_system_gives_bits(void **state)
{
    (void)state;
    static struct random_bits bits;
    const struct random_source source = {.next = random_bits_next, .context = &bits};
    assert_int_equal(random_bits_start(&bits), 0);
    uint64_t ones = 0, zeros = 0;
    for (int i = 0; i < 1000; i++) { /* beyond what is fetched at once */
        uint64_t word = random_bits_next(&bits);
        ones |= word;
        zeros |= ~word;
    }
    assert_true(ones == UINT64_MAX && zeros == UINT64_MAX);
    assert_in_range(split_amount(4, 2, 1, &source), 1, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(test_numbers_that_would_favour_a_remainder_are_drawn_again),
        TEST(test_everything_is_given_and_nobody_gets_less_than_the_minimum),
        TEST(test_exactly_the_minimum_for_each),
        TEST(test_one_packet_gets_the_budget),
        TEST(test_budgets_as_large_as_a_number_can_be),
        TEST(test_every_amount_between_the_bounds_can_be_drawn),
        TEST(test_the_mean_is_the_same_at_each_place),
        TEST(test_amounts_differ),
        TEST(test_the_system_gives_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
