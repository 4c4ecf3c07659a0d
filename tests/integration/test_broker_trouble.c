/* A broker that is gone, or there and frozen: 503 only for what is not queued, 504 for what may be, and back
 * by itself. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/amqp.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/http_client.h"
#include "tests/support/orders.h"
#include "tests/support/process.h"

enum { WAIT_SECONDS = 60, STOCK = 1000, CONFIRM_TIMEOUT_MS = 1500 /* as in the settings below */ };
/* Asked for one question a second, so many would take 40 seconds. */
enum { LOST = 20000, FOUND_SECONDS = 35 };

static const char order_body[] = "{\"user_id\":\"u1\",\"sku\":\"phone\"}";

static pid_t frozen; /* the broker, while it is */

static void freeze_broker(struct stack *s)
{
    frozen = process_listening_on(s->mark, s->amqp_port);
    assert_true(frozen > 0);
    assert_int_equal(process_freeze(frozen), 0);
}

static int thaw_broker(void **state)
{
    (void)state;
    if (frozen > 0)
        kill(frozen, SIGCONT);
    frozen = 0;
    return 0;
}

static int with_an_item(void **state)
{
    return everything_runs(state) == 0
               ? item_put(*state, &(struct item_terms){.sku = "phone", .stock = STOCK})
               : -1;
}

static void test_orders_are_refused_without_a_broker_and_taken_again(void **state)
{
    struct stack *s = *state;
    pid_t order = stack_pid(s, "seckill-order"), inventory = stack_pid(s, "seckill-inventory");
    struct http_response response;
    char before[27], after[27];

    post_order(s, NULL, order_body, &response);
    assert_accepted(&response, before);
    http_response_free(&response);
    json_decref(assert_becomes(s, before, "confirmed"));
    assert_int_equal(stack_do(s, "stop", "broker", NULL), 0);
    for (int i = 0; i < 3; i++) {
        post_order(s, NULL, order_body, &response);
        json_decref(assert_problem(&response, 503, "unavailable"));
        assert_retry_after(&response);
        http_response_free(&response);
    }
    assert_false(stack_is_ready(s));
    /* What it knows, it still tells. */
    json_decref(assert_becomes(s, before, "confirmed"));
    assert_int_equal(http_request(s->http_port, "GET", "/healthz", NULL, NULL, &response), 0);
    assert_int_equal(response.status, 200);
    http_response_free(&response);

    assert_int_equal(stack_do(s, "start", "broker", NULL), 0);
    assert_true(stack_wait_ready(s, WAIT_SECONDS));
    post_order(s, NULL, order_body, &response);
    assert_accepted(&response, after);
    http_response_free(&response);
    json_decref(assert_becomes(s, after, "confirmed"));
    assert_int_equal(stack_pid(s, "seckill-order"), order);
    assert_int_equal(stack_pid(s, "seckill-inventory"), inventory);
    assert_true(audit_passes(s));
}

static bool audit_holds(void *context)
{
    struct ctl_answer answer;
    bool holds;

    ctl(context, &answer, (const char *[]){"audit", NULL});
    holds = answer.output.status == 0;
    ctl_free(&answer);
    return holds;
}

static void test_unconfirmed_order_is_outcome_unknown_and_its_key_settles_it(void **state)
{
    static const char key[] = "Idempotency-Key: in-doubt\r\n";
    struct stack *s = *state;
    struct http_response response;
    char location[HTTP_VALUE_SIZE] = "", order_id[27];
    int64_t left = item_left(s, "phone");

    freeze_broker(s);
    post_order(s, key, order_body, &response);
    json_decref(assert_problem(&response, 504, "outcome_unknown"));
    assert_true(http_header(&response, "Location", location));
    assert_int_equal(strlen(location), strlen("/v1/orders/") + 26);
    http_response_free(&response);
    /* Now the broker counts as gone: not a byte leaves for those who come after. */
    post_order(s, NULL, order_body, &response);
    json_decref(assert_problem(&response, 503, "unavailable"));
    assert_retry_after(&response);
    http_response_free(&response);
    thaw_broker(state);
    assert_true(stack_wait_ready(s, WAIT_SECONDS));
    post_order(s, key, order_body, &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    assert_string_equal(location + strlen("/v1/orders/"), order_id);
    json_decref(assert_becomes(s, order_id, "confirmed"));
    assert_int_equal(item_left(s, "phone"), left - 1);
    assert_true(wait_until(audit_holds, s, WAIT_SECONDS));
}

static int set_memory_watermark(struct stack *s, const char *share)
{
    char program[STACK_PATH];
    struct process_output output;
    int status;

    snprintf(program, sizeof program, "%s/rabbitmqctl", s->dir);
    process_run((const char *[]){program, "set_vm_memory_high_watermark", share, NULL}, NULL, NULL,
                WAIT_SECONDS, &output);
    status = output.status;
    process_output_free(&output);
    return status;
}

static int end_alarm(void **state)
{
    return set_memory_watermark(*state, "0.4");
}

static bool order_gets(struct stack *s, int status)
{
    struct http_response response;
    bool does;

    post_order(s, NULL, order_body, &response);
    does = response.status == status;
    http_response_free(&response);
    return does;
}

static bool order_is_refused(void *context)
{
    return order_gets(context, 503);
}

static bool order_is_taken(void *context)
{
    return order_gets(context, 202);
}

/* A broker without memory blocks who publishes, and says so. The order that made it say so may be 504; who
 * comes after is not kept waiting for a confirm. On the same connection it goes on when the alarm is over. */
static void test_orders_are_refused_at_once_under_an_alarm(void **state)
{
    enum { ASKED = 20 };
    struct stack *s = *state;
    pid_t order = stack_pid(s, "seckill-order");
    int64_t began_ms;

    assert_int_equal(set_memory_watermark(s, "0.000001"), 0);
    assert_true(wait_until(order_is_refused, s, WAIT_SECONDS));
    began_ms = clock_ms();
    for (int i = 0; i < ASKED; i++) {
        struct http_response response;

        post_order(s, NULL, order_body, &response);
        json_decref(assert_problem(&response, 503, "unavailable"));
        assert_retry_after(&response);
        http_response_free(&response);
    }
    /* One wait for a confirm would be more than this for each alone. */
    assert_true(clock_ms() - began_ms < ASKED * CONFIRM_TIMEOUT_MS / 2);
    assert_int_equal(end_alarm(state), 0);
    assert_true(wait_until(order_is_taken, s, WAIT_SECONDS));
    assert_int_equal(stack_pid(s, "seckill-order"), order);
    assert_true(wait_until(audit_holds, s, WAIT_SECONDS));
}

static void test_load_on_a_frozen_broker_is_accounted_for(void **state)
{
    struct stack *s = *state;
    struct orders_tally tally;
    struct load *l;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "frosty", .stock = 100000}), 0);
    l = load_start(&(struct load_spec){.port = s->http_port,
                                       .connections = 32,
                                       .max_orders = 50000,
                                       .seconds = 150,
                                       .sku = "frosty",
                                       .pace_ms = 20});
    assert_true(load_wait_accepted(l, 200, WAIT_SECONDS));
    freeze_broker(s);
    assert_true(load_wait_refused(l, 50, WAIT_SECONDS));
    thaw_broker(state);
    assert_true(load_wait_accepted(l, load_accepted(l) + 200, WAIT_SECONDS));
    load_stop(l);
    load_join(l);
    load_print(l);
    assert_int_equal(load_count_status(l, 202) + load_count_code(l, "unavailable") +
                         load_count_code(l, "outcome_unknown"),
                     load_count(l));
    assert_true(wait_until(audit_holds, s, WAIT_SECONDS));
    assert_load_is_accounted_for(s, l, "frosty", 100000, &tally);
    load_free(l);
}

static bool nothing_is_undecided(void *context)
{
    const struct stack *s = context;
    struct http_response response;
    bool is_so;

    if (http_request(s->http_port, "GET", "/metrics", NULL, NULL, &response) != 0)
        return false;
    is_so = strstr(response.body, "\nseckill_order_undecided 0\n") != NULL;
    http_response_free(&response);
    return is_so;
}

/* All that was queued when the connection broke names a reply queue that is gone. */
static void test_decisions_lost_with_a_connection_are_soon_found(void **state)
{
    struct stack *s = *state;
    struct load *l;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "lost", .stock = 2 * LOST}), 0);
    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    l = load_run(&(struct load_spec){
        .port = s->http_port, .connections = 32, .max_orders = LOST, .seconds = WAIT_SECONDS, .sku = "lost"});
    assert_int_equal(load_count_status(l, 202), LOST);
    assert_int_equal(stack_do(s, "stop", "broker", NULL), 0);
    assert_int_equal(stack_do(s, "start", "broker", NULL), 0);
    assert_true(stack_wait_ready(s, WAIT_SECONDS));
    assert_false(nothing_is_undecided(s));
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    assert_true(wait_until(nothing_is_undecided, s, FOUND_SECONDS));
    load_free(l);
}

static pid_t holder; /* the client that holds the orders, while it does */

static int end_holder(void **state)
{
    int status;

    (void)state;
    if (holder > 0) {
        kill(holder, SIGTERM);
        assert_true(process_wait(holder, WAIT_SECONDS, &status));
    }
    holder = 0;
    return 0;
}

static bool is_suspicious(void *context)
{
    const struct stack *s = context;
    struct text log = {0};
    char path[STACK_PATH];
    bool is_so;

    snprintf(path, sizeof path, "%.400s/log/inventory.log", s->dir);
    is_so = text_add_file(&log, path) == 0 &&
            strstr(text_c(&log), "seckill.orders.0 delivers nothing; messages that wait: 1") != NULL &&
            strstr(strstr(text_c(&log), "delivers nothing"), " broker_connected ") != NULL;
    text_free(&log);
    return is_so;
}

/* To inventory it is as if the queue had forgotten it: another consumer is the active one, takes one message
 * and is never done with it. */
static void test_a_queue_that_delivers_nothing_is_asked_anew(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char order_ids[2][27];

    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    holder = amqp_hold(s, "seckill.orders.0");
    assert_true(holder > 0);
    for (int i = 0; i < 2; i++) { /* each is a message: the first is accepted before the second comes */
        post_order(s, NULL, order_body, &response);
        assert_accepted(&response, order_ids[i]);
        http_response_free(&response);
    }
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    assert_true(wait_until(is_suspicious, s, WAIT_SECONDS));
    end_holder(state);
    for (int i = 0; i < 2; i++)
        json_decref(assert_becomes(s, order_ids[i], "confirmed"));
    assert_true(wait_until(audit_holds, s, WAIT_SECONDS));
}

int main(void)
{
    static const char *const sets[] = {"publisher.confirm_timeout_ms=1500", "admission.user_rate=0",
                                       "admission.max_rate=0", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_decisions_lost_with_a_connection_are_soon_found, with_an_item,
                                        NULL),
        cmocka_unit_test_setup_teardown(test_orders_are_refused_without_a_broker_and_taken_again,
                                        with_an_item, NULL),
        cmocka_unit_test_setup_teardown(test_unconfirmed_order_is_outcome_unknown_and_its_key_settles_it,
                                        with_an_item, thaw_broker),
        cmocka_unit_test_setup_teardown(test_a_queue_that_delivers_nothing_is_asked_anew, with_an_item,
                                        end_holder),
        cmocka_unit_test_setup_teardown(test_orders_are_refused_at_once_under_an_alarm, with_an_item,
                                        end_alarm),
        cmocka_unit_test_setup_teardown(test_load_on_a_frozen_broker_is_accounted_for, with_an_item,
                                        thaw_broker),
        STACK_END,
    };

    return run_with_stack("broker_trouble", tests, sizeof tests / sizeof *tests, sets);
}
