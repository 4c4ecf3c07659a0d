/*
 * A broker that restarts, runs out of memory or disk, or whose queues are full, under load.
 *
 *   test_broker_faults [ROUNDS]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/amqp.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/json.h"
#include "tests/support/process.h"
#include "tests/support/trial.h"

enum { WAIT_SECONDS = 60, FLOWING = 60, REFUSALS = 40, IDLE_MS = 1000, ROUNDS_MAX = 1000 };

static int rounds = 1;

static const struct load_spec steady = {
    .connections = 16, .max_orders = 50000, .seconds = 150, .pace_ms = 25, .backoff_ms = 50};

static struct trial *begin(struct stack *s, const char *fault, const char *how, struct load **l)
{
    struct trial *t = trial_begin(
        s, &(struct trial_spec){.area = "connection", .process = "broker", .fault = fault, .how = how});

    *l = trial_load(t, &steady);
    assert_true(load_wait_accepted(*l, FLOWING, WAIT_SECONDS));
    return t;
}

/* 202, 503 with Retry-After, 504 with Location, and nothing else. */
static void assert_answers_are_in_order(struct load *l)
{
    load_stop(l);
    load_join(l);
    for (int i = 0; i < load_count(l); i++) {
        const struct load_answer *a = load_answer(l, i);

        if (a->status == 202 || (a->status == 503 && a->has_retry_after) ||
            (a->status == 504 && a->has_location))
            continue;
        load_print(l);
        fail_msg("order %d got %d %s", i, a->status, a->code);
    }
}

static void wait_refused(struct load *l)
{
    int taken = load_accepted(l);

    if (!load_wait_refused(l, REFUSALS, WAIT_SECONDS))
        fail_msg("no refusals; %d orders were accepted meanwhile", load_accepted(l) - taken);
}

/* ---- restart ---- */

static void restart(struct stack *s, const char *verb, const char *how)
{
    pid_t order = stack_pid(s, "seckill-order"), inventory = stack_pid(s, "seckill-inventory");
    struct load *l;
    struct trial *t = begin(s, "restart", how, &l);

    trial_fault(t);
    assert_int_equal(stack_do(s, verb, "broker", NULL), 0);
    wait_refused(l);
    assert_int_equal(stack_do(s, "start", "broker", NULL), 0);
    trial_heal(t, WAIT_SECONDS);
    assert_answers_are_in_order(l);
    assert_int_equal(trial_end(t, NULL), 0);
    /* Nobody had to be started again. */
    assert_int_equal(stack_pid(s, "seckill-order"), order);
    assert_int_equal(stack_pid(s, "seckill-inventory"), inventory);
}

static void test_broker_ends_in_order_and_comes_back(void **state)
{
    restart(*state, "stop", "term");
}

static void test_broker_is_killed_and_comes_back(void **state)
{
    restart(*state, "kill", "kill");
}

/* ---- alarms ---- */

/* Processor time so far, in ms. */
static int64_t cpu_ms(pid_t pid)
{
    char path[64];
    struct text stat = {0};
    unsigned long user = 0, system = 0;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    assert_int_equal(text_add_file(&stat, path), 0);
    assert_int_equal(sscanf(strrchr(text_c(&stat), ')') + 2,
                            "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system),
                     2);
    text_free(&stat);
    return (int64_t)(user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

/* Nothing comes, nothing goes: then nothing is to be done. */
static void assert_both_rest(struct stack *s)
{
    const pid_t pids[] = {stack_pid(s, "seckill-order"), stack_pid(s, "seckill-inventory")};
    int64_t began[2], began_ms = clock_ms(), took_ms;

    for (int i = 0; i < 2; i++)
        began[i] = cpu_ms(pids[i]);
    usleep(IDLE_MS * 1000); /* not a wait for something: it is what is measured */
    took_ms = clock_ms() - began_ms;
    for (int i = 0; i < 2; i++) {
        int64_t used = cpu_ms(pids[i]) - began[i];

        if (used > took_ms / 2)
            fail_msg("process %d used %" PRId64 " ms of %" PRId64 " with nothing to do", (int)pids[i], used,
                     took_ms);
    }
}

static void alarm_and_release(struct stack *s, const char *which, const char *const on[],
                              const char *const off[])
{
    pid_t order = stack_pid(s, "seckill-order");
    struct load *l;
    struct trial *t = begin(s, which, "and released", &l);

    trial_fault(t);
    assert_int_equal(amqp_ctl(s, on, NULL), 0);
    wait_refused(l);
    assert_false(stack_is_ready(s));
    assert_answers_are_in_order(l);
    assert_both_rest(s);
    assert_int_equal(amqp_ctl(s, off, NULL), 0);
    trial_heal(t, WAIT_SECONDS);
    assert_int_equal(trial_end(t, NULL), 0);
    assert_int_equal(stack_pid(s, "seckill-order"), order);
}

static const char *const memory_on[] = {"set_vm_memory_high_watermark", "0.000001", NULL};
static const char *const memory_off[] = {"set_vm_memory_high_watermark", "0.4", NULL};
static const char *const disk_on[] = {"set_disk_free_limit", "100000GB", NULL};
static const char *const disk_off[] = {"set_disk_free_limit", "50MB", NULL};

static void test_memory_alarm_refuses_and_rests(void **state)
{
    alarm_and_release(*state, "memory alarm", memory_on, memory_off);
}

static void test_disk_alarm_refuses_and_rests(void **state)
{
    alarm_and_release(*state, "disk alarm", disk_on, disk_off);
}

/* ---- full queues ---- */

static int set_bound(struct stack *s, const char *pattern, const char *bytes)
{
    char definition[128];

    snprintf(definition, sizeof definition, "{\"max-length-bytes\":%s,\"overflow\":\"reject-publish\"}",
             bytes);
    return amqp_ctl(s,
                    (const char *[]){"set_policy", "-p", "seckill", "--priority", "9", "--apply-to", "queues",
                                     "trial", pattern, definition, NULL},
                    NULL);
}

static int clear_bound(struct stack *s)
{
    return amqp_ctl(s, (const char *[]){"clear_policy", "-p", "seckill", "trial", NULL}, NULL);
}

static void test_full_order_queue_refuses_until_it_drains(void **state)
{
    struct stack *s = *state;
    struct load *l;
    struct trial *t = begin(s, "order queue full", "inventory stopped", &l);

    assert_int_equal(set_bound(s, "^seckill\\.orders\\.", "20000"), 0);
    trial_fault(t);
    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    wait_refused(l);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    /* The bound stays: that it drains is enough. */
    trial_heal(t, WAIT_SECONDS);
    assert_true(load_wait_accepted(l, load_accepted(l) + FLOWING, WAIT_SECONDS));
    assert_answers_are_in_order(l);
    assert_int_equal(clear_bound(s), 0);
    assert_int_equal(trial_end(t, NULL), 0);
}

static int64_t outbox_length(struct stack *s)
{
    struct ctl_answer answer;
    int64_t length;

    ctl(s, &answer, (const char *[]){"audit", NULL});
    length = json_number(answer.json, "outbox");
    ctl_free(&answer);
    return length;
}

static bool outbox_is_empty(void *context)
{
    return outbox_length(context) == 0;
}

static bool outbox_is_filled(void *context)
{
    return outbox_length(context) > 0;
}

/* Events wait where they were written; orders go on being decided. */
static void test_full_event_queue_holds_no_order_back(void **state)
{
    struct stack *s = *state;
    struct load *l;
    struct trial *t = begin(s, "event queue full", "and drained", &l);

    trial_fault(t);
    assert_int_equal(set_bound(s, "^seckill\\.notification$", "1"), 0);
    assert_true(load_wait_accepted(l, load_accepted(l) + FLOWING, WAIT_SECONDS));
    assert_true(wait_until(outbox_is_filled, s, WAIT_SECONDS));
    trial_heal(t, WAIT_SECONDS);
    load_stop(l);
    load_join(l);
    assert_int_equal(load_count_status(l, 202), load_count(l));
    assert_int_equal(clear_bound(s), 0);
    assert_true(wait_until(outbox_is_empty, s, WAIT_SECONDS));
    assert_int_equal(trial_end(t, NULL), 0);
}

static int release(void **state)
{
    int failed = 0;

    failed |= amqp_ctl(*state, memory_off, NULL);
    failed |= amqp_ctl(*state, disk_off, NULL);
    return failed;
}

/* The same, round after round, in one test: cmocka wants to know them all beforehand. */
static void test_more_rounds(void **state)
{
    for (int round = 1; round < rounds; round++) {
        test_broker_ends_in_order_and_comes_back(state);
        test_broker_is_killed_and_comes_back(state);
        test_memory_alarm_refuses_and_rests(state);
        test_disk_alarm_refuses_and_rests(state);
        test_full_order_queue_refuses_until_it_drains(state);
        test_full_event_queue_holds_no_order_back(state);
    }
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"publisher.confirm_timeout_ms=1500", "broker.heartbeat_s=1",
                                       "admission.user_rate=0", "admission.max_rate=0", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_alarm_refuses_and_rests),
        cmocka_unit_test_teardown(test_disk_alarm_refuses_and_rests, release),
        cmocka_unit_test_setup(test_full_order_queue_refuses_until_it_drains, everything_runs),
        cmocka_unit_test_setup(test_full_event_queue_holds_no_order_back, everything_runs),
        cmocka_unit_test_setup(test_broker_ends_in_order_and_comes_back, everything_runs),
        cmocka_unit_test_setup(test_broker_is_killed_and_comes_back, everything_runs),
        cmocka_unit_test_setup(test_more_rounds, everything_runs),
        STACK_END,
    };

    rounds = argc > 1 ? atoi(argv[1]) : 1;
    if (rounds < 1 || rounds > ROUNDS_MAX)
        return 64;
    return run_with_stack("broker_faults", tests, sizeof tests / sizeof *tests, sets);
}
