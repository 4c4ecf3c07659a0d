/* The worst that a gateway can do, and what can happen meanwhile: it hangs for everybody, the broker is
 * restarted while messages wait to be tried again, the worker is killed again and again.
 *
 * With SECKILL_TRIALS_WHOLE in the environment it also hangs for a whole minute, which takes six: a message
 * that was tried four times meanwhile is tried again after five minutes. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/amqp.h"
#include "tests/support/buyers.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/json.h"
#include "tests/support/log_line.h"
#include "tests/support/orders.h"

static int64_t resident_kb(pid_t pid)
{
    char path[64];
    struct text status = {0};
    const char *line;
    int64_t kb = -1;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    assert_int_equal(text_add_file(&status, path), 0);
    line = strstr(text_c(&status), "\nVmRSS:");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "\nVmRSS: %ld", &kb), 1);
    text_free(&status);
    return kb;
}

/* The whole gateway hangs: orders are accepted and decided as ever, what is to be sent waits on disk. */
static void test_a_hanging_gateway_neither_holds_orders_nor_fills_memory(void **state)
{
    enum { ORDERS = 4000, MORE_KB_AT_MOST = 16 * 1024, SANITIZER_KB = 320 * 1024 };
    struct stack *s = *state;
    pid_t pid = stack_pid(s, "seckill-notification");
    int64_t recorded = records_ask(s, "SELECT count(*) FROM notification");
    int64_t before_kb, after_kb, most_kb = MORE_KB_AT_MOST;
    char select[64];
    struct load *l;

#ifdef __SANITIZE_ADDRESS__
    most_kb += SANITIZER_KB; /* it keeps what is freed for a while */
#endif
    gateway_set(buyers_gateway(), &(struct gateway_rule){.manner = GATEWAY_HANGS});
    load_free(buy_many(s, BUYERS_IN_FLIGHT)); /* so that all that is allocated once is there */
    before_kb = resident_kb(pid);
    l = buy_many(s, ORDERS);
    assert_int_equal(count_taken(l), 0);
    snprintf(select, sizeof select, "SELECT count(*) >= %ld FROM notification",
             (long)recorded + BUYERS_IN_FLIGHT + ORDERS);
    assert_records_come_to(s, select, 1);
    after_kb = resident_kb(pid);
    fprintf(stderr, "seckill-notification: %ld kB before, %ld kB after\n", (long)before_kb, (long)after_kb);
    assert_true(after_kb - before_kb < most_kb);
    assert_int_equal(count_taken(l), 0);
    assert_int_equal(stack_pid(s, "seckill-notification"), pid);
    gateway_set(buyers_gateway(), NULL);
    assert_all_are_taken(l);
    assert_records_and_gateway_agree(s);
    load_free(l);
}

/* Orders go on coming: all are taken and decided meanwhile, and told to their buyers in the end. */
static void test_a_gateway_that_hangs_for_a_minute(void **state)
{
    enum { CONNECTIONS = 4, PACE_MS = 100, MINUTE_MS = 60000, LONGEST_DELAY = 300, MORE_SECONDS = 120 };
    struct stack *s = *state;
    struct orders_tally tally;
    struct load *l;

    if (!getenv("SECKILL_TRIALS_WHOLE"))
        skip();
    gateway_set(buyers_gateway(), &(struct gateway_rule){.manner = GATEWAY_HANGS});
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "minute", .stock = BUYERS_STOCK}), 0);
    l = load_start(&(struct load_spec){.port = s->http_port,
                                       .connections = CONNECTIONS,
                                       .max_orders = CONNECTIONS * MINUTE_MS / PACE_MS, /* at this pace */
                                       .seconds = MORE_SECONDS,
                                       .sku = "minute",
                                       .pace_ms = PACE_MS});
    load_join(l);
    assert_int_equal(load_count_status(l, 202), load_count(l));
    assert_int_equal(count_taken(l), 0);
    assert_true(records_ask(s, "SELECT max(attempts) FROM notification") >= 3);
    gateway_set(buyers_gateway(), NULL);
    buyers_wait_for(LONGEST_DELAY + MORE_SECONDS);
    assert_all_are_taken(l);
    assert_records_and_gateway_agree(s);
    buyers_wait_for(BUYERS_SECONDS);
    assert_load_is_accounted_for(s, l, "minute", BUYERS_STOCK, &tally);
    fprintf(stderr, "%d orders while the gateway hung\n", load_count(l));
    load_free(l);
}

/* What was under way when it died is sent again, under the same key. */
static void test_killed_under_load_it_tells_everybody(void **state)
{
    enum { KILLS = 4 };
    struct stack *s = *state;
    struct orders_tally tally;
    struct gateway_tally before;
    struct load *l;
    bool moved = true;

    gateway_set(buyers_gateway(), &(struct gateway_rule){.delay_ms = 30});
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "killed", .stock = BUYERS_STOCK}), 0);
    l = load_start(&(struct load_spec){.port = s->http_port,
                                       .connections = 16,
                                       .max_orders = 100000,
                                       .seconds = 150,
                                       .sku = "killed",
                                       .pace_ms = 10});
    for (int i = 0; i < KILLS && moved; i++) {
        pid_t pid = stack_pid(s, "seckill-notification");

        gateway_tally(buyers_gateway(), &before);
        moved = gateway_wait_received(buyers_gateway(), before.received + 200, BUYERS_SECONDS) && pid > 0 &&
                kill(pid, SIGKILL) == 0 && stack_do(s, "kill", "notification", NULL) == 0 &&
                load_wait_accepted(l, load_accepted(l) + 200, BUYERS_SECONDS) &&
                stack_do(s, "start", "notification", NULL) == 0;
    }
    load_stop(l);
    load_join(l);
    assert_true(moved);
    assert_all_are_taken(l);
    assert_records_and_gateway_agree(s);
    assert_int_equal(load_count_status(l, 202), load_count(l));
    assert_load_is_accounted_for(s, l, "killed", BUYERS_STOCK, &tally);
    load_free(l);
}

/* The broker goes in the middle: what was on its way to a delay queue goes there later. */
static void test_a_broker_restarted_while_the_gateway_fails(void **state)
{
    enum { ORDERS = 300 };
    struct stack *s = *state;
    struct load *l;

    gateway_set(buyers_gateway(), &(struct gateway_rule){.status = 500});
    l = buy_many(s, ORDERS);
    assert_records_come_to(s, "SELECT count(*) >= 1 FROM notification WHERE state = 3", 1);
    assert_int_equal(stack_do(s, "stop", "broker", NULL), 0);
    gateway_set(buyers_gateway(), NULL);
    assert_int_equal(stack_do(s, "start", "broker", NULL), 0);
    assert_true(stack_wait_ready(s, BUYERS_SECONDS));
    assert_all_are_taken(l);
    assert_records_and_gateway_agree(s);
    load_free(l);
}

/*
 * A broker that starts again has its queues before its exchanges: a message at the end of its delay finds no
 * way out then. RabbitMQ looks again after a time that it is configured with: three minutes, if nobody says
 * another. It logs this once for each queue and start, so no test before this one may start the broker again.
 */
static void test_what_finds_no_way_out_of_a_delay_queue_finds_it_soon(void **state)
{
    enum { SOON_SECONDS = 60 }; /* the time-out of deploy/lib/broker.sh is 10 s */
    struct stack *s = *state;
    struct log_line stuck = log_line_next(s, "rabbitmq",
                                          "Cannot forward any dead-letter messages from source quorum queue "
                                          "'seckill.retry.1s.notification'");
    char order_id[27];
    const char *event;
    json_t *events;
    int published;
    bool is_stuck;

    assert_int_equal(stack_do(s, "stop", "notification", NULL), 0);
    buy(s, "delayed", order_id);
    events = amqp_take_lines(s, "seckill.notification", 1, BUYERS_SECONDS);
    assert_non_null(events);
    event = json_text(json_array_get(events, 0), "body");
    assert_non_null(strstr(event, order_id));
    assert_int_equal(amqp_delete_exchange(s, "seckill.retry"), 0);
    published = amqp_publish(s, "", "seckill.retry.1s.notification", event);
    is_stuck = wait_until(log_line_is_there, &stuck, BUYERS_SECONDS);
    assert_int_equal(amqp_import_definitions(s), 0); /* first, for the tests that follow */
    assert_int_equal(published, 0);
    assert_true(is_stuck);
    json_decref(events);
    assert_int_equal(stack_do(s, "start", "notification", NULL), 0);
    buyers_wait_for(SOON_SECONDS);
    assert_is_taken(order_id);
    buyers_wait_for(BUYERS_SECONDS);
    assert_records_and_gateway_agree(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_hanging_gateway_neither_holds_orders_nor_fills_memory, buyers_ready),
        cmocka_unit_test_setup(test_what_finds_no_way_out_of_a_delay_queue_finds_it_soon, buyers_ready),
        cmocka_unit_test_setup(test_a_broker_restarted_while_the_gateway_fails, buyers_ready),
        cmocka_unit_test_setup(test_killed_under_load_it_tells_everybody, buyers_ready),
        cmocka_unit_test_setup(test_a_gateway_that_hangs_for_a_minute, buyers_ready),
        cmocka_unit_test(test_audit_passes),
        cmocka_unit_test_teardown(test_stack_ends_cleanly, buyers_end),
    };

    if (getenv("SECKILL_TRIALS_WHOLE"))
        stack_bound(1500);
    return run_with_stack("gateway_outage", tests, sizeof tests / sizeof *tests, buyers_settings());
}
