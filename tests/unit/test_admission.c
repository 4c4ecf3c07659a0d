/* Every verdict, and which of two comes first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "services/order/admission.h"

#define NOW 1000000

/* An open sale with 10 left, and facts that admit an order of 1. Each test spoils what it is about. */
static const struct catalogue_entry on_sale = {
    .stock_left = 10, .starts_ms = NOW - 1000, .ends_ms = NOW + 1000};

static struct admission_facts good_facts(const struct catalogue_entry *entry)
{
    return (struct admission_facts){.now_ms = NOW,
                                    .quantity = 1,
                                    .catalogue_complete = true,
                                    .entry = entry,
                                    .backlog = 0,
                                    .max_pending = 100};
}

static enum admission_verdict judge(struct catalogue_entry entry)
{
    struct admission_facts facts = good_facts(&entry);
    return admission_order(&facts);
}

static void test_usable_broker_lets_the_body_be_read(void **state)
{
    (void)state;
    assert_int_equal(admission_early(&(struct admission_state){.broker = BROKER_USABLE}), VERDICT_ADMITTED);
}

static void test_broker_states_have_their_verdicts(void **state)
{
    (void)state;
    assert_int_equal(admission_early(&(struct admission_state){.broker = BROKER_UNREACHABLE}),
                     VERDICT_BROKER_UNREACHABLE);
    assert_int_equal(admission_early(&(struct admission_state){.broker = BROKER_BLOCKED}),
                     VERDICT_BROKER_BLOCKED);
    assert_int_equal(admission_early(&(struct admission_state){.broker = BROKER_NO_LEDGER}),
                     VERDICT_NO_LEDGER);
}

static void test_draining_comes_before_the_broker(void **state)
{
    (void)state;
    static const enum broker_state all[] = {BROKER_USABLE, BROKER_UNREACHABLE, BROKER_BLOCKED,
                                            BROKER_NO_LEDGER};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        assert_int_equal(admission_early(&(struct admission_state){.draining = true, .broker = all[i]}),
                         VERDICT_DRAINING);
}

static void test_request_rate_comes_after_the_broker_and_costs_nothing_before(void **state)
{
    (void)state;
    struct rate_bucket bucket = {0};
    struct admission_state s = {
        .broker = BROKER_UNREACHABLE, .requests = &bucket, .max_rate = 3, .now_ns = 1000000000};
    for (int i = 0; i < 100; i++)
        assert_int_equal(admission_early(&s), VERDICT_BROKER_UNREACHABLE);
    s.broker = BROKER_USABLE;
    for (int i = 0; i < 3; i++)
        assert_int_equal(admission_early(&s), VERDICT_ADMITTED);
    assert_int_equal(admission_early(&s), VERDICT_RATE_LIMITED);
    s.now_ns += 333333334;
    assert_int_equal(admission_early(&s), VERDICT_ADMITTED);
    assert_int_equal(admission_early(&s), VERDICT_RATE_LIMITED);
    s.broker = BROKER_BLOCKED;
    assert_int_equal(admission_early(&s), VERDICT_BROKER_BLOCKED);
    s.max_rate = 0;
    s.broker = BROKER_USABLE;
    assert_int_equal(admission_early(&s), VERDICT_ADMITTED);
}

static void test_user_rate_is_each_users_own(void **state)
{
    (void)state;
    struct user_rates *users = user_rates_new(NULL);
    struct admission_user u = {.users = users, .user_id = "u1", .rate = 2, .burst = 3, .now_ns = 1000000000};
    int64_t wait_ns = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(admission_user(&u, &wait_ns), VERDICT_ADMITTED);
    assert_int_equal(admission_user(&u, &wait_ns), VERDICT_USER_LIMITED);
    assert_int_equal(wait_ns, 500000000);
    u.user_id = "u2";
    assert_int_equal(admission_user(&u, &wait_ns), VERDICT_ADMITTED);
    u.user_id = "u1";
    u.rate = 0;
    assert_int_equal(admission_user(&u, &wait_ns), VERDICT_ADMITTED);
    user_rates_free(users);
}

static void test_order_for_an_open_sale_is_admitted(void **state)
{
    (void)state;
    assert_int_equal(judge(on_sale), VERDICT_ADMITTED);
}

static void test_unknown_item_only_when_all_shards_were_seen(void **state)
{
    (void)state;
    struct admission_facts facts = good_facts(NULL);
    assert_int_equal(admission_order(&facts), VERDICT_UNKNOWN_ITEM);
    facts.catalogue_complete = false;
    assert_int_equal(admission_order(&facts), VERDICT_NO_CATALOGUE);
}

static void test_item_that_was_seen_sells_while_another_shard_is_missing(void **state)
{
    (void)state;
    struct admission_facts facts = good_facts(&on_sale);
    facts.catalogue_complete = false;
    assert_int_equal(admission_order(&facts), VERDICT_ADMITTED);
}

static void test_sale_starts_at_its_first_millisecond(void **state)
{
    (void)state;
    assert_int_equal(judge((struct catalogue_entry){.stock_left = 1, .starts_ms = NOW + 1}),
                     VERDICT_SALE_NOT_STARTED);
    assert_int_equal(judge((struct catalogue_entry){.stock_left = 1, .starts_ms = NOW}), VERDICT_ADMITTED);
}

static void test_sale_is_over_at_its_end(void **state)
{
    (void)state;
    assert_int_equal(judge((struct catalogue_entry){.stock_left = 1, .ends_ms = NOW + 1}), VERDICT_ADMITTED);
    assert_int_equal(judge((struct catalogue_entry){.stock_left = 1, .ends_ms = NOW}), VERDICT_SALE_ENDED);
}

static void test_window_without_bounds_is_open(void **state)
{
    (void)state;
    assert_int_equal(judge((struct catalogue_entry){.stock_left = 1}), VERDICT_ADMITTED);
}

static void test_paused_item_is_refused(void **state)
{
    (void)state;
    struct catalogue_entry entry = on_sale;
    entry.paused = true;
    assert_int_equal(judge(entry), VERDICT_SALE_PAUSED);
}

static void test_window_comes_before_the_pause(void **state)
{
    (void)state;
    assert_int_equal(judge((struct catalogue_entry){.paused = true, .starts_ms = NOW + 1}),
                     VERDICT_SALE_NOT_STARTED);
    assert_int_equal(judge((struct catalogue_entry){.paused = true, .ends_ms = NOW}), VERDICT_SALE_ENDED);
}

static void test_pause_comes_before_sold_out(void **state)
{
    (void)state;
    assert_int_equal(judge((struct catalogue_entry){.paused = true, .stock_left = 0}), VERDICT_SALE_PAUSED);
}

static void test_last_units_are_sold_and_one_more_is_not(void **state)
{
    (void)state;
    struct admission_facts facts = good_facts(&on_sale);
    facts.quantity = 10;
    assert_int_equal(admission_order(&facts), VERDICT_ADMITTED);
    facts.quantity = 11;
    assert_int_equal(admission_order(&facts), VERDICT_SOLD_OUT);
    assert_int_equal(judge((struct catalogue_entry){.stock_left = 0}), VERDICT_SOLD_OUT);
}

static void test_sold_out_comes_before_overloaded(void **state)
{
    (void)state;
    static const struct catalogue_entry empty = {.stock_left = 0};
    struct admission_facts facts = good_facts(&empty);
    facts.backlog = facts.max_pending;
    assert_int_equal(admission_order(&facts), VERDICT_SOLD_OUT);
}

static void test_backlog_is_full_at_its_threshold(void **state)
{
    (void)state;
    struct admission_facts facts = good_facts(&on_sale);
    facts.backlog = 99;
    assert_int_equal(admission_order(&facts), VERDICT_ADMITTED);
    facts.backlog = 100;
    assert_int_equal(admission_order(&facts), VERDICT_OVERLOADED);
}

static void test_threshold_zero_is_none(void **state)
{
    (void)state;
    struct admission_facts facts = good_facts(&on_sale);
    facts.backlog = INT64_MAX;
    facts.max_pending = 0;
    assert_int_equal(admission_order(&facts), VERDICT_ADMITTED);
}

static void test_repeat_of_an_accepted_order_comes_before_everything_else(void **state)
{
    (void)state;
    static const struct catalogue_entry over = {.paused = true, .ends_ms = 1};
    struct admission_facts facts = good_facts(&over);
    facts.already_accepted = true;
    facts.backlog = facts.max_pending;
    assert_int_equal(admission_order(&facts), VERDICT_ALREADY_ACCEPTED);
}

#define EVERYTHING UINT64_MAX /* the largest noise */

static void test_retry_after_follows_the_drain_rate(void **state)
{
    (void)state;
    /* 10 000 waiting, 1 000 decided a second: all are through in 10 s. */
    assert_int_equal(retry_after_backlog_s(10000, 1000, 0), 2);
    assert_int_equal(retry_after_backlog_s(10000, 1000, EVERYTHING), 10);
    assert_int_equal(retry_after_backlog_s(40000, 1000, 0), 10);
    assert_int_equal(retry_after_backlog_s(40000, 1000, EVERYTHING), 40);
}

static void test_retry_after_with_nothing_draining_is_long(void **state)
{
    (void)state;
    assert_int_equal(retry_after_backlog_s(10, 0, 0), 15);
    assert_int_equal(retry_after_backlog_s(10, 0, EVERYTHING), 60);
}

static void test_retry_after_stays_within_a_minute(void **state)
{
    (void)state;
    for (int i = 0; i < 64; i++) {
        uint64_t noise = (uint64_t)i << 58;
        int waits[] = {retry_after_backlog_s(INT64_MAX, 1e-9, noise), retry_after_backlog_s(0, 1e9, noise),
                       retry_after_delay_s(0, noise), retry_after_delay_s(1000000, noise)};
        for (size_t k = 0; k < sizeof waits / sizeof waits[0]; k++)
            assert_in_range(waits[k], 1, 60);
    }
}

static void test_retry_after_of_a_rate_is_the_wait_and_more(void **state)
{
    (void)state;
    assert_int_equal(retry_after_wait_s(0, 0), 1);
    assert_int_equal(retry_after_wait_s(1, 0), 1);
    assert_int_equal(retry_after_wait_s(1000000000, 0), 1);
    assert_int_equal(retry_after_wait_s(1000000001, 0), 2);
    assert_int_equal(retry_after_wait_s(1, EVERYTHING), 3);
    assert_int_equal(retry_after_wait_s(INT64_MAX, 0), 60);
}

static void test_retry_after_is_no_constant(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (int i = 0; i < 64; i++)
        seen |= 1U << retry_after_delay_s(1, (uint64_t)i << 58);
    assert_int_equal(seen, 1U << 1 | 1U << 2 | 1U << 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usable_broker_lets_the_body_be_read),
        cmocka_unit_test(test_broker_states_have_their_verdicts),
        cmocka_unit_test(test_draining_comes_before_the_broker),
        cmocka_unit_test(test_request_rate_comes_after_the_broker_and_costs_nothing_before),
        cmocka_unit_test(test_user_rate_is_each_users_own),
        cmocka_unit_test(test_order_for_an_open_sale_is_admitted),
        cmocka_unit_test(test_unknown_item_only_when_all_shards_were_seen),
        cmocka_unit_test(test_item_that_was_seen_sells_while_another_shard_is_missing),
        cmocka_unit_test(test_sale_starts_at_its_first_millisecond),
        cmocka_unit_test(test_sale_is_over_at_its_end),
        cmocka_unit_test(test_window_without_bounds_is_open),
        cmocka_unit_test(test_paused_item_is_refused),
        cmocka_unit_test(test_window_comes_before_the_pause),
        cmocka_unit_test(test_pause_comes_before_sold_out),
        cmocka_unit_test(test_last_units_are_sold_and_one_more_is_not),
        cmocka_unit_test(test_sold_out_comes_before_overloaded),
        cmocka_unit_test(test_backlog_is_full_at_its_threshold),
        cmocka_unit_test(test_threshold_zero_is_none),
        cmocka_unit_test(test_repeat_of_an_accepted_order_comes_before_everything_else),
        cmocka_unit_test(test_retry_after_follows_the_drain_rate),
        cmocka_unit_test(test_retry_after_with_nothing_draining_is_long),
        cmocka_unit_test(test_retry_after_stays_within_a_minute),
        cmocka_unit_test(test_retry_after_of_a_rate_is_the_wait_and_more),
        cmocka_unit_test(test_retry_after_is_no_constant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
