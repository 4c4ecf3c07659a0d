/*
 * What an operator does by mistake: a queue, a binding, an exchange deleted, the password changed. The
 * services say what is missing, tell nobody a lie meanwhile, and heal without being started again.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/amqp.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/faults.h"
#include "tests/support/front_ends.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/log_line.h"
#include "tests/support/process.h"
#include "tests/support/trial.h"

enum { WAIT_SECONDS = 60, FLOWING = 60, REFUSALS = 40, ORPHANS = 50 };

static const struct load_spec steady = {
    .connections = 16, .max_orders = 50000, .seconds = 150, .pace_ms = 25, .backoff_ms = 50};

/* ---- what is said ---- */

struct said {
    int port;
    const char *words;
};

/* GET /readyz is 503, and its reason has these words. */
static bool is_unready_because(void *context)
{
    const struct said *w = context;
    struct http_response response;
    bool says;

    if (http_request(w->port, "GET", "/readyz", NULL, NULL, &response) < 0)
        return false;
    says = response.status == 503 && strstr(response.body, w->words) != NULL;
    http_response_free(&response);
    return says;
}

static void assert_unready_because(int port, const char *words)
{
    struct http_response response;

    if (wait_until(is_unready_because, &(struct said){port, words}, WAIT_SECONDS))
        return;
    http_request(port, "GET", "/readyz", NULL, NULL, &response);
    fail_msg("/readyz does not name \"%s\": %d %s", words, response.status, response.body);
}

/* ---- trials ---- */

static struct trial *begin(struct stack *s, const char *process, const char *fault, const char *how,
                           struct load **l)
{
    struct trial *t = trial_begin(
        s, &(struct trial_spec){.area = "connection", .process = process, .fault = fault, .how = how});

    *l = trial_load(t, &steady);
    assert_true(load_wait_accepted(*l, FLOWING, WAIT_SECONDS));
    return t;
}

static bool nothing_is_undecided(void *context)
{
    const struct stack *s = context;

    return front_end_metric(s->http_port, "seckill_order_undecided") == 0;
}

/* Refused under load, ready again after the import, and judged. */
static void heal_by_import(struct stack *s, struct trial *t)
{
    pid_t order = stack_pid(s, "seckill-order"), inventory = stack_pid(s, "seckill-inventory");

    assert_int_equal(amqp_import_definitions(s), 0);
    trial_heal(t, WAIT_SECONDS);
    assert_true(stack_wait_ready(s, WAIT_SECONDS));
    assert_int_equal(trial_end(t, NULL), 0);
    assert_int_equal(stack_pid(s, "seckill-order"), order);
    assert_int_equal(stack_pid(s, "seckill-inventory"), inventory);
}

/* An empty one: what is in a queue goes with it, see the last test. */
static void test_deleted_order_queue_is_named_and_heals(void **state)
{
    struct stack *s = *state;
    struct log_line line = log_line_next(s, "inventory", "queue seckill.orders.0 is missing");
    struct load *l, *unlucky;
    struct trial *t = begin(s, "broker", "order queue deleted", "empty", &l);

    load_stop(l);
    load_join(l);
    assert_true(wait_until(nothing_is_undecided, s, WAIT_SECONDS));
    trial_fault(t);
    assert_int_equal(amqp_delete_queue(s, "seckill.orders.0"), 0);
    unlucky = trial_load(t, &steady);
    assert_true(load_wait_refused(unlucky, REFUSALS, WAIT_SECONDS));
    assert_int_equal(load_accepted(unlucky), 0);
    assert_unready_because(s->http_port, "seckill.orders.0");
    assert_true(wait_until(log_line_is_there, &line, WAIT_SECONDS));
    heal_by_import(s, t);
}

static void test_deleted_binding_is_named_and_heals(void **state)
{
    struct stack *s = *state;
    struct load *l;
    struct trial *t = begin(s, "broker", "binding of the order queue deleted", "", &l);

    trial_fault(t);
    assert_int_equal(amqp_unbind(s, "seckill.orders.0", "seckill.orders", "0"), 0);
    assert_true(load_wait_refused(l, REFUSALS, WAIT_SECONDS));
    assert_unready_because(s->http_port, "seckill.orders.0");
    heal_by_import(s, t);
}

static void test_deleted_order_exchange_is_named_and_heals(void **state)
{
    struct stack *s = *state;
    struct load *l;
    struct trial *t = begin(s, "broker", "order exchange deleted", "", &l);

    trial_fault(t);
    assert_int_equal(amqp_delete_exchange(s, "seckill.orders"), 0);
    assert_true(load_wait_refused(l, REFUSALS, WAIT_SECONDS));
    assert_unready_because(s->http_port, "exchange seckill.orders is missing");
    heal_by_import(s, t);
}

/* Orders go on being taken; they wait, since what happens to them could not be told on. */
static void test_deleted_event_exchange_is_named_and_heals(void **state)
{
    struct stack *s = *state;
    struct log_line line = log_line_next(s, "inventory", "exchange seckill.events is missing");
    struct load *l;
    struct trial *t = begin(s, "broker", "event exchange deleted", "", &l);

    trial_fault(t);
    assert_int_equal(amqp_delete_exchange(s, "seckill.events"), 0);
    assert_true(wait_until(log_line_is_there, &line, WAIT_SECONDS));
    assert_true(load_wait_accepted(l, load_accepted(l) + FLOWING, WAIT_SECONDS));
    heal_by_import(s, t);
}

/* ---- the password ---- */

static void secret_of(struct stack *s, char secret[128])
{
    char user[64];

    assert_int_equal(sscanf(s->amqp_url, "amqp://%63[^:]:%127[^@]@", user, secret), 2);
}

static bool is_changed;

static int change_password(struct stack *s, const char *to)
{
    is_changed = strcmp(to, "another") == 0;
    return amqp_ctl(s, (const char *[]){"change_password", "seckill", to, NULL}, NULL);
}

static void test_changed_password_is_named_and_heals(void **state)
{
    struct stack *s = *state;
    struct log_line line = log_line_next(s, "inventory", "ACCESS_REFUSED");
    char secret[128];
    struct load *l;
    struct trial *t = begin(s, "broker", "password changed", "connections closed", &l);

    secret_of(s, secret);
    trial_fault(t);
    assert_int_equal(change_password(s, "another"), 0);
    assert_int_equal(
        amqp_ctl(s, (const char *[]){"close_all_connections", "-p", "seckill", "changed", NULL}, NULL), 0);
    assert_true(load_wait_refused(l, REFUSALS, WAIT_SECONDS));
    assert_unready_because(s->http_port, "ACCESS_REFUSED");
    assert_true(wait_until(log_line_is_there, &line, WAIT_SECONDS));
    assert_int_equal(ctl_status(s, 69, (const char *[]){"item", "list", NULL}), 69);
    assert_int_equal(change_password(s, secret), 0);
    trial_heal(t, WAIT_SECONDS);
    assert_int_equal(trial_end(t, NULL), 0);
}

/* It does not end: the password may be put right at the broker. */
static void test_wrong_password_at_the_start_is_named(void **state)
{
    struct stack *s = *state;
    char url[64], port[16];
    int number = stack_free_port(), status;
    pid_t pid;

    snprintf(url, sizeof url, "broker.url=amqp://seckill:wrong@127.0.0.1:%d/seckill", s->amqp_port);
    snprintf(port, sizeof port, "%d", number);
    assert_int_equal(stack_do(s, "start", "order@2",
                              (const char *[]){"--http-port", port, "--set", url, "--no-wait", NULL}),
                     0);
    assert_unready_because(number, "ACCESS_REFUSED");
    pid = front_end_pid(s, number);
    assert_int_equal(stack_do(s, "stop", "order@2", NULL), 0);
    assert_true(process_wait(pid, WAIT_SECONDS, &status));
    assert_int_equal(status, 0);
}

/* ---- heartbeats ---- */

static int64_t duplicates_logged(struct stack *s)
{
    struct log_line line = log_line_next(s, "inventory", "");
    struct text log = {0};
    const char *last = NULL, *at;
    long long duplicates = -1;

    assert_int_equal(text_add_file(&log, line.path), 0);
    for (at = log.data; (at = strstr(at, "worker_stopped ")); at++)
        last = at;
    if (last && (at = strstr(last, "duplicates=")))
        sscanf(at, "duplicates=%lld", &duplicates);
    text_free(&log);
    return duplicates;
}

/* The broker gives a consumer up that is silent for two heartbeats, and delivers again what it was just
 * committing. */
static void test_heartbeats_missed_in_a_long_commit_decide_once(void **state)
{
    struct stack *s = *state;
    struct armed armed;
    struct load *l;
    struct trial *t;

#ifndef SECKILL_FAULTS
    print_message("skipped: this build has no fault points (SECKILL_FAULTS)\n");
    skip();
#endif
    t = begin(s, "inventory", "transaction.before_commit", "delay=4000", &l);
    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    trial_fault(t);
    assert_int_equal(faults_start(&armed, s, "inventory", "transaction.before_commit:delay=4000@2", NULL), 0);
    assert_true(faults_wait(&armed, "transaction.before_commit", 1, WAIT_SECONDS));
    trial_heal(t, WAIT_SECONDS);
    assert_int_equal(trial_end(t, NULL), 0);
    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    assert_true(duplicates_logged(s) > 0);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
}

/* ---- what is lost with a queue ---- */

/* Nothing can bring these orders back; so the least is that the audit says which they were. */
static void test_deleted_queue_with_orders_in_it_fails_the_audit_by_name(void **state)
{
    struct stack *s = *state;
    struct ctl_answer answer;
    struct load *l;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "orphans", .stock = 1000}), 0);
    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    l = load_run(&(struct load_spec){.port = s->http_port,
                                     .connections = 4,
                                     .max_orders = ORPHANS,
                                     .seconds = WAIT_SECONDS,
                                     .sku = "orphans"});
    assert_int_equal(load_count_status(l, 202), ORPHANS);
    assert_int_equal(amqp_delete_queue(s, "seckill.orders.0"), 0);
    assert_int_equal(amqp_import_definitions(s), 0);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    assert_true(stack_wait_ready(s, WAIT_SECONDS));
    ctl(s, &answer, (const char *[]){"audit", "--wait", "20", NULL});
    assert_int_equal(answer.output.status, 1);
    assert_int_equal(json_number(json_object_get(answer.json, "queued"), "unseen_orders"), ORPHANS);
    assert_non_null(strstr(text_c(&answer.output.out), "was never seen by inventory"));
    ctl_free(&answer);
    assert_int_equal(item_left(s, "orphans"), 1000);
    load_free(l);
}

/* What a test that failed left undone. */
static int undo(void **state)
{
    struct stack *s = *state;
    char secret[128];

    if (stack_is_ready(s) && !is_changed)
        return 0;
    secret_of(s, secret);
    stack_do(s, "stop", "order@2", NULL);
    return change_password(s, secret) == 0 && amqp_import_definitions(s) == 0 ? everything_runs(state) : -1;
}

#define ONE(test) cmocka_unit_test_teardown(test, undo)

int main(void)
{
    static const char *const sets[] = {"publisher.confirm_timeout_ms=1500", "broker.heartbeat_s=1",
                                       "admission.user_rate=0", "admission.max_rate=0", NULL};
    const struct CMUnitTest tests[] = {
        ONE(test_deleted_order_queue_is_named_and_heals),
        ONE(test_deleted_binding_is_named_and_heals),
        ONE(test_deleted_order_exchange_is_named_and_heals),
        ONE(test_deleted_event_exchange_is_named_and_heals),
        ONE(test_wrong_password_at_the_start_is_named),
        ONE(test_changed_password_is_named_and_heals),
        ONE(test_heartbeats_missed_in_a_long_commit_decide_once),
        cmocka_unit_test(test_audit_passes),
        ONE(test_deleted_queue_with_orders_in_it_fails_the_audit_by_name),
        cmocka_unit_test(test_stack_ends_cleanly),
    };

    return run_with_stack("broker_mistakes", tests, sizeof tests / sizeof *tests, sets);
}
