/* An order can be asked for on any front end, at once or by waiting for its decision; and when inventory
 * cannot be asked, this is said in time and orders go on being taken. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/integration/groups.h"
#include "tests/support/amqp.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/front_ends.h"
#include "tests/support/json.h"
#include "tests/support/load.h"
#include "tests/support/process.h"
#include "tests/support/waiters.h"

enum { WAIT_SECONDS = 60, MANY = 2000 };

#define WAITING   "seckill_order_inquiries_waiting"
#define BACKLOG   "seckill_order_backlog{shard=\"0\"}"
#define CONNECTS  "seckill_order_broker_connects_total"
#define USABLE    "seckill_order_broker_usable"
#define CONFIRMED "seckill_order_decisions_matched_total{status=\"confirmed\"}"
#define GIVEN_UP  "seckill_order_given_up_total"

static int second; /* the second front end's port */

static void put(struct stack *s, const char *sku, int64_t stock)
{
    assert_int_equal(item_put(s, &(struct item_terms){.sku = sku, .stock = stock}), 0);
    front_end_assert_left(second, sku, stock);
}

static void expect(int port, const char *id, const char *query, int status, const char *word)
{
    json_t *body;
    int got = front_end_ask(port, id, query, &body);

    if (got != status || strcmp(json_text(body, status == 200 ? "status" : "code"), word) != 0)
        fail_msg("%s%s: %d %s, not %d %s", id, query, got, json_text(body, "status"), status, word);
    json_decref(body);
}

static void test_two_front_ends(void **state)
{
    second = front_end_start(*state, "order@2", NULL);
}

static void test_order_of_another_front_end_is_found(void **state)
{
    struct stack *s = *state;
    char id[27];
    json_t *body;

    put(s, "anywhere", 10);
    assert_int_equal(front_end_order(s->http_port, "u1", "anywhere", NULL, id), 202);
    expect(second, id, "?wait=20", 200, "confirmed");
    assert_int_equal(front_end_ask(second, id, "", &body), 200);
    assert_string_equal(json_text(body, "order_id"), id);
    assert_string_equal(json_text(body, "user_id"), "u1");
    assert_string_equal(json_text(body, "sku"), "anywhere");
    assert_int_equal(json_number(body, "quantity"), 1);
    assert_int_equal(json_number(body, "total"), 100);
    assert_true(json_number(body, "receipt_no") > 0);
    json_decref(body);
}

/* The id of a refused keyed order is ours, and nobody has such an order. */
static void test_unknown_and_not_found_are_told_apart(void **state)
{
    struct stack *s = *state;
    char id[27], forged[27];
    int64_t begin;

    put(s, "nothing-left", 0);
    assert_int_equal(front_end_order(s->http_port, "u1", "nothing-left", "k", id), 409);
    assert_int_equal(strlen(id), 26);
    expect(s->http_port, id, "", 200, "unknown");
    expect(second, id, "", 200, "unknown");
    begin = clock_ms();
    expect(second, id, "?wait=1", 200, "unknown");
    assert_true(clock_ms() - begin >= 1000);

    snprintf(forged, sizeof forged, "%s", id);
    forged[25] = id[25] == '0' ? '1' : '0';
    expect(second, forged, "", 404, "not_found");
    expect(second, forged, "?wait=20", 404, "not_found");
    expect(second, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "", 404, "not_found"); /* in no shard of ours */
    expect(second, "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "", 404, "not_found"); /* no id at all */
    expect(second, "x", "?wait=20", 404, "not_found");
}

static void test_wait_is_a_whole_number_up_to_30(void **state)
{
    static const char *const bad[] = {"?wait=31", "?wait=-1", "?wait=", "?wait=1.5", "?wait=x", "?wait"};
    struct stack *s = *state;
    json_t *body;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(front_end_ask(s->http_port, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", bad[i], &body), 422);
        assert_string_equal(json_text(body, "code"), "invalid");
        assert_non_null(strstr(json_text(body, "detail"), "wait"));
        json_decref(body);
    }
    expect(s->http_port, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "?wait=0", 404, "not_found");
}

static void test_order_of_another_producer_is_found(void **state)
{
    struct stack *s = *state;

    put(s, "by-amqp", 10);
    assert_int_equal(amqp_publish(s, "seckill.orders", "0",
                                  "{\"v\":1,\"order_id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"user_id\":\"u9\","
                                  "\"sku\":\"by-amqp\"}"),
                     0);
    front_end_assert_becomes(second, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "confirmed");
}

/* Orders that nobody decides for now. */
static void order_many(int port, const char *sku, char (*ids)[27], int count)
{
    struct load *l = load_run(&(struct load_spec){
        .port = port, .connections = 32, .max_orders = count, .seconds = WAIT_SECONDS, .sku = sku});

    assert_int_equal(load_count_status(l, 202), count);
    for (int i = 0; i < count; i++)
        snprintf(ids[i], 27, "%s", load_answer(l, i)->order_id);
    load_free(l);
}

static void test_stopped_inventory_is_said_in_time_and_orders_are_taken(void **state)
{
    struct stack *s = *state;
    char id[27], later[27];

    put(s, "stopped", 10);
    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    assert_int_equal(front_end_order(s->http_port, "u1", "stopped", NULL, id), 202);
    expect(s->http_port, id, "", 200, "accepted");
    for (int i = 0; i < 3; i++)
        expect(second, id, i == 1 ? "?wait=20" : "", 503, "unavailable");
    int64_t begin = clock_ms();
    expect(s->http_port, id, "?wait=1", 200, "accepted");
    assert_true(clock_ms() - begin >= 1000);
    assert_int_equal(front_end_order(second, "u2", "stopped", NULL, later), 202);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    expect(s->http_port, id, "?wait=25", 200, "confirmed");
    front_end_assert_becomes(second, id, "confirmed");
    front_end_assert_becomes(s->http_port, later, "confirmed");
}

static void test_frozen_inventory_is_said_in_time(void **state)
{
    struct stack *s = *state;
    pid_t inventory = stack_pid(s, "seckill-inventory");
    char id[27];

    put(s, "frozen", 10);
    assert_int_equal(process_freeze(inventory), 0);
    assert_int_equal(front_end_order(s->http_port, "u1", "frozen", NULL, id), 202);
    int64_t begin = clock_ms();
    int status = front_end_ask(second, id, "", NULL);
    int64_t took = clock_ms() - begin;
    int again = front_end_ask(second, id, "?wait=20", NULL);
    assert_int_equal(kill(inventory, SIGCONT), 0);
    assert_int_equal(status, 503);
    assert_int_equal(again, 503);
    assert_true(took < 15000); /* 2 s; the rest is for a slow machine */
    front_end_assert_becomes(second, id, "confirmed");
}

static void test_dead_broker_is_said_at_once(void **state)
{
    struct stack *s = *state;
    char id[27];

    put(s, "no-broker", 10);
    assert_int_equal(front_end_order(s->http_port, "u1", "no-broker", NULL, id), 202);
    front_end_assert_becomes(s->http_port, id, "confirmed");
    assert_int_equal(stack_do(s, "kill", "broker", NULL), 0);
    assert_true(front_end_wait_metric(second, USABLE, 0, WAIT_SECONDS));
    expect(second, id, "?wait=20", 503, "unavailable");
    expect(s->http_port, id, "", 200, "confirmed"); /* from memory */
    assert_int_equal(stack_do(s, "start", "broker", NULL), 0);
    front_end_assert_becomes(second, id, "confirmed");
}

/* First at the front end that took the orders, and they are decided while all wait; then at the other one. */
static void test_thousands_wait_at_once_and_all_learn_of_the_decision(void **state)
{
    static char ids[200][27];
    struct stack *s = *state;
    struct waiters_tally here, elsewhere;

    put(s, "awaited", 1000);
    pid_t inventory = stack_pid(s, "seckill-inventory");
    assert_int_equal(process_freeze(inventory), 0);
    order_many(s->http_port, "awaited", ids, 200);
    struct waiters *w = waiters_start(s->http_port, MANY, 30, ids, 200);
    bool all_wait = front_end_wait_metric(s->http_port, WAITING, MANY, WAIT_SECONDS);
    assert_int_equal(kill(inventory, SIGCONT), 0);
    waiters_join(w, &here);
    assert_true(all_wait);
    assert_int_equal(here.confirmed, MANY);

    waiters_join(waiters_start(second, MANY, 30, ids, 200), &elsewhere);
    assert_int_equal(elsewhere.confirmed, MANY);
    assert_true(front_end_wait_metric(s->http_port, WAITING, 0, WAIT_SECONDS));
    assert_true(front_end_wait_metric(second, WAITING, 0, WAIT_SECONDS));
}

static void test_sigterm_answers_who_waits(void **state)
{
    enum { COUNT = 300 };
    static char ids[20][27], elsewhere[2][27];
    struct stack *s = *state;
    struct waiters_tally own, other;

    put(s, "leaving", 1000);
    put(s, "left-out", 0);
    for (int i = 0; i < 2; i++) /* ids of ours that no order has: inventory is asked, and says so */
        assert_int_equal(front_end_order(second, i ? "u2" : "u1", "left-out", "k", elsewhere[i]), 409);
    struct waiters *others = waiters_start(second, COUNT, 30, elsewhere, 2);
    assert_true(front_end_wait_metric(second, WAITING, COUNT, WAIT_SECONDS));
    expect(second, elsewhere[0], "", 200, "unknown"); /* behind their question: all of them have heard */
    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    order_many(second, "leaving", ids, 20);
    struct waiters *owners = waiters_start(second, COUNT, 30, ids, 20);
    assert_true(front_end_wait_metric(second, WAITING, 2 * COUNT, WAIT_SECONDS));
    assert_int_equal(stack_do(s, "stop", "order@2", NULL), 0);
    waiters_join(owners, &own);
    waiters_join(others, &other);
    assert_int_equal(own.accepted, COUNT);
    assert_int_equal(other.unknown, COUNT);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    for (int i = 0; i < 20; i++) /* their front end is gone: its orders are not */
        front_end_assert_becomes(s->http_port, ids[i], "confirmed");
    second = front_end_start(s, "order@2", NULL);
}

struct connected {
    int port;
    int64_t connects; /* before */
};

/* Once or twice: its two connections were not closed at the same moment. */
static bool has_connected_again(void *context)
{
    const struct connected *c = context;

    return front_end_metric(c->port, CONNECTS) > c->connects && front_end_metric(c->port, USABLE) == 1;
}

/* The queue that the decisions go to ends with its connection: they are lost, every one. */
static void test_lost_decisions_are_asked_for_and_no_slot_leaks(void **state)
{
    enum { COUNT = 300 };
    static char ids[COUNT][27];
    struct stack *s = *state;
    struct process_output o;
    char rabbitmqctl[STACK_PATH];

    put(s, "lost", 1000);
    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    order_many(s->http_port, "lost", ids, COUNT);
    int64_t connects = front_end_metric(s->http_port, CONNECTS);
    int64_t confirmed = front_end_metric(s->http_port, CONFIRMED);
    assert_int_equal(front_end_metric(s->http_port, BACKLOG), COUNT);
    snprintf(rabbitmqctl, sizeof rabbitmqctl, "%s/rabbitmqctl", s->dir);
    process_run((const char *[]){rabbitmqctl, "close_all_connections", "--global", "test", NULL},
                stack_environment(s), NULL, WAIT_SECONDS, &o);
    assert_int_equal(o.status, 0);
    process_output_free(&o);
    assert_true(wait_until(has_connected_again, &(struct connected){s->http_port, connects}, WAIT_SECONDS));
    assert_int_equal(front_end_metric(s->http_port, BACKLOG), COUNT);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    assert_true(front_end_wait_metric(s->http_port, BACKLOG, 0, WAIT_SECONDS));
    assert_int_equal(front_end_metric(s->http_port, CONFIRMED), confirmed + COUNT);
    assert_int_equal(front_end_metric(s->http_port, GIVEN_UP), 0);
    expect(s->http_port, ids[COUNT - 1], "", 200, "confirmed");
}

static void test_second_front_end_ends_on_sigterm(void **state)
{
    assert_int_equal(stack_do(*state, "stop", "order@2", NULL), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_two_front_ends),
    cmocka_unit_test_setup(test_order_of_another_front_end_is_found, everything_runs),
    cmocka_unit_test_setup(test_unknown_and_not_found_are_told_apart, everything_runs),
    cmocka_unit_test_setup(test_wait_is_a_whole_number_up_to_30, everything_runs),
    cmocka_unit_test_setup(test_order_of_another_producer_is_found, everything_runs),
    cmocka_unit_test_setup(test_stopped_inventory_is_said_in_time_and_orders_are_taken, everything_runs),
    cmocka_unit_test_setup(test_frozen_inventory_is_said_in_time, everything_runs),
    cmocka_unit_test_setup(test_dead_broker_is_said_at_once, everything_runs),
    cmocka_unit_test_setup(test_thousands_wait_at_once_and_all_learn_of_the_decision, everything_runs),
    cmocka_unit_test_setup(test_sigterm_answers_who_waits, everything_runs),
    cmocka_unit_test_setup(test_lost_decisions_are_asked_for_and_no_slot_leaks, everything_runs),
    cmocka_unit_test(test_second_front_end_ends_on_sigterm),
};

const struct test_group order_status_tests = {"order_status", tests, sizeof tests / sizeof *tests};
