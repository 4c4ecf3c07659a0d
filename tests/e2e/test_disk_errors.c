/*
 * Disks that fail at the n-th call: fdatasync, pwrite64 and others of inventory, at work and at its start,
 * and the front end's writes to its ledger. After an fsync that failed nobody knows what is on the disk, so
 * inventory does nothing more with the open database: it exits 74, and the next process reads everything
 * again.
 *
 * The short form sweeps a few calls; with SECKILL_TRIALS_WHOLE many of them.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/log_line.h"
#include "tests/support/process.h"
#include "tests/support/text.h"
#include "tests/support/tracer.h"
#include "tests/support/trial.h"

enum { WAIT_SECONDS = 60, EXIT_DISK_FAILED = 74 };

struct failing {
    const char *call, *how; /* how: strace's, "error=EIO" */
    int first, last, step;  /* sweeps over the n-th call */
    int in_short_form;      /* so many of them */
};

static bool can_trace, whole;

static const struct load_spec steady = {
    .connections = 16, .max_orders = 60000, .seconds = 100, .pace_ms = 25};

static void inventory_path(struct stack *s, const char *ending, char path[STACK_PATH])
{
    if (snprintf(path, STACK_PATH, "%s/store/inventory.0.db%s", s->dir, ending) >= STACK_PATH)
        abort();
}

static void assert_integrity(struct stack *s)
{
    char path[STACK_PATH];
    struct process_output o;

    inventory_path(s, "", path);
    process_run((const char *[]){"sqlite3", "-readonly", path, "PRAGMA integrity_check", NULL}, NULL, NULL,
                60, &o);
    assert_string_equal(text_c(&o.out), "ok\n");
    process_output_free(&o);
}

/* ---- inventory at work ---- */

static void fail_at_work(struct stack *s, const struct failing *f, int number)
{
    static const char *const writing[] = {"pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", NULL};
    char trace[100], inject[120], how[40];
    pid_t pid = stack_pid(s, "seckill-inventory");
    struct log_line log = log_line_next(s, "inventory", "");
    struct tracer *tracer;
    struct trial *t;
    struct load *l;
    int status = -1;

    snprintf(how, sizeof how, "%s at %d", f->how, number);
    snprintf(trace, sizeof trace, "trace=pwrite64,fdatasync,fsync,ftruncate,unlink");
    snprintf(inject, sizeof inject, "inject=%s:%s:when=%d", f->call, f->how, number);
    t = trial_begin(
        s,
        &(struct trial_spec){
            .area = "disk", .process = "inventory", .fault = f->call, .how = how, .seed = (uint64_t)number});
    tracer = tracer_attach(s, pid, (const char *[]){"-e", trace, "-e", inject, NULL});
    assert_non_null(tracer);
    l = trial_load(t, &steady);
    if (strcmp(f->call, "ftruncate") == 0) { /* the WAL is emptied when there is nothing else to do */
        assert_true(load_wait_accepted(l, 50, WAIT_SECONDS));
        load_stop(l);
    }
    assert_true(tracer_wait_injected(tracer, 1, WAIT_SECONDS));
    trial_fault(t);
    assert_true(process_wait(pid, WAIT_SECONDS, &status));
    assert_int_equal(status, EXIT_DISK_FAILED);
    assert_true(log_line_has(&log, " error seckill-inventory store_fault "));
    assert_false(tracer_went_on(tracer, writing));
    tracer_detach(tracer);
    assert_integrity(s);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    trial_heal(t, WAIT_SECONDS);
    assert_int_equal(trial_end(t, NULL), 0);
}

static void test_inventory_gives_up_after_a_failed_call(void **state)
{
    static const struct failing calls[] = {
        {"fdatasync", "error=EIO", 1, 19, 6, 1},   {"fdatasync", "error=ENOSPC", 2, 14, 6, 2},
        {"pwrite64", "error=ENOSPC", 1, 41, 8, 1}, {"pwrite64", "error=EIO", 2, 42, 8, 2},
        {"ftruncate", "error=EIO", 1, 1, 1, 1},
    };

    if (!can_trace)
        skip();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const struct failing *f = &calls[i];
        int done = 0;

        for (int n = f->first; n <= f->last && (whole || done < f->in_short_form); n += f->step, done++)
            fail_at_work(*state, f, n);
    }
}

/* ---- inventory's start ---- */

/* The n-th call of this kind on the database's own files, from the very beginning. true: there was one. */
static bool fail_at_start(struct stack *s, const struct failing *f, int number)
{
    char db[STACK_PATH], wal[STACK_PATH], shm[STACK_PATH], lock[STACK_PATH], program[STACK_PATH];
    char trace[100], inject[120];
    const char *const options[] = {"-e", trace, "-e", inject, "-P", db,  "-P",
                                   wal,  "-P",  shm,  "-P",   lock, NULL};
    struct log_line log = log_line_next(s, "traced", "");
    struct tracer *t;
    bool injected, ended;
    int status = -1;

    inventory_path(s, "", db);
    inventory_path(s, "-wal", wal);
    inventory_path(s, "-shm", shm);
    inventory_path(s, ".lock", lock);
    snprintf(trace, sizeof trace, "trace=%s", f->call);
    snprintf(inject, sizeof inject, "inject=%s:%s:when=%d", f->call, f->how, number);
    t = tracer_start(
        s, (const char *[]){stack_program(s, "seckill-inventory", program), "--config", s->config, NULL},
        options);
    assert_non_null(t);
    /* It either ends over the error, or has come to its broker without having met one. */
    do
        ended = process_wait(tracer_pid(t), 1, &status);
    while (!ended && !log_line_has(&log, "broker_connected"));
    injected = tracer_injected(t) > 0;
    if (!ended) {
        pid_t pid = stack_pid(s, "seckill-inventory");

        assert_true(pid > 0 && kill(pid, SIGTERM) == 0);
        assert_true(process_wait(tracer_pid(t), WAIT_SECONDS, &status));
        assert_true(status == 0 || status == EXIT_DISK_FAILED);
    } else {
        assert_true(injected);
        assert_int_equal(status, EXIT_DISK_FAILED);
        assert_true(log_line_has(&log, " error seckill-inventory "));
    }
    tracer_detach(t);
    assert_integrity(s);
    return injected && ended;
}

static void test_inventory_gives_up_over_a_failed_call_at_its_start(void **state)
{
    static const struct failing calls[] = {
        {"openat", "error=EIO", 1, 8, 1, 2},         {"openat", "error=EMFILE", 2, 4, 2, 0},
        {"pwrite64", "error=ENOSPC", 1, 301, 60, 2}, {"fdatasync", "error=EIO", 1, 6, 1, 2},
        {"fallocate", "error=ENOSPC", 1, 1, 1, 0},
    };
    struct stack *s = *state;
    struct trial *t;
    int failed = 0;

    if (!can_trace)
        skip();
    t = trial_begin(
        s, &(struct trial_spec){
               .area = "disk", .process = "inventory", .fault = "calls at the start", .how = "", .seed = 1});
    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    trial_load(t, &(struct load_spec){.connections = 4, .max_orders = 200, .seconds = 30});
    trial_fault(t);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const struct failing *f = &calls[i];
        int step = whole ? f->step : 2 * f->step, done = 0;

        for (int n = f->first; n <= f->last && (whole || done < f->in_short_form); n += step, done++)
            failed += fail_at_start(s, f, n);
    }
    assert_true(failed >= 3);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    trial_heal(t, WAIT_SECONDS);
    assert_int_equal(trial_end(t, NULL), 0);
}

/* ---- the front end's ledger ---- */

/* The newest ledger: that of the front end that runs. */
static void ledger_path(struct stack *s, char path[STACK_PATH])
{
    char command[STACK_PATH + 64];
    struct process_output o;

    snprintf(command, sizeof command, "ls -t '%s'/store/ledger/*.ledger | head -n 1 | tr -d '\\n'", s->dir);
    process_run((const char *[]){"sh", "-c", command, NULL}, NULL, NULL, 10, &o);
    assert_int_equal(o.status, 0);
    snprintf(path, STACK_PATH, "%s", text_c(&o.out));
    process_output_free(&o);
}

/* more: another injection, or NULL. */
static void fail_at_ledger(struct stack *s, const char *how, const char *inject, const char *more,
                           bool killed)
{
    char ledger[STACK_PATH];
    const char *options[] = {"-P", ledger, "-e", "trace=write,ftruncate", "-e", inject, more ? "-e" : NULL,
                             more, NULL};
    pid_t pid = stack_pid(s, "seckill-order");
    struct tracer *tracer;
    struct trial *t;
    struct load *l;

    ledger_path(s, ledger);
    t = trial_begin(s, &(struct trial_spec){
                           .area = "disk", .process = "order", .fault = "ledger", .how = how, .seed = 1});
    tracer = tracer_attach(s, pid, options);
    assert_non_null(tracer);
    l = trial_load(
        t, &(struct load_spec){
               .connections = 16, .max_orders = 60000, .seconds = 100, .pace_ms = 25, .backoff_ms = 50});
    assert_true(tracer_wait_injected(tracer, more ? 2 : 1, WAIT_SECONDS));
    trial_fault(t);
    if (killed) { /* with half a line at the end of its ledger, for all it knows */
        assert_int_equal(stack_do(s, "kill", "order", NULL), 0);
        tracer_detach(tracer);
        assert_int_equal(stack_do(s, "start", "order", NULL), 0);
        assert_true(stack_wait_ready(s, WAIT_SECONDS));
    } else {
        assert_true(
            load_wait_accepted(l, load_accepted(l) + 50, WAIT_SECONDS)); /* it has found its way back */
        tracer_detach(tracer);
    }
    trial_heal(t, WAIT_SECONDS);
    assert_int_equal(trial_end(t, NULL), 0);
}

static void test_front_end_answers_no_202_that_it_could_not_note(void **state)
{
    if (!can_trace)
        skip();
    fail_at_ledger(*state, "no room", "inject=write:error=ENOSPC:when=5", NULL, false);
    fail_at_ledger(*state, "half a line that stays", "inject=write:retval=2:when=3",
                   "inject=ftruncate:error=EIO:when=1..2", false);
    if (!whole)
        return;
    for (int n = 1; n <= 13; n += 4) {
        char first[60], both[60];

        snprintf(first, sizeof first, "inject=write:error=EIO:when=%d..%d", n, n + 3);
        snprintf(both, sizeof both, "inject=write:retval=1:when=%d", n);
        fail_at_ledger(*state, "EIO", first, NULL, false);
        fail_at_ledger(*state, "half a line", both, NULL, false);
        fail_at_ledger(*state, "half a line, and killed", both, "inject=ftruncate:error=EIO:when=1", true);
    }
}

/* ---- */

static void test_processes_can_be_traced(void **state)
{
    can_trace = tracer_works(*state);
    if (!can_trace)
        skip();
}

int main(void)
{
    static const char *const sets[] = {"admission.user_rate=0", "admission.max_rate=0", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processes_can_be_traced),
        cmocka_unit_test_setup(test_inventory_gives_up_after_a_failed_call, everything_runs),
        cmocka_unit_test_setup(test_inventory_gives_up_over_a_failed_call_at_its_start, everything_runs),
        cmocka_unit_test_setup(test_front_end_answers_no_202_that_it_could_not_note, everything_runs),
        STACK_END,
    };

    whole = getenv("SECKILL_TRIALS_WHOLE") != NULL;
    tracer_prepare();
    return run_with_stack("disk_errors", tests, sizeof tests / sizeof *tests, sets);
}
