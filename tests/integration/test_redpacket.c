/* Red packets: each confirmed order gets at most one, a campaign gives away its budget and nothing more, and
 * neither events that come again in any order nor kill -9 change what was given. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/amqp.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/event_lines.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/load.h"
#include "tests/support/orders.h"
#include "tests/support/red_packets.h"

enum { WAIT_SECONDS = 150, USERS = 20 };

#define CONFIRMED_QUEUE "test.confirmed" /* of the test's own: a copy of each event */
#define GRANTED_QUEUE   "test.granted"

/* The queue keeps the order: when the event of an order that is placed now has come, so have all before it.
 */
static void wait_for_all_before(struct stack *s, const char *user)
{
    struct http_response response;
    char body[120], id[27];
    json_t *ids = json_array();

    snprintf(body, sizeof body, "{\"user_id\":\"%s\",\"sku\":\"after\",\"quantity\":1}", user);
    post_order(s, NULL, body, &response);
    assert_accepted(&response, id);
    http_response_free(&response);
    json_decref(assert_becomes(s, id, "confirmed"));
    json_array_append_new(ids, json_string(id));
    packets_wait(s, ids, WAIT_SECONDS);
    json_decref(ids);
}

static void test_campaign_is_put_listed_and_shown(void **state)
{
    struct stack *s = *state;
    struct campaign c;
    struct ctl_answer answer;

    campaign_put(s, "空调", "5000", "10", "7");
    campaign_read(s, "空调", &c);
    assert_int_equal(c.budget, 5000);
    assert_int_equal(c.packets, 10);
    assert_int_equal(c.min_amount, 7);
    assert_int_equal(c.budget_left, 5000);
    assert_int_equal(c.packets_left, 10);
    assert_int_equal(ctl_status(s, 0, (const char *[]){"campaign", "put", "空调", "--packets", "20", NULL}),
                     0);
    ctl(s, &answer, (const char *[]){"campaign", "list", NULL});
    assert_int_equal(answer.output.status, 0);
    assert_int_equal(json_array_size(json_object_get(answer.json, "campaigns")), 1);
    assert_int_equal(json_number(json_array_get(json_object_get(answer.json, "campaigns"), 0), "packets"),
                     20);
    ctl_free(&answer);
    ctl(s, &answer, (const char *[]){"balance", "show", "nobody", NULL});
    assert_int_equal(answer.output.status, 0);
    assert_int_equal(json_number(answer.json, "amount"), 0);
    ctl_free(&answer);
}

static void test_campaign_that_cannot_be_is_refused(void **state)
{
    static const char *const cases[][8] = {
        {"1", "campaign", "put", "new", "--budget", "5", NULL},
        {"1", "campaign", "show", "never-put", NULL},
        {"64", "campaign", "put", "new", "--packets", "many", NULL},
        {"64", "campaign", "put", NULL},
        {"64", "campaign", "put", "new", "--stock", "5", NULL},
    };
    struct stack *s = *state;
    int expected;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expected = atoi(cases[i][0]);
        assert_int_equal(ctl_status(s, expected, cases[i] + 1), expected);
    }
    assert_int_equal(ctl_status(s, 1,
                                (const char *[]){"campaign", "put", "new", "--budget", "99", "--packets",
                                                 "10", "--min-amount", "10", NULL}),
                     1);
    assert_int_equal(stack_do(s, "stop", "redpacket", NULL), 0);
    assert_int_equal(ctl_status(s, 69, (const char *[]){"campaign", "list", NULL}), 69);
    assert_int_equal(stack_do(s, "start", "redpacket", NULL), 0);
}

static void put_sale(struct stack *s, const char *sku, int64_t stock)
{
    assert_int_equal(item_put(s, &(struct item_terms){.sku = sku, .stock = stock}), 0);
}

/* Three kinds of orders: with a packet, with none left, and rejected; then every event again. */
static void test_replayed_events_change_nothing(void **state)
{
    enum { ORDERS = 400, STOCK = 300, PACKETS = 200 };
    struct stack *s = *state;
    struct campaign before, after;
    struct orders_tally decided;
    struct packets_tally tally;
    struct event_lines confirmed, granted;
    json_t *ids, *rejected, *packets, *balances, *again;
    struct load *l;

    put_sale(s, "phone", STOCK);
    put_sale(s, "after", 10);
    campaign_put(s, "phone", "100000", "200", "10");
    assert_int_equal(amqp_make_queue(s, CONFIRMED_QUEUE, "seckill.events", "order.confirmed"), 0);
    assert_int_equal(amqp_make_queue(s, GRANTED_QUEUE, "seckill.events", "redpacket.granted"), 0);
    l = load_run(&(struct load_spec){.port = s->http_port,
                                     .connections = 16,
                                     .max_orders = ORDERS,
                                     .seconds = 60,
                                     .sku = "phone",
                                     .users = USERS});
    assert_load_is_accounted_for(s, l, "phone", STOCK, &decided);
    assert_int_equal(decided.confirmed, STOCK);

    ids = load_ids(s, l, "confirmed");
    rejected = load_ids(s, l, "rejected");
    assert_int_equal(json_array_size(ids), STOCK);
    packets_wait(s, ids, WAIT_SECONDS);
    tally = packets_count(s, ids, 10);
    campaign_read(s, "phone", &before);
    assert_int_equal(tally.granted, PACKETS);
    assert_int_equal(tally.none_left, STOCK - PACKETS);
    assert_int_equal(tally.amount, 100000);
    assert_int_equal(before.budget_left, 0);
    assert_int_equal(before.packets_left, 0);
    if (json_array_size(rejected) > 0) { /* else all refusals were the front end's, by the catalogue */
        again = packets_ask(s, rejected);
        for (size_t i = 0; i < json_array_size(again); i++)
            assert_null(answer_result(again, i));
        json_decref(again);
    }
    granted = event_lines_take(s, GRANTED_QUEUE, PACKETS, WAIT_SECONDS);
    assert_int_equal(granted.count, PACKETS);
    packets = packets_ask(s, ids);
    balances = balances_ask(s, USERS);

    confirmed = event_lines_take(s, CONFIRMED_QUEUE, STOCK, WAIT_SECONDS);
    assert_int_equal(confirmed.count, STOCK);
    assert_int_equal(amqp_delete_queue(s, CONFIRMED_QUEUE), 0);
    srandom(7);
    event_lines_shuffle(&confirmed);
    event_lines_publish(s, &confirmed, "order.confirmed", 40);
    event_lines_shuffle(&confirmed);
    event_lines_publish(s, &confirmed, "order.confirmed", 300);
    /* More packets now: an order that got none does not get one by its event's second copy. */
    assert_int_equal(ctl_status(s, 0,
                                (const char *[]){"campaign", "put", "phone", "--budget", "200000",
                                                 "--packets", "400", NULL}),
                     0);
    event_lines_shuffle(&confirmed);
    event_lines_publish(s, &confirmed, "order.confirmed", 300);
    campaign_put(s, "after", "100", "1", "1");
    wait_for_all_before(s, "somebody");

    again = packets_ask(s, ids);
    assert_true(json_equal(again, packets));
    json_decref(again);
    again = balances_ask(s, USERS);
    assert_true(json_equal(again, balances));
    json_decref(again);
    campaign_read(s, "phone", &after);
    assert_int_equal(after.budget_left, 100000);
    assert_int_equal(after.packets_left, 200);
    /* Of the replays came no event: the next one is the order's that was placed after them. */
    event_lines_free(&granted);
    granted = event_lines_take(s, GRANTED_QUEUE, 1, WAIT_SECONDS);
    assert_int_equal(granted.count, 1);
    assert_non_null(strstr(granted.items[0], "\"somebody\""));
    assert_non_null(strstr(granted.items[0], "\"amount\":100}"));
    assert_int_equal(amqp_delete_queue(s, GRANTED_QUEUE), 0);

    event_lines_free(&confirmed);
    event_lines_free(&granted);
    json_decref(ids);
    json_decref(rejected);
    json_decref(packets);
    json_decref(balances);
    load_free(l);
}

static void stop_load(struct load *l)
{
    load_stop(l);
    load_join(l);
}

/* Ends the load in any case, so that the next test begins with a quiet stack. */
static void require(bool holds, struct load *l, const char *what)
{
    if (holds)
        return;
    stop_load(l);
    load_print(l);
    load_free(l);
    fail_msg("%s", what);
}

static void test_killed_worker_gives_each_order_one_packet(void **state)
{
    enum { STOCK = 100000, KILLS = 3 };
    struct stack *s = *state;
    int64_t balances_before = balances_sum(s, USERS);
    struct orders_tally decided;
    struct campaign c;
    struct packets_tally tally;
    struct event_lines granted;
    json_t *ids;
    struct load *l;

    put_sale(s, "killed", STOCK);
    campaign_put(s, "killed", "10000000", "50000", "1");
    assert_int_equal(amqp_make_queue(s, GRANTED_QUEUE, "seckill.events", "redpacket.granted"), 0);
    l = load_start(&(struct load_spec){.port = s->http_port,
                                       .connections = 16,
                                       .max_orders = 20000,
                                       .seconds = 120,
                                       .sku = "killed",
                                       .users = USERS,
                                       .pace_ms = 20});
    for (int i = 0; i < KILLS; i++) {
        require(load_wait_accepted(l, load_accepted(l) + 150, WAIT_SECONDS), l, "no orders are taken");
        require(stack_do(s, "kill", "redpacket", NULL) == 0, l, "kill");
        /* Its outage is nobody else's. */
        require(load_wait_accepted(l, load_accepted(l) + 150, WAIT_SECONDS), l, "no orders without it");
        require(stack_do(s, "start", "redpacket", NULL) == 0, l, "start");
    }
    stop_load(l);
    assert_load_is_accounted_for(s, l, "killed", STOCK, &decided);
    ids = load_ids(s, l, "confirmed");
    assert_int_equal(json_array_size(ids), decided.confirmed);
    packets_wait(s, ids, WAIT_SECONDS);

    tally = packets_count(s, ids, 1);
    assert_int_equal(tally.granted, decided.confirmed);
    campaign_read(s, "killed", &c);
    assert_int_equal(c.packets_left, 50000 - tally.granted);
    assert_int_equal(c.budget_left, 10000000 - tally.amount);
    assert_int_equal(balances_sum(s, USERS), balances_before + tally.amount);
    /* What went out twice is the same line: one for each order. */
    granted = event_lines_take(s, GRANTED_QUEUE, decided.confirmed, WAIT_SECONDS);
    assert_in_range(granted.count, 1, (size_t)decided.confirmed);
    for (size_t i = 1; i < granted.count; i++) /* the order's id is the first member that differs */
        assert_int_not_equal(strncmp(granted.items[i - 1], granted.items[i], 74), 0);
    assert_int_equal(amqp_delete_queue(s, GRANTED_QUEUE), 0);

    event_lines_free(&granted);
    json_decref(ids);
    load_free(l);
}

static void test_missing_database_is_not_made_anew(void **state)
{
    struct stack *s = *state;
    char path[STACK_PATH + 32], aside[STACK_PATH + 40];

    assert_int_equal(stack_do(s, "stop", "redpacket", NULL), 0);
    snprintf(path, sizeof path, "%s/store/redpacket.db", s->dir);
    snprintf(aside, sizeof aside, "%s.aside", path);
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(stack_do(s, "start", "redpacket", NULL), 78);
    assert_int_equal(rename(aside, path), 0);
    assert_int_equal(stack_do(s, "start", "redpacket", NULL), 0);
}

/* How often it had nothing to do and gave the processor away; -1: it is not there. */
static long sleeps_of(struct stack *s, const char *program)
{
    struct text status = {0};
    const char *line;
    char path[64];
    long sleeps = -1;

    snprintf(path, sizeof path, "/proc/%d/status", (int)stack_pid(s, program));
    if (text_add_file(&status, path) == 0 &&
        (line = strstr(text_c(&status), "\nvoluntary_ctxt_switches:")) != NULL)
        sscanf(line, "\nvoluntary_ctxt_switches: %ld", &sleeps);
    text_free(&status);
    return sleeps;
}

struct idler {
    struct stack *stack;
    const char *program;
    long sleeps;
};

static bool sleeps_on(void *context)
{
    const struct idler *i = context;

    return sleeps_of(i->stack, i->program) >= i->sleeps + 3;
}

/* A worker that goes round and round takes a core from the others. */
static void test_workers_sleep_when_there_is_nothing_to_do(void **state)
{
    static const char *const programs[] = {"seckill-inventory", "seckill-redpacket", "seckill-notification"};
    struct stack *s = *state;

    assert_int_equal(ctl_status(s, 0, (const char *[]){"audit", "--wait", "60", NULL}), 0); /* all is quiet */
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        struct idler idler = {s, programs[i], sleeps_of(s, programs[i])};

        assert_true(idler.sleeps >= 0);
        if (!wait_until(sleeps_on, &idler, WAIT_SECONDS))
            fail_msg("%s does not sleep", programs[i]);
    }
}

int main(void)
{
    static const char *const sets[] = {"admission.user_rate=0", "admission.max_rate=0",
                                       /* Many small transactions: a kill meets one. */
                                       "redpacket.max_batch=50", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_campaign_is_put_listed_and_shown),
        cmocka_unit_test(test_campaign_that_cannot_be_is_refused),
        cmocka_unit_test_setup(test_workers_sleep_when_there_is_nothing_to_do, everything_runs),
        cmocka_unit_test_setup(test_replayed_events_change_nothing, everything_runs),
        cmocka_unit_test_setup(test_killed_worker_gives_each_order_one_packet, everything_runs),
        cmocka_unit_test_setup(test_missing_database_is_not_made_anew, everything_runs),
        STACK_END,
    };

    return run_with_stack("redpacket", tests, sizeof tests / sizeof *tests, sets);
}
