/* The fault points themselves on a real stack: who is armed and who is not, that there is one for each crash
 * that the design speaks of; and two defects that needed them to be met on purpose. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/amqp.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/faults.h"
#include "tests/support/http_client.h"
#include "tests/support/load.h"
#include "tests/support/orders.h"
#include "tests/support/process.h"

enum { WAIT_SECONDS = 60, STOCK = 1000, USAGE = 64 };

static const char order_body[] = "{\"user_id\":\"u1\",\"sku\":\"phone\"}";

static int with_an_item(void **state)
{
    return everything_runs(state) == 0
               ? item_put(*state, &(struct item_terms){.sku = "phone", .stock = STOCK})
               : -1;
}

static void order_one(struct stack *s, char order_id[27])
{
    struct http_response response;

    post_order(s, NULL, order_body, &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
}

static pid_t stopped; /* what a test told to stand still, so that it does not stay so after a failure */

static int go_on(void **state)
{
    (void)state;
    if (stopped > 0)
        kill(stopped, SIGCONT);
    stopped = 0;
    return 0;
}

static void wait_stopped(const struct armed *a)
{
    stopped = a->pid;
    assert_true(faults_wait_stopped(a, WAIT_SECONDS));
}

static void start_with_fault(struct stack *s, struct armed *a, const char *service, const char *faults)
{
    assert_int_equal(stack_do(s, "stop", service, NULL), 0);
    assert_int_equal(faults_start(a, s, service, faults, NULL), 0);
    assert_true(a->pid > 0);
}

/* ---- who is armed ---- */

static bool is_armed(pid_t pid)
{
    struct text environment = {0};
    char path[64];
    bool found = false;

    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    assert_int_equal(text_add_file(&environment, path), 0);
    for (size_t at = 0; at < environment.len; at += strlen(environment.data + at) + 1)
        found |= strncmp(environment.data + at, "SECKILL_FAULT=", strlen("SECKILL_FAULT=")) == 0;
    text_free(&environment);
    return found;
}

/* What seckillctl, which shares libraries with it, would end at with 64 does not reach it. */
static void test_a_fault_is_for_the_started_service_alone(void **state)
{
    struct stack *s = *state;
    struct armed a;
    pid_t pids[64];
    int count, armed = 0;

    start_with_fault(s, &a, "inventory", "worker.gathered:kill@1000000");
    assert_true(is_armed(a.pid));
    count = process_find(s->mark, NULL, pids, 64);
    assert_in_range(count, 3, 64);
    for (int i = 0; i < count; i++)
        armed += is_armed(pids[i]);
    assert_int_equal(armed, 1);
    /* It is not remembered either. */
    assert_int_equal(stack_do(s, "stop", "inventory", NULL), 0);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    assert_false(is_armed(stack_pid(s, "seckill-inventory")));
}

static void test_a_fault_that_could_not_fire_is_refused(void **state)
{
    struct stack *s = *state;
    struct armed a;

    assert_int_equal(stack_do(s, "stop", "order", NULL), 0);
    assert_int_equal(faults_start(&a, s, "order", "worker.gathered:kill", NULL), USAGE);
    assert_true(faults_logged(&a, "this program has no such point"));
    assert_int_equal(faults_start(&a, s, "broker", "worker.gathered:kill", NULL), USAGE);
    setenv("SECKILL_FAULT", "worker.gathered:kill", 1);
    int up = stack_do(s, "up", "--no-wait", NULL), start;
    unsetenv("SECKILL_FAULT");
    assert_int_equal(up, USAGE);
    start = stack_do(s, "start", "order", NULL);
    assert_int_equal(start, 0);
}

static void test_a_fault_fires_and_the_service_comes_back(void **state)
{
    struct stack *s = *state;
    struct armed a;
    char order_id[27];
    int64_t left = item_left(s, "phone");

    start_with_fault(s, &a, "inventory", "transaction.committed:kill");
    order_one(s, order_id);
    assert_true(faults_wait(&a, "transaction.committed", 1, WAIT_SECONDS));
    assert_true(faults_wait_killed(&a, WAIT_SECONDS));
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    json_decref(assert_becomes(s, order_id, "confirmed"));
    assert_int_equal(item_left(s, "phone"), left - 1);
    assert_true(audit_passes(s));
}

/* ---- which there are ---- */

struct names {
    struct text text; /* "\nname\nname\n" */
    int count;
};

static void add_name(void *context, const char *point)
{
    struct names *n = context;

    text_format(&n->text, "%s%s\n", n->count == 0 ? "\n" : "", point);
    n->count++;
}

static void assert_has_points(struct stack *s, const char *program, const char *const points[])
{
    struct names names = {0};

    assert_int_equal(faults_list(s, program, add_name, &names), 0);
    for (; *points; points++) {
        char line[128];

        snprintf(line, sizeof line, "\n%s\n", *points);
        if (!strstr(text_c(&names.text), line))
            fail_msg("%s has no point %s", program, *points);
    }
    text_free(&names.text);
}

/* The table of crashes on the design's page, row by row, and what this project tries beyond it. */
static void test_each_crash_of_the_design_has_its_point(void **state)
{
    /* "publish, before confirm or answer" */
    static const char *const order[] = {
        "publisher.before_publish", "publisher.published", "publisher.confirmed",
        "publisher.noted",          "publisher.settled",   "http.answering",
        "publisher.reconnected",    "arrivals.decided",    NULL};
    static const char *const inventory[] = {
        /* "delivery, before COMMIT" */
        "worker.gathered", "transaction.begun", "transaction.line", "transaction.before_commit",
        /* "COMMIT, before ack" */
        "transaction.committed", "worker.replied", "worker.before_ack", "worker.acknowledged",
        /* "outbox publish, before its confirm or its deletion" */
        "relay.before_publish", "relay.published", "relay.confirmed", "relay.tidied",
        /* poison, dead letters, questions, the way in and out */
        "inbox.attempt_counted", "inbox.buried", "rpc.before_handling", "item.committed", "rpc.handled",
        "worker.locked", "worker.opened", "migrate.before_commit", "migrate.committed", "worker.consuming",
        "worker.draining", "worker.cancelled", "worker.drained", "store.before_checkpoint", NULL};

    assert_has_points(*state, "seckill-order", order);
    assert_has_points(*state, "seckill-inventory", inventory);
}

/* ---- the drain ---- */

static bool all_are_delivered(void *context)
{
    static const char *const words[] = {
        "-q", "list_queues", "-p", "seckill", "name", "messages_ready", "messages_unacknowledged", NULL};
    struct text printed = {0};
    bool all;

    assert_int_equal(amqp_ctl(context, words, &printed), 0);
    all = strstr(text_c(&printed), "seckill.orders.0\t0\t5\n") != NULL;
    text_free(&printed);
    return all;
}

/* What the broker delivered before it heard of the end is decided and acknowledged before the process goes:
 * else it would come again, one transaction for each message, and tell of a crash that was none. */
static void test_what_was_delivered_before_the_cancel_is_decided_in_the_drain(void **state)
{
    enum { ORDERS = 5 };
    struct stack *s = *state;
    struct armed a;
    char ids[ORDERS][27];
    int64_t left = item_left(s, "phone");
    int status = -1;

    start_with_fault(s, &a, "inventory", "worker.draining:stop");
    assert_int_equal(kill(a.pid, SIGTERM), 0);
    wait_stopped(&a);
    for (int i = 0; i < ORDERS; i++)
        order_one(s, ids[i]);
    assert_true(wait_until(all_are_delivered, s, WAIT_SECONDS));
    go_on(state);
    assert_true(process_wait(a.pid, WAIT_SECONDS, &status));
    assert_int_equal(status, 0);
    assert_true(faults_logged(&a, " worker_stopped decided=5 duplicates=0 "));

    assert_int_equal(faults_start(&a, s, "inventory", "inbox.attempt_counted:delay=0", NULL), 0);
    for (int i = 0; i < ORDERS; i++)
        json_decref(assert_becomes(s, ids[i], "confirmed"));
    assert_false(faults_logged(&a, "fault_point")); /* nothing came a second time */
    assert_int_equal(item_left(s, "phone"), left - ORDERS);
    assert_true(audit_passes(s));
}

/* ---- an alarm ---- */

static int end_alarm(void **state)
{
    go_on(state);
    return amqp_ctl(*state, (const char *[]){"set_vm_memory_high_watermark", "0.4", NULL}, NULL);
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

static bool has_heard_of_the_alarm(void *context)
{
    return faults_logged(context, " broker_blocked ");
}

/* Of a process, all threads, in milliseconds. */
static int64_t processor_ms(pid_t pid)
{
    struct text stat = {0};
    char path[64];
    unsigned long user = 0, system = 0;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    assert_int_equal(text_add_file(&stat, path), 0);
    assert_int_equal(sscanf(strrchr(text_c(&stat), ')'),
                            ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system),
                     2);
    text_free(&stat);
    return (int64_t)(user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

/* Fails if the process uses more than a small share of a processor while nothing can be done: a loop that
 * spins gets all of one that is idle, and a fair part of one that is not. */
static void assert_rests(pid_t pid)
{
    enum { WATCH_S = 2, PERCENT = 10 };
    const struct timespec watch = {.tv_sec = WATCH_S};
    int64_t before_ms = processor_ms(pid), began_ms = clock_ms(), took_ms, used_ms;

    nanosleep(&watch, NULL);
    took_ms = clock_ms() - began_ms;
    used_ms = processor_ms(pid) - before_ms;
    if (used_ms * 100 > took_ms * PERCENT)
        fail_msg("it used %lld ms of processor in %lld ms", (long long)used_ms, (long long)took_ms);
}

static void begin_alarm(struct stack *s)
{
    static const char *const words[] = {"set_vm_memory_high_watermark", "0.000001", NULL};

    assert_int_equal(amqp_ctl(s, words, NULL), 0);
}

static void end_alarm_and_go_on(struct stack *s, const struct armed *a)
{
    void *state = s;

    assert_int_equal(end_alarm(&state), 0);
    assert_true(wait_until(order_is_taken, s, WAIT_SECONDS));
    assert_false(faults_wait_killed(a, 0));
}

static bool has_published_or_heard(void *context)
{
    return faults_wait(context, "publisher.published", 1, 0) || has_heard_of_the_alarm(context);
}

/* While one order is on its way, and the broker thread dawdles behind it, others gather, and then nothing
 * ever takes them: what told of them is not to wake it for ever. (Where the machine is so slow that they come
 * later, or a sign of life goes out before the order and brings word of the alarm, this shows less; it does
 * not fail.) */
static void test_the_front_end_rests_under_a_memory_alarm(void **state)
{
    struct stack *s = *state;
    struct armed order;
    struct load_spec spec = {
        .port = s->http_port, .connections = 1, .max_orders = 1, .seconds = 30, .sku = "phone"};
    struct load *first, *others;

    start_with_fault(s, &order, "order", "publisher.published:delay=1000");
    begin_alarm(s);
    first = load_start(&spec);
    bool acted = wait_until(has_published_or_heard, &order, WAIT_SECONDS);
    spec.connections = spec.max_orders = 8;
    others = load_run(&spec);
    load_join(first);
    load_free(first);
    load_free(others);
    assert_true(acted);
    assert_true(wait_until(order_is_refused, s, WAIT_SECONDS));
    assert_true(wait_until(has_heard_of_the_alarm, &order, WAIT_SECONDS));
    assert_rests(order.pid);
    end_alarm_and_go_on(s, &order);
}

/* It meets the alarm with an order in hand, so that it has a decision and an event that cannot go out. */
static void test_inventory_rests_under_a_memory_alarm(void **state)
{
    struct stack *s = *state;
    struct armed inventory;
    char order_id[27];

    start_with_fault(s, &inventory, "inventory", "worker.gathered:stop");
    order_one(s, order_id);
    wait_stopped(&inventory);
    begin_alarm(s);
    go_on(state);
    assert_true(wait_until(has_heard_of_the_alarm, &inventory, WAIT_SECONDS));
    assert_rests(inventory.pid);
    end_alarm_and_go_on(s, &inventory);
    json_decref(assert_becomes(s, order_id, "confirmed"));
}

/* ---- what comes inside of a transaction ---- */

struct question {
    struct stack *stack;
    json_t *answers;
};

static void *ask(void *argument)
{
    struct question *q = argument;
    json_t *questions = json_pack("[{s:i, s:s}]", "v", 1, "sku", "phone");

    q->answers = amqp_ask(q->stack, "inventory.0", "item.show", questions);
    json_decref(questions);
    return NULL;
}

/* Inventory stands still in the middle of a long transaction. Meanwhile a question and more orders come to
 * it. */
static void test_what_comes_inside_of_a_transaction_is_dealt_with_after_it(void **state)
{
    enum { MANY = 3000, MORE = 500 };
    struct stack *s = *state;
    const struct load_spec spec = {.port = s->http_port,
                                   .connections = 64,
                                   .max_orders = MANY,
                                   .seconds = WAIT_SECONDS,
                                   .sku = "plenty"};
    struct load_spec more = spec;
    struct question question = {.stack = s};
    struct orders_tally tally;
    struct armed a;
    pthread_t asker;

    more.max_orders = MORE;
    more.prefix = "more";
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "plenty", .stock = 2 * MANY}), 0);
    assert_int_equal(stack_do(s, "stop", "inventory", NULL), 0);
    struct load *first = load_run(&spec);
    load_join(first);
    assert_int_equal(load_accepted(first), MANY);
    assert_int_equal(faults_start(&a, s, "inventory",
                                  "transaction.line:stop@1500,transaction.line:delay=1000@1501,"
                                  "worker.taken_meanwhile:delay=1@*",
                                  NULL),
                     0);
    wait_stopped(&a);
    assert_int_equal(pthread_create(&asker, NULL, ask, &question), 0);
    struct load *second = load_run(&more);
    load_join(second);
    go_on(state);
    pthread_join(asker, NULL);
    assert_int_equal(json_array_size(question.answers), 1);
    assert_true(json_is_true(json_object_get(json_array_get(question.answers, 0), "ok")));
    assert_true(faults_wait(&a, "worker.taken_meanwhile", 2, WAIT_SECONDS));
    json_decref(question.answers);
    assert_load_is_accounted_for(s, second, "plenty", 2 * MANY - MANY, &tally);
    load_free(first);
    load_free(second);
}

int main(void)
{
    static const char *const sets[] = {"admission.user_rate=0", "publisher.confirm_timeout_ms=1500", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_fault_is_for_the_started_service_alone, with_an_item),
        cmocka_unit_test_setup(test_a_fault_that_could_not_fire_is_refused, with_an_item),
        cmocka_unit_test_setup(test_a_fault_fires_and_the_service_comes_back, with_an_item),
        cmocka_unit_test_setup(test_each_crash_of_the_design_has_its_point, with_an_item),
        cmocka_unit_test_setup_teardown(test_what_was_delivered_before_the_cancel_is_decided_in_the_drain,
                                        with_an_item, go_on),
        cmocka_unit_test_setup_teardown(test_what_comes_inside_of_a_transaction_is_dealt_with_after_it,
                                        with_an_item, go_on),
        cmocka_unit_test_setup_teardown(test_the_front_end_rests_under_a_memory_alarm, with_an_item,
                                        end_alarm),
        cmocka_unit_test_setup_teardown(test_inventory_rests_under_a_memory_alarm, with_an_item, end_alarm),
        STACK_END,
    };

    return run_with_stack("fault_points", tests, sizeof tests / sizeof *tests, sets);
}
