/* A flash sale under concurrency: never one unit too many or too few, whoever sends what how often. */
#include <stdio.h>
#include <string.h>

#include "tests/integration/groups.h"
#include "tests/support/check.h"
#include "tests/support/ctl.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/orders.h"

/* Every answer is a 202 or this refusal; nothing was lost. */
static void assert_only_accepted_or(const struct load *l, const char *code)
{
    int accepted = load_count_status(l, 202);
    int refused = code ? load_count_code(l, code) : 0;

    if (accepted + refused != load_count(l)) {
        load_print(l);
        fail();
    }
    for (int i = 0; i < load_count(l); i++) {
        if (load_answer(l, i)->status == 202)
            assert_true(load_answer(l, i)->has_location);
    }
}

static void test_sells_exactly_the_stock(void **state)
{
    struct stack *s = *state;
    struct orders_tally tally;
    struct http_response response;
    json_t *problem;
    struct load *l;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "hot", .stock = 500}), 0);
    l = load_run(&(struct load_spec){
        .port = s->http_port, .connections = 64, .max_orders = 2000, .seconds = 120, .sku = "hot"});
    assert_int_equal(load_count(l), 2000);
    assert_only_accepted_or(l, "sold_out");
    assert_load_is_accounted_for(s, l, "hot", 500, &tally);
    assert_int_equal(tally.confirmed, 500);
    load_free(l);
    /* The catalogue follows: from now on nobody has to queue to hear it. */
    post_order(s, NULL, "{\"user_id\":\"too-late\",\"sku\":\"hot\"}", &response);
    problem = assert_problem(&response, 409, "sold_out");
    assert_int_equal(json_number(problem, "stock_left"), 0);
    json_decref(problem);
    http_response_free(&response);
}

/* 100 in threes: 33 orders fit, and the one unit that is left still goes to who wants one. */
static void test_order_is_taken_whole_or_not_at_all(void **state)
{
    struct stack *s = *state;
    struct orders_tally tally;
    struct http_response response;
    char order_id[27];
    struct load *l;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "trio", .stock = 100}), 0);
    l = load_run(&(struct load_spec){.port = s->http_port,
                                     .connections = 32,
                                     .max_orders = 200,
                                     .seconds = 120,
                                     .sku = "trio",
                                     .quantity = 3});
    assert_only_accepted_or(l, "sold_out");
    assert_load_is_accounted_for(s, l, "trio", 100, &tally);
    assert_int_equal(tally.confirmed, 33);
    load_free(l);
    post_order(s, NULL, "{\"user_id\":\"last\",\"sku\":\"trio\"}", &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    json_decref(assert_becomes(s, order_id, "confirmed"));
    assert_int_equal(item_left(s, "trio"), 0);
}

static void test_limit_holds_for_a_user_who_sends_many_at_once(void **state)
{
    struct stack *s = *state;
    struct orders_tally tally;
    struct load *l;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "limited", .stock = 1000, .limit = 5}), 0);
    l = load_run(&(struct load_spec){.port = s->http_port,
                                     .connections = 32,
                                     .max_orders = 100,
                                     .seconds = 120,
                                     .sku = "limited",
                                     .quantity = 2,
                                     .user = "greedy"});
    assert_int_equal(load_count_status(l, 202), 100);
    assert_load_is_accounted_for(s, l, "limited", 1000, &tally);
    assert_int_equal(tally.confirmed, 2);
    assert_int_equal(tally.rejected, 98);
    load_free(l);
    l = load_run(&(struct load_spec){.port = s->http_port,
                                     .connections = 32,
                                     .max_orders = 400,
                                     .seconds = 120,
                                     .sku = "limited",
                                     .users = 40});
    assert_int_equal(load_count_status(l, 202), 400);
    assert_load_is_accounted_for(s, l, "limited", 996, &tally);
    assert_int_equal(tally.confirmed, 200);
    load_free(l);
}

static void test_same_key_many_times_at_once_is_one_order(void **state)
{
    struct stack *s = *state;
    struct orders_tally tally;
    struct load *l;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "once", .stock = 100}), 0);
    l = load_run(&(struct load_spec){.port = s->http_port,
                                     .connections = 128,
                                     .max_orders = 500,
                                     .seconds = 120,
                                     .sku = "once",
                                     .user = "impatient",
                                     .key = "press-again"});
    assert_int_equal(load_count_status(l, 202), 500);
    assert_load_is_accounted_for(s, l, "once", 100, &tally);
    assert_int_equal(tally.ids, 1);
    assert_int_equal(tally.confirmed, 1);
    load_free(l);
    assert_int_equal(item_left(s, "once"), 99);
}

static void test_key_still_finds_its_order_after_the_sell_out(void **state)
{
    static const char key[] = "Idempotency-Key: mine\r\n";
    static const char body[] = "{\"user_id\":\"winner\",\"sku\":\"unique\"}";
    struct stack *s = *state;
    struct http_response response;
    char first[27], again[27], location[HTTP_VALUE_SIZE] = "", status[ORDER_STATUS_SIZE];
    json_t *problem;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "unique", .stock = 1}), 0);
    post_order(s, key, body, &response);
    assert_accepted(&response, first);
    http_response_free(&response);
    json_decref(assert_becomes(s, first, "confirmed"));
    post_order(s, key, body, &response);
    assert_accepted(&response, again);
    http_response_free(&response);
    assert_string_equal(again, first);
    json_decref(assert_becomes(s, first, "confirmed"));

    /* A front end that has no memory of it refuses this attempt, and says where an earlier one may stand. */
    assert_int_equal(stack_stop_gracefully(s, "order", "seckill-order"), 0);
    assert_int_equal(stack_do(s, "start", "order", NULL), 0);
    assert_true(stack_wait_ready(s, 60));
    post_order(s, key, body, &response);
    problem = assert_problem(&response, 409, "sold_out");
    assert_string_equal(json_text(problem, "order_id"), first);
    assert_true(http_header(&response, "Location", location));
    assert_string_equal(location + strlen("/v1/orders/"), first);
    json_decref(problem);
    http_response_free(&response);
    order_status(s, first, status);
    assert_string_equal(status, "confirmed");
    assert_int_equal(item_left(s, "unique"), 0);
}

/* No store is shared between them but the key file. */
static void test_two_front_ends_give_a_key_the_same_order(void **state)
{
    static const char key[] = "Idempotency-Key: on-both\r\n";
    static const char body[] = "{\"user_id\":\"u1\",\"sku\":\"shared\"}";
    struct stack *s = *state;
    struct http_response response;
    char first[27], second[27], port[16];
    int other = stack_free_port();

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "shared", .stock = 10}), 0);
    snprintf(port, sizeof port, "%d", other);
    assert_int_equal(stack_do(s, "start", "order@2", (const char *[]){"--http-port", port, NULL}), 0);
    assert_int_equal(http_request(other, "POST", "/v1/orders", key, body, &response), 0);
    assert_accepted(&response, second);
    http_response_free(&response);
    post_order(s, key, body, &response);
    assert_accepted(&response, first);
    http_response_free(&response);
    assert_string_equal(first, second);
    json_decref(assert_becomes(s, first, "confirmed"));
    assert_int_equal(item_left(s, "shared"), 9);
    assert_int_equal(stack_do(s, "stop", "order@2", NULL), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_sells_exactly_the_stock),
    cmocka_unit_test(test_order_is_taken_whole_or_not_at_all),
    cmocka_unit_test(test_limit_holds_for_a_user_who_sends_many_at_once),
    cmocka_unit_test(test_same_key_many_times_at_once_is_one_order),
    cmocka_unit_test(test_key_still_finds_its_order_after_the_sell_out),
    cmocka_unit_test(test_two_front_ends_give_a_key_the_same_order),
};

const struct test_group stock_tests = {"stock", tests, sizeof tests / sizeof *tests};
