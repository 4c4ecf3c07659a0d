/* An order's red packet shows with its status once it is granted, on any front end; and a red packets' worker
 * that is away or hangs neither keeps answers nor is asked again and again. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/integration/groups.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/front_ends.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/load.h"
#include "tests/support/process.h"
#include "tests/support/red_packets.h"
#include "tests/support/waiters.h"

enum { WAIT_SECONDS = 60 };

#define WAITING   "seckill_order_inquiries_waiting"
#define HELD      "seckill_order_inquiries_packet"
#define QUESTIONS "seckill_order_packet_questions_total"
#define IDS       "seckill_order_packet_ids_total"

static int second; /* the second front end's port */

static void put(struct stack *s, const char *sku, int64_t stock, int limit)
{
    assert_int_equal(item_put(s, &(struct item_terms){.sku = sku, .stock = stock, .limit = limit}), 0);
    front_end_assert_left(second, sku, stock);
}

/* The packet's amount in the order's status, which has to be confirmed; 0: none is shown. */
static int64_t packet_shown(int port, const char *id, const char *query)
{
    json_t *body;

    assert_int_equal(front_end_ask(port, id, query, &body), 200);
    assert_string_equal(json_text(body, "status"), "confirmed");
    const json_t *packet = json_object_get(body, "red_packet");
    int64_t amount = packet ? json_number(packet, "amount") : 0;
    if (packet)
        assert_true(amount > 0);
    json_decref(body);
    return amount;
}

struct shown {
    int port;
    const char *id;
    int64_t amount;
};

static bool is_shown(void *context)
{
    const struct shown *w = context;

    return packet_shown(w->port, w->id, "") == w->amount;
}

static void assert_shows(int port, const char *id, int64_t amount)
{
    if (!wait_until(is_shown, &(struct shown){port, id, amount}, WAIT_SECONDS))
        fail_msg("order %s does not show its red packet of %lld", id, (long long)amount);
}

/* What the worker itself says, once it has decided. */
static int64_t packet_granted(struct stack *s, const char *id)
{
    json_t *ids = json_pack("[s]", id);

    packets_wait(s, ids, WAIT_SECONDS);
    json_t *answers = packets_ask(s, ids);
    int64_t amount = json_number(answer_result(answers, 0), "amount");
    json_decref(answers);
    json_decref(ids);
    return amount;
}

static void test_two_front_ends(void **state)
{
    second = front_end_start(*state, "order@2", NULL);
}

static void test_granted_packet_shows_and_is_asked_for_once(void **state)
{
    struct stack *s = *state;
    struct http_response page;
    char id[27], path[64];

    put(s, "lucky", 10, 0);
    campaign_put(s, "lucky", "500", "1", "1");
    assert_int_equal(front_end_order(s->http_port, "u1", "lucky", NULL, id), 202);
    int64_t amount = packet_shown(s->http_port, id, "?wait=20");
    assert_true(amount == 0 || amount == 500); /* 0: this machine was too slow */
    assert_shows(s->http_port, id, 500);
    int64_t questions = front_end_metric(s->http_port, QUESTIONS);
    assert_true(questions > 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(packet_shown(s->http_port, id, i % 2 ? "?wait=20" : ""), 500);
    assert_int_equal(front_end_metric(s->http_port, QUESTIONS), questions);
    assert_shows(second, id, 500); /* which has the order from inventory */

    snprintf(path, sizeof path, "/order?id=%s", id);
    assert_int_equal(http_request(s->http_port, "GET", path, NULL, NULL, &page), 0);
    assert_int_equal(page.status, 200);
    assert_non_null(strstr(page.body, "Red packet"));
    assert_non_null(strstr(page.body, "¥5.00"));
    http_response_free(&page);
}

/* That an order has none is known for good as well. */
static void test_order_without_packet_is_asked_about_once(void **state)
{
    struct stack *s = *state;
    char ids[3][27];

    put(s, "plain", 10, 0);
    put(s, "scarce", 10, 0);
    campaign_put(s, "scarce", "1", "1", "1");
    assert_int_equal(front_end_order(s->http_port, "u1", "plain", NULL, ids[0]), 202);
    assert_int_equal(front_end_order(s->http_port, "u1", "scarce", NULL, ids[1]), 202);
    assert_int_equal(front_end_order(s->http_port, "u1", "scarce", NULL, ids[2]), 202);
    for (int i = 0; i < 3; i++) {
        front_end_assert_becomes(s->http_port, ids[i], "confirmed");
        assert_int_equal(packet_granted(s, ids[i]), i == 1);
        assert_shows(s->http_port, ids[i], i == 1);
    }
    /* The worker has decided on all of them, so the first answer that comes in time is the last. */
    int64_t known = -1, again = front_end_metric(s->http_port, QUESTIONS);
    for (int round = 0; round < 50 && again != known; round++) {
        known = again;
        for (int i = 0; i < 3; i++)
            assert_int_equal(packet_shown(s->http_port, ids[i], ""), i == 1);
        again = front_end_metric(s->http_port, QUESTIONS);
    }
    assert_int_equal(again, known);
    /* A campaign that comes later is not for the orders of before. */
    campaign_put(s, "plain", "100", "10", "1");
    assert_int_equal(packet_shown(s->http_port, ids[0], ""), 0);
}

static void test_rejected_and_undecided_orders_are_not_asked_about(void **state)
{
    struct stack *s = *state;
    char id[27], rejected[27], open[27];

    put(s, "limited", 10, 1);
    assert_int_equal(front_end_order(s->http_port, "u1", "limited", NULL, id), 202);
    assert_int_equal(front_end_order(s->http_port, "u1", "limited", NULL, rejected), 202);
    front_end_assert_becomes(s->http_port, rejected, "rejected");
    pid_t inventory = stack_pid(s, "seckill-inventory");
    int64_t asked = front_end_metric(s->http_port, IDS);
    front_end_assert_becomes(s->http_port, rejected, "rejected");
    assert_int_equal(process_freeze(inventory), 0);
    assert_int_equal(front_end_order(s->http_port, "u2", "limited", NULL, open), 202);
    int status = front_end_ask(s->http_port, open, "", NULL);
    int64_t asked_now = front_end_metric(s->http_port, IDS);
    assert_int_equal(kill(inventory, SIGCONT), 0);
    assert_int_equal(status, 200);
    assert_int_equal(asked_now, asked);
}

/* Orders go on, and each answer comes without the packet: one a second after 300 ms, the others at once. */
static void assert_nobody_is_kept(struct stack *s, const char *sku, char (*ids)[27], int count)
{
    int64_t begin = clock_ms(), questions = front_end_metric(s->http_port, QUESTIONS);
    int kept = 0;
    int64_t again;

    for (int i = 0; i < count; i++) {
        char user[16];

        snprintf(user, sizeof user, "u%d", i);
        assert_int_equal(front_end_order(s->http_port, user, sku, NULL, ids[i]), 202);
    }
    for (int i = 0; i < count; i++)
        assert_int_equal(packet_shown(s->http_port, ids[i], "?wait=20"), 0);
    again = clock_ms();
    for (int i = 0; i < count; i++) {
        int64_t asked_ms = clock_ms();

        assert_int_equal(packet_shown(s->http_port, ids[i], ""), 0);
        kept += clock_ms() - asked_ms >= 300;
    }
    int64_t seconds = (clock_ms() - begin) / 1000;
    /* The one that had no answer, and one a second. */
    assert_in_range(front_end_metric(s->http_port, QUESTIONS) - questions, 1, seconds + 2);
    /* Those that tried, and a third for a busy machine. */
    assert_in_range(kept, 0, (clock_ms() - again) / 1000 + 2 + count / 3);
    assert_int_equal(front_end_metric(s->http_port, HELD), 0);
}

static void test_killed_worker_keeps_nobody_and_its_packets_show_later(void **state)
{
    enum { COUNT = 50 };
    static char ids[COUNT][27];
    struct stack *s = *state;

    put(s, "later", 1000, 0);
    campaign_put(s, "later", "5000", "50", "1");
    assert_int_equal(stack_do(s, "kill", "redpacket", NULL), 0);
    assert_nobody_is_kept(s, "later", ids, COUNT);
    assert_int_equal(stack_do(s, "start", "redpacket", NULL), 0);
    for (int i = 0; i < COUNT; i += 10)
        assert_shows(i % 20 ? second : s->http_port, ids[i], packet_granted(s, ids[i]));
}

static void test_frozen_worker_keeps_nobody_and_its_packets_show_later(void **state)
{
    enum { COUNT = 50 };
    static char ids[COUNT][27];
    struct stack *s = *state;
    pid_t worker = stack_pid(s, "seckill-redpacket");

    put(s, "icy", 1000, 0);
    campaign_put(s, "icy", "5000", "50", "1");
    assert_int_equal(process_freeze(worker), 0);
    assert_nobody_is_kept(s, "icy", ids, COUNT);
    assert_int_equal(kill(worker, SIGCONT), 0);
    for (int i = 0; i < COUNT; i += 10)
        assert_shows(i % 20 ? second : s->http_port, ids[i], packet_granted(s, ids[i]));
}

/* Those who wait for a decision wait for the packet afterwards: their questions are shared. */
static void test_thousands_who_wait_are_answered_and_their_questions_are_shared(void **state)
{
    enum { ORDERS = 200, CLIENTS = 1500 };
    static char ids[ORDERS][27];
    struct stack *s = *state;
    struct waiters_tally tally;

    put(s, "crowd", 1000, 0);
    campaign_put(s, "crowd", "20000", "200", "1");
    pid_t inventory = stack_pid(s, "seckill-inventory");
    assert_int_equal(process_freeze(inventory), 0);
    struct load *l = load_run(&(struct load_spec){.port = s->http_port,
                                                  .connections = 32,
                                                  .max_orders = ORDERS,
                                                  .seconds = WAIT_SECONDS,
                                                  .sku = "crowd"});
    int accepted = load_count_status(l, 202);
    for (int i = 0; i < ORDERS && accepted == ORDERS; i++)
        snprintf(ids[i], 27, "%s", load_answer(l, i)->order_id);
    load_free(l);
    int64_t asked = front_end_metric(s->http_port, IDS),
            questions = front_end_metric(s->http_port, QUESTIONS);
    struct waiters *w = waiters_start(s->http_port, CLIENTS, 30, ids, ORDERS);
    bool all_wait = front_end_wait_metric(s->http_port, WAITING, CLIENTS, WAIT_SECONDS);
    assert_int_equal(kill(inventory, SIGCONT), 0);
    waiters_join(w, &tally);
    assert_int_equal(accepted, ORDERS);
    assert_true(all_wait);
    assert_int_equal(tally.confirmed, CLIENTS);
    asked = front_end_metric(s->http_port, IDS) - asked;
    questions = front_end_metric(s->http_port, QUESTIONS) - questions;
    assert_true(questions > 0);
    assert_true(asked >= 5 * questions);
    assert_true(front_end_wait_metric(s->http_port, HELD, 0, WAIT_SECONDS));
    for (int i = 0; i < ORDERS; i += 50)
        assert_shows(s->http_port, ids[i], packet_granted(s, ids[i]));
}

static void test_front_end_ends_on_sigterm_while_the_worker_hangs(void **state)
{
    struct stack *s = *state;
    char id[27];

    put(s, "ending", 10, 0);
    pid_t worker = stack_pid(s, "seckill-redpacket");
    assert_int_equal(process_freeze(worker), 0);
    assert_int_equal(front_end_order(second, "u1", "ending", NULL, id), 202);
    int status = front_end_ask(second, id, "?wait=20", NULL);
    int stopped = stack_do(s, "stop", "order@2", NULL);
    assert_int_equal(kill(worker, SIGCONT), 0);
    assert_int_equal(status, 200);
    assert_int_equal(stopped, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_two_front_ends),
    cmocka_unit_test_setup(test_granted_packet_shows_and_is_asked_for_once, everything_runs),
    cmocka_unit_test_setup(test_order_without_packet_is_asked_about_once, everything_runs),
    cmocka_unit_test_setup(test_rejected_and_undecided_orders_are_not_asked_about, everything_runs),
    cmocka_unit_test_setup(test_killed_worker_keeps_nobody_and_its_packets_show_later, everything_runs),
    cmocka_unit_test_setup(test_frozen_worker_keeps_nobody_and_its_packets_show_later, everything_runs),
    cmocka_unit_test_setup(test_thousands_who_wait_are_answered_and_their_questions_are_shared,
                           everything_runs),
    cmocka_unit_test_setup(test_front_end_ends_on_sigterm_while_the_worker_hangs, everything_runs),
};

const struct test_group packet_status_tests = {"packet_status", tests, sizeof tests / sizeof *tests};
