/*
 * Disks that are full. Inventory gives up with 74 and leaves everything with the broker, which goes on taking
 * orders; a front end that cannot note what it was told takes no more. With room again both go on, and
 * nothing was lost or told wrongly meanwhile.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/amqp.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/dead_letters.h"
#include "tests/support/json.h"
#include "tests/support/log_line.h"
#include "tests/support/process.h"
#include "tests/support/small_disk.h"
#include "tests/support/text.h"
#include "tests/support/trial.h"

enum {
    WAIT_SECONDS = 60,
    STORE_KIB = 64 * 1024,
    LEDGER_KIB = 256,
    EXIT_DISK_FAILED = 74,
    EXIT_NO_SERVICE = 69
};

static bool have_small_disks;
static char store_dir[STACK_PATH], ledger_dir[STACK_PATH];

/* ---- what is common ---- */

static const struct load_spec steady = {
    .connections = 16, .max_orders = 60000, .seconds = 100, .pace_ms = 25};

static struct trial *begin(struct stack *s, const char *process, const char *fault, const char *how)
{
    return trial_begin(
        s, &(struct trial_spec){.area = "disk", .process = process, .fault = fault, .how = how, .seed = 1});
}

static pid_t inventory_pid(struct stack *s)
{
    pid_t pid = stack_pid(s, "seckill-inventory");

    assert_true(pid > 0);
    return pid;
}

static void assert_ends_with(pid_t pid, int expected)
{
    int status = -1;

    assert_true(process_wait(pid, WAIT_SECONDS, &status));
    assert_int_equal(status, expected);
}

static bool is_gone(void *context)
{
    return kill(*(const pid_t *)context, 0) != 0;
}

/* What a supervisor does, in vain: inventory meets the fault before it is ready, or a moment after. */
static void starts_in_vain(struct stack *s)
{
    int status = stack_do(s, "start", "inventory", NULL);
    pid_t pid;

    if (status == 0) {
        pid = stack_unit_pid(s, "inventory");
        assert_true(pid > 0);
        assert_true(wait_until(is_gone, &pid, WAIT_SECONDS));
        if (!process_wait(pid, 0, &status))
            return; /* it was stack.sh's child still, which did not ask any more */
    }
    assert_int_equal(status, EXIT_DISK_FAILED);
}

static bool wal_is_empty(void *context)
{
    char path[STACK_PATH + 32];
    struct text wal = {0};
    bool empty;

    (void)context;
    snprintf(path, sizeof path, "%s/inventory.0.db-wal", store_dir);
    empty = text_add_file(&wal, path) == 0 && wal.len == 0;
    text_free(&wal);
    return empty;
}

/* An idle inventory has emptied its WAL: the next byte needs room. */
static void fill_behind_idle_inventory(void)
{
    assert_true(wait_until(wal_is_empty, NULL, WAIT_SECONDS));
    assert_int_equal(small_disk_fill(store_dir), 0);
}

static void integrity_is_fine(void)
{
    char path[STACK_PATH + 32];
    struct process_output o;

    snprintf(path, sizeof path, "%s/inventory.0.db", store_dir);
    process_run((const char *[]){"sqlite3", "-readonly", path, "PRAGMA integrity_check", NULL}, NULL, NULL,
                30, &o);
    assert_string_equal(text_c(&o.out), "ok\n");
    process_output_free(&o);
}

/* ---- set-up ---- */

static void test_store_and_ledger_get_small_disks(void **state)
{
    struct stack *s = *state;

    if (!have_small_disks)
        skip();
    snprintf(store_dir, sizeof store_dir, "%s/store", s->dir);
    snprintf(ledger_dir, sizeof ledger_dir, "%s/store/ledger", s->dir);
    assert_int_equal(stack_stop_gracefully(s, "order", "seckill-order"), 0);
    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    assert_int_equal(small_disk_mount(store_dir, STORE_KIB), 0);
    assert_int_equal(small_disk_mount(ledger_dir, LEDGER_KIB), 0);
    assert_int_equal(everything_runs(state), 0);
}

/* For each test: needs the small disks, and everything running. */
static int ready(void **state)
{
    return have_small_disks ? everything_runs(state) : 0;
}

/* ---- inventory ---- */

static void test_inventory_on_a_full_disk_leaves_all_with_the_broker(void **state)
{
    struct stack *s = *state;
    struct trial *t;
    struct load *l;
    pid_t pid;
    struct log_line log;

    if (!have_small_disks)
        skip();
    t = begin(s, "inventory", "disk full", "");
    l = trial_load(t, &steady);
    assert_true(load_wait_accepted(l, 100, WAIT_SECONDS));
    pid = inventory_pid(s);
    log = log_line_next(s, "inventory", "");
    assert_int_equal(small_disk_fill(store_dir), 0);
    trial_fault(t);
    assert_ends_with(pid, EXIT_DISK_FAILED);
    assert_true(log_line_has(&log, " error seckill-inventory store_fault "));
    assert_true(load_wait_accepted(l, load_accepted(l) + 100, WAIT_SECONDS));
    starts_in_vain(s);
    starts_in_vain(s);
    assert_true(log_line_has(&log, "database or disk is full"));
    integrity_is_fine();
    assert_int_equal(small_disk_empty(store_dir), 0);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    trial_heal(t, WAIT_SECONDS);
    assert_int_equal(trial_end(t, NULL), 0);
}

/* The asker is told at once; and the item is there whole or not at all. */
static void test_item_put_on_a_full_disk_is_answered_with_an_error(void **state)
{
    struct stack *s = *state;
    const char *const put[] = {"item", "put", "half", "--unit-price", "7", "--stock", "9", NULL};
    struct ctl_answer answer;
    struct trial *t;
    int64_t began;
    struct log_line log;
    pid_t pid;

    if (!have_small_disks)
        skip();
    t = begin(s, "inventory", "disk full", "item put");
    pid = inventory_pid(s);
    log = log_line_next(s, "inventory", "");
    fill_behind_idle_inventory();
    trial_fault(t);
    began = clock_ms();
    ctl(s, &answer, put);
    assert_int_equal(answer.output.status, EXIT_NO_SERVICE);
    assert_non_null(strstr(text_c(&answer.output.err), "disk"));
    assert_true(clock_ms() - began < 4000); /* no time-out, which would be 5 s */
    ctl_free(&answer);
    assert_ends_with(pid, EXIT_DISK_FAILED);
    assert_true(log_line_has(&log, "sqlite=\"database or disk is full\""));
    assert_int_equal(small_disk_empty(store_dir), 0);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    ctl(s, &answer, (const char *[]){"item", "show", "half", NULL});
    if (answer.output.status == 0)
        assert_int_equal(json_number(answer.json, "stock_left"), 9);
    ctl_free(&answer);
    assert_int_equal(ctl_status(s, 0, put), 0);
    trial_heal(t, WAIT_SECONDS);
    assert_int_equal(trial_end(t, NULL), 0);
}

/* A line that cannot be read goes to the dead letters once, however often the disk was full over it. */
static void test_dead_letter_on_a_full_disk_is_made_once(void **state)
{
    struct stack *s = *state;
    struct trial *t;
    json_t *letters;
    char *body;
    pid_t pid;

    if (!have_small_disks)
        skip();
    t = begin(s, "inventory", "disk full", "dead letter");
    pid = inventory_pid(s);
    fill_behind_idle_inventory();
    trial_fault(t);
    assert_int_equal(amqp_publish(s, "seckill.orders", "0", "no order\n"), 0);
    assert_ends_with(pid, EXIT_DISK_FAILED);
    starts_in_vain(s);
    assert_int_equal(small_disk_empty(store_dir), 0);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    letters = dead_wait(s, 1);
    assert_int_equal(json_array_size(letters), 1);
    body = dead_body(s, json_text(json_array_get(letters, 0), "id"));
    assert_string_equal(body, "no order");
    free(body);
    json_decref(letters);
    dead_drop(s, 1);
    trial_heal(t, WAIT_SECONDS);
    assert_int_equal(trial_end(t, NULL), 0); /* its audit fails over any letter that is left */
}

/* ---- a disk that gives back something else ---- */

/* Zeros in the place of each page that holds orders. */
static void damage_orders(const char *path)
{
    static const char pages[] = "SELECT pageno FROM dbstat WHERE name = 'orders' AND pagetype = 'leaf'";
    static const char zeros[4096];
    struct process_output o;
    FILE *file = fopen(path, "r+e");

    assert_non_null(file);
    process_run((const char *[]){"sqlite3", "-readonly", path, pages, NULL}, NULL, NULL, 30, &o);
    assert_int_equal(o.status, 0);
    for (const char *p = text_c(&o.out); *p; p = strchr(p, '\n') + 1) {
        assert_int_equal(fseek(file, (strtol(p, NULL, 10) - 1) * (long)sizeof zeros, SEEK_SET), 0);
        assert_int_equal(fwrite(zeros, sizeof zeros, 1, file), 1);
    }
    assert_int_equal(fclose(file), 0);
    process_output_free(&o);
}

/* Without the orders that it has decided it cannot tell a new one from an old one: so it decides none. */
static void test_damaged_database_decides_nothing(void **state)
{
    char path[STACK_PATH], kept[STACK_PATH];
    struct stack *s = *state;
    struct process_output o;
    struct trial *t = begin(s, "inventory", "database damaged", "");
    struct load *l = trial_load(t, &steady);

    snprintf(path, sizeof path, "%s/store/inventory.0.db", s->dir);
    snprintf(kept, sizeof kept, "%s/kept.db", s->dir);
    assert_true(load_wait_accepted(l, 300, WAIT_SECONDS));
    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    process_run((const char *[]){"cp", path, kept, NULL}, NULL, NULL, 30, &o);
    process_output_free(&o);
    damage_orders(path);
    trial_fault(t);
    for (int i = 0; i < 2; i++) { /* the second time the same: what it had in hand has come back */
        struct log_line log = log_line_next(s, "inventory", "");

        starts_in_vain(s);
        assert_true(log_line_has(&log, "malformed"));
        assert_true(log_line_has(&log, "decided=0 "));
    }
    process_run((const char *[]){"cp", kept, path, NULL}, NULL, NULL, 30, &o);
    process_output_free(&o);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    trial_heal(t, WAIT_SECONDS);
    assert_int_equal(trial_end(t, NULL), 0);
}

/* ---- another process in the database ---- */

static void test_database_locked_for_long_is_a_fault_of_the_environment(void **state)
{
    /* BEGIN IMMEDIATE, then nothing: as somebody who looks something up and goes for lunch. */
    static const char hold[] = "printf 'BEGIN IMMEDIATE; SELECT 1;\\n'; exec sleep 300";
    char pipeline[STACK_PATH + 200], path[STACK_PATH];
    struct stack *s = *state;
    struct trial *t = begin(s, "inventory", "database locked", "");
    struct load *l = trial_load(t, &steady);
    pid_t pid = inventory_pid(s), holder;
    struct log_line log = log_line_next(s, "inventory", "");

    snprintf(path, sizeof path, "%s/store/inventory.0.db", s->dir);
    snprintf(pipeline, sizeof pipeline, "(%s) | exec sqlite3 -cmd '.timeout 5000' '%s'", hold, path);
    assert_true(load_wait_accepted(l, 100, WAIT_SECONDS));
    holder =
        process_start((const char *[]){"setsid", "sh", "-c", pipeline, NULL}, stack_environment(s), NULL);
    assert_true(holder > 0);
    trial_fault(t);
    assert_ends_with(pid, EXIT_DISK_FAILED);
    assert_true(log_line_has(&log, "database is locked"));
    assert_true(load_wait_accepted(l, load_accepted(l) + 100, WAIT_SECONDS));
    assert_int_equal(kill(-holder, SIGKILL), 0);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    trial_heal(t, WAIT_SECONDS);
    assert_int_equal(trial_end(t, NULL), 0);
}

/* ---- front end ---- */

static void test_front_end_on_a_full_disk_takes_no_orders(void **state)
{
    struct stack *s = *state;
    struct trial *t;
    struct load *l;
    int noted;

    if (!have_small_disks)
        skip();
    t = begin(s, "order", "disk full", "");
    l = trial_load(
        t, &(struct load_spec){
               .connections = 16, .max_orders = 60000, .seconds = 100, .pace_ms = 1, .backoff_ms = 50});
    assert_true(load_wait_accepted(l, 50, WAIT_SECONDS));
    assert_int_equal(small_disk_fill(ledger_dir), 0);
    trial_fault(t);
    assert_true(load_wait_refused(l, 100, WAIT_SECONDS));
    noted = load_accepted(l);
    assert_true(load_wait_refused(l, 300, WAIT_SECONDS));
    assert_int_equal(load_accepted(l), noted);
    assert_int_equal(small_disk_empty(ledger_dir), 0);
    assert_true(load_wait_accepted(l, noted + 50, WAIT_SECONDS));
    trial_heal(t, WAIT_SECONDS);
    load_stop(l);
    load_join(l);
    assert_int_equal(load_count_status(l, 202) + load_count_code(l, "unavailable") +
                         load_count_code(l, "outcome_unknown"),
                     load_count(l));
    assert_int_equal(trial_end(t, NULL), 0);
}

static void test_front_end_does_not_start_on_a_full_disk(void **state)
{
    struct stack *s = *state;

    if (!have_small_disks)
        skip();
    assert_int_equal(stack_stop_gracefully(s, "order", "seckill-order"), 0);
    assert_int_equal(small_disk_fill(ledger_dir), 0);
    assert_int_equal(stack_do(s, "start", "order", NULL), EXIT_DISK_FAILED);
    assert_int_equal(small_disk_empty(ledger_dir), 0);
    assert_int_equal(stack_do(s, "start", "order", NULL), 0);
    assert_true(stack_wait_ready(s, WAIT_SECONDS));
    assert_true(audit_passes(s)); /* the ledger that could not be begun is none that is broken */
}

int main(void)
{
    static const char *const sets[] = {"admission.user_rate=0", "admission.max_rate=0", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_and_ledger_get_small_disks),
        cmocka_unit_test_setup(test_inventory_on_a_full_disk_leaves_all_with_the_broker, ready),
        cmocka_unit_test_setup(test_item_put_on_a_full_disk_is_answered_with_an_error, ready),
        cmocka_unit_test_setup(test_dead_letter_on_a_full_disk_is_made_once, ready),
        cmocka_unit_test_setup(test_damaged_database_decides_nothing, everything_runs),
        cmocka_unit_test_setup(test_database_locked_for_long_is_a_fault_of_the_environment, everything_runs),
        cmocka_unit_test_setup(test_front_end_on_a_full_disk_takes_no_orders, ready),
        cmocka_unit_test_setup(test_front_end_does_not_start_on_a_full_disk, ready),
        STACK_END,
    };

    have_small_disks = small_disks_prepare();
    return run_with_stack("disk", tests, sizeof tests / sizeof *tests, sets);
}
