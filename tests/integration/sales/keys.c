/* The same Idempotency-Key is the same order: on two front ends, at once, after restarts, after the sell-out;
 * and a refusal names the order under which an earlier attempt may stand. */
#include <stdio.h>
#include <string.h>

#include "tests/integration/groups.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/front_ends.h"
#include "tests/support/json.h"
#include "tests/support/load.h"

enum { WAIT_SECONDS = 60 };

static int second; /* the second front end's port */

static void put(struct stack *s, const char *sku, int64_t stock, bool paused)
{
    assert_int_equal(item_put(s, &(struct item_terms){.sku = sku, .stock = stock, .paused = paused}), 0);
    front_end_assert_left(second, sku, stock);
}

/* The order with key "k" of user "u" gets this answer and has this id. */
static void expect(int port, const char *sku, int status, const char *id)
{
    char got[27];

    assert_int_equal(front_end_order(port, "u", sku, "k", got), status);
    assert_string_equal(got, id);
}

static void test_two_front_ends(void **state)
{
    second = front_end_start(*state, "order@2", NULL);
}

static void test_same_key_on_two_front_ends_is_one_order(void **state)
{
    struct stack *s = *state;
    char id[27], other[27];

    put(s, "twice", 10, false);
    assert_int_equal(front_end_order(s->http_port, "u", "twice", "k", id), 202);
    expect(second, "twice", 202, id);
    expect(s->http_port, "twice", 202, id);
    assert_int_equal(front_end_order(second, "v", "twice", "k", other), 202);
    assert_string_not_equal(other, id); /* a key is a user's own */
    front_end_assert_becomes(second, id, "confirmed");
    front_end_assert_becomes(s->http_port, id, "confirmed");
    front_end_assert_becomes(second, other, "confirmed");
    assert_int_equal(item_left(s, "twice"), 8);
}

static void test_same_key_at_once_on_both_is_one_order(void **state)
{
    struct stack *s = *state;
    struct load_spec spec = {.connections = 16,
                             .max_orders = 300,
                             .seconds = WAIT_SECONDS,
                             .sku = "at-once",
                             .user = "u",
                             .key = "k"};
    const char *id = NULL;
    struct load *loads[2];

    put(s, "at-once", 1000, false);
    for (int i = 0; i < 2; i++) {
        spec.port = i ? second : s->http_port;
        loads[i] = load_start(&spec);
    }
    for (int i = 0; i < 2; i++) {
        load_join(loads[i]);
        assert_int_equal(load_count_status(loads[i], 202), 300);
        for (int n = 0; n < load_count(loads[i]); n++) {
            if (!id)
                id = load_answer(loads[i], n)->order_id;
            assert_string_equal(load_answer(loads[i], n)->order_id, id);
        }
    }
    front_end_assert_becomes(s->http_port, id, "confirmed");
    front_end_assert_becomes(second, id, "confirmed");
    assert_int_equal(item_left(s, "at-once"), 999);
    for (int i = 0; i < 2; i++)
        load_free(loads[i]);
}

static void test_key_stands_after_restarts_of_front_end_and_inventory(void **state)
{
    struct stack *s = *state;
    char id[27];

    put(s, "restarted", 10, false);
    assert_int_equal(front_end_order(s->http_port, "u", "restarted", "k", id), 202);
    front_end_assert_becomes(s->http_port, id, "confirmed");
    assert_int_equal(stack_do(s, "kill", "order", NULL), 0);
    assert_int_equal(stack_do(s, "start", "order", NULL), 0);
    assert_true(stack_wait_ready(s, WAIT_SECONDS));
    expect(s->http_port, "restarted", 202, id);
    front_end_assert_becomes(s->http_port, id, "confirmed");
    assert_int_equal(stack_do(s, "kill", "inventory", NULL), 0);
    expect(second, "restarted", 202, id);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    front_end_assert_becomes(second, id, "confirmed");
    assert_int_equal(item_left(s, "restarted"), 9);
}

static void test_key_after_the_sell_out_leads_to_the_confirmed_order(void **state)
{
    struct stack *s = *state;
    char id[27], late[27];

    put(s, "sold-out", 1, false);
    assert_int_equal(front_end_order(s->http_port, "u", "sold-out", "k", id), 202);
    front_end_assert_becomes(s->http_port, id, "confirmed");
    front_end_assert_left(s->http_port, "sold-out", 0);
    front_end_assert_left(second, "sold-out", 0);
    expect(s->http_port, "sold-out", 202, id); /* it knows that this one was in time */
    expect(second, "sold-out", 409, id);
    front_end_assert_becomes(second, id, "confirmed");
    assert_int_equal(front_end_order(second, "late", "sold-out", "k", late), 409);
    front_end_assert_becomes(second, late, "unknown");
}

static void test_every_refusal_of_a_keyed_order_names_it(void **state)
{
    static const char *const narrow[] = {"--set", "admission.max_pending=1", "--set", "admission.user_rate=1",
                                         "--set", "admission.user_burst=1",  NULL};
    struct stack *s = *state;
    int third = front_end_start(s, "order@3", narrow);
    char paused[27], id[27], first[27];
    bool is_limited = false;

    put(s, "on-pause", 10, true);
    assert_int_equal(front_end_order(s->http_port, "u", "on-pause", "k", paused), 409);
    assert_int_equal(strlen(paused), 26);
    expect(second, "on-pause", 409, paused);

    put(s, "refused", 10, false);
    front_end_assert_left(third, "refused", 10);
    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    assert_int_equal(front_end_order(second, "u", "refused", "k", id), 202);
    assert_int_equal(front_end_order(third, "first", "refused", NULL, first), 202);
    expect(third, "refused", 429, id); /* overloaded: the one that may wait is there */
    for (int i = 0; i < 100 && !is_limited;
         i++) { /* faster than one a second, on any machine that is alive */
        int64_t before = front_end_metric(third, "seckill_order_answers_total{code=\"rate_limited\"}");
        expect(third, "refused", 429, id);
        is_limited = front_end_metric(third, "seckill_order_answers_total{code=\"rate_limited\"}") > before;
    }
    assert_true(is_limited);
    assert_int_equal(stack_do(s, "kill", "broker", NULL), 0);
    assert_true(front_end_wait_metric(third, "seckill_order_broker_usable", 0, WAIT_SECONDS));
    expect(third, "refused", 503, id);
    assert_int_equal(front_end_order(third, "u", "refused", NULL, first), 503);
    assert_string_equal(first, ""); /* without a key there is no order to speak of */
    assert_int_equal(stack_do(s, "start", "broker", NULL), 0);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    front_end_assert_becomes(third, id, "confirmed");
    assert_int_equal(stack_do(s, "stop", "order@3", NULL), 0);
}

static void test_second_front_end_ends_on_sigterm(void **state)
{
    assert_int_equal(stack_do(*state, "stop", "order@2", NULL), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_two_front_ends),
    cmocka_unit_test_setup(test_same_key_on_two_front_ends_is_one_order, everything_runs),
    cmocka_unit_test_setup(test_same_key_at_once_on_both_is_one_order, everything_runs),
    cmocka_unit_test_setup(test_key_stands_after_restarts_of_front_end_and_inventory, everything_runs),
    cmocka_unit_test_setup(test_key_after_the_sell_out_leads_to_the_confirmed_order, everything_runs),
    cmocka_unit_test_setup(test_every_refusal_of_a_keyed_order_names_it, everything_runs),
    cmocka_unit_test(test_second_front_end_ends_on_sigterm),
};

const struct test_group keys_tests = {"keys", tests, sizeof tests / sizeof *tests};
