/* The backlog threshold: what is accepted and not decided is counted, refused beyond the threshold, and
 * drains again. */
#include <stdio.h>

#include "tests/support/check.h"
#include "tests/support/ctl.h"
#include "tests/support/http_client.h"
#include "tests/support/orders.h"

enum { MAX_PENDING = 40 }; /* as in the settings below */

static void test_backlog_is_refused_beyond_the_threshold_and_drains(void **state)
{
    static const char body[] = "{\"user_id\":\"after\",\"sku\":\"rush\"}";
    struct stack *s = *state;
    struct http_response response;
    struct orders_tally tally;
    char order_id[27];
    struct load *l;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "rush", .stock = 1000}), 0);
    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    l = load_run(&(struct load_spec){
        .port = s->http_port, .connections = 32, .max_orders = 400, .seconds = 60, .sku = "rush"});
    if (load_count_status(l, 202) != MAX_PENDING || load_count_code(l, "overloaded") != 400 - MAX_PENDING) {
        load_print(l);
        fail();
    }
    for (int i = 0; i < load_count(l); i++) {
        if (load_answer(l, i)->status == 429)
            assert_true(load_answer(l, i)->has_retry_after);
    }
    post_order(s, NULL, body, &response);
    json_decref(assert_problem(&response, 429, "overloaded"));
    assert_retry_after(&response);
    http_response_free(&response);

    /* Inventory's outage alone does not stop the taking of orders, so the front end stays ready. */
    assert_true(stack_is_ready(s));

    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    assert_load_is_accounted_for(s, l, "rush", 1000, &tally);
    assert_int_equal(tally.confirmed, MAX_PENDING);
    load_free(l);
    post_order(s, NULL, body, &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    json_decref(assert_becomes(s, order_id, "confirmed"));
}

/* Every slot of the backlog is given back: many times the threshold goes through while inventory decides. */
static void test_slots_do_not_leak(void **state)
{
    struct stack *s = *state;
    struct orders_tally tally;
    struct load *l;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "steady", .stock = 100000}), 0);
    l = load_run(&(struct load_spec){.port = s->http_port,
                                     .connections = 16,
                                     .max_orders = 20000,
                                     .seconds = 120,
                                     .sku = "steady",
                                     .stop_after_accepted = 25 * MAX_PENDING});
    assert_true(load_count_status(l, 202) >= 25 * MAX_PENDING);
    assert_load_is_accounted_for(s, l, "steady", 100000, &tally);
    load_free(l);
    /* All of it is free again. */
    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    l = load_run(&(struct load_spec){
        .port = s->http_port, .connections = 16, .max_orders = 100, .seconds = 60, .sku = "steady"});
    if (load_count_status(l, 202) != MAX_PENDING)
        load_print(l);
    assert_int_equal(load_count_status(l, 202), MAX_PENDING);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    load_free(l);
}

int main(void)
{
    static const char *const sets[] = {"admission.max_pending=40", "admission.user_rate=0",
                                       "admission.max_rate=0", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_backlog_is_refused_beyond_the_threshold_and_drains, everything_runs),
        cmocka_unit_test_setup(test_slots_do_not_leak, everything_runs),
        STACK_END,
    };

    return run_with_stack("overload", tests, sizeof tests / sizeof *tests, sets);
}
