/* What it takes to reach the points that orders alone do not reach. */
#include <glob.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/crash.h"
#include "tests/support/amqp.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/process.h"

enum { OPERATOR_SECONDS = 60, DROP_SECONDS = 60 };

/* What each process works on, and where what it puts out goes. */
static const struct {
    const char *service;
    const char *exchange, *key; /* to its queue alone */
    const char *file;           /* under D/store */
    struct {
        const char *queue, *exchange, *key;
    } out[2];
} ways[] = {
    {"inventory",
     "seckill.orders",
     "0",
     "inventory.0.db",
     {{"seckill.notification", "seckill.events", "order.*"},
      {"seckill.redpacket", "seckill.events", "order.confirmed"}}},
    {"redpacket",
     "seckill.retry",
     "redpacket",
     "redpacket.db",
     {{"seckill.notification", "seckill.events", "redpacket.*"}}},
    {"notification",
     "seckill.retry",
     "notification",
     "notification.db",
     {{"seckill.retry.1s.notification", "seckill.retry", "1s.notification"}}},
};
enum { WAYS = sizeof ways / sizeof *ways, OUT_WAYS = 2 };

static void rest(int ms)
{
    usleep((useconds_t)ms * 1000);
}

/* Nothing is under way but one order, of a user whom no message reaches at once: each worker has something to
 * put out, and then nothing. */
static void idle_with_one_order(struct crash_scene *scene)
{
    char user[40];

    for (int i = 0; i < scene->load_count; i++)
        load_stop(scene->loads[i]);
    snprintf(user, sizeof user, "%s-2-idle", trial_sku(scene->trial));
    (void)trial_order(scene->trial, user); /* not accepted where the front end is what is to get there */
}

static int way_of(const struct crash_scene *scene)
{
    int way = 0;

    while (way < WAYS && strcmp(ways[way].service, scene->crash->process->service) != 0)
        way++;
    return way;
}

/* A number from the process' own file; -1: it cannot be read now. */
static int64_t ask_file(const struct crash_scene *scene, const char *select)
{
    char path[STACK_PATH + 32];
    struct process_output o;
    int64_t number = -1;

    snprintf(path, sizeof path, "%s/store/%s", scene->stack->dir, ways[way_of(scene)].file);
    process_run((const char *[]){"sqlite3", "-readonly", "-cmd", ".timeout 5000", path, select, NULL}, NULL,
                NULL, 30, &o);
    if (o.status != 0 || sscanf(text_c(&o.out), "%" SCNd64, &number) != 1)
        number = -1;
    process_output_free(&o);
    return number;
}

/* A message that its process can only bury, with a key of its own. */
static void publish_bad_line(struct crash_scene *scene)
{
    char line[80];
    int way = way_of(scene);

    if (scene->bad_line || way == WAYS)
        return;
    scene->letters_before = ask_file(scene, "SELECT count(*) FROM dead_letter");
    assert_true(scene->letters_before >= 0);
    snprintf(line, sizeof line, "{\"v\":1,\"order_id\":\"no such id, %" PRIu64 "\"}\n", scene->crash->seed);
    scene->bad_line = amqp_publish(scene->stack, ways[way].exchange, ways[way].key, line) == 0;
}

/* In the background: the answer may never come. */
static void ask(struct crash_scene *scene)
{
    const char *service = scene->crash->process->service;
    char program[STACK_PATH], number[16];
    int status;
    const char *argv[16] = {stack_program(scene->stack, "seckillctl", program), "--config",
                            scene->stack->config};
    const char *const item[] = {"item", "put", "provoked", "--unit-price", "1", "--stock", number, NULL};
    const char *const campaign[] = {"campaign", "put",      "provoked", "--packets",
                                    "1",        "--budget", number,     NULL};
    const char *const dead[] = {"dead", "drop", "--all", "--yes", NULL};
    const char *const *words = item;

    if (scene->operator_pid > 0 && !process_wait(scene->operator_pid, 0, &status))
        return;
    snprintf(number, sizeof number, "%d", crash_draw(&scene->random, 1, 1000000));
    if (strcmp(service, "redpacket") == 0)
        words = campaign;
    if (strcmp(service, "notification") == 0) {
        words = dead;
        publish_bad_line(scene);
    }
    for (int i = 0; words[i]; i++)
        argv[i + 3] = words[i];
    scene->operator_pid = process_start(argv, stack_environment(scene->stack), "/dev/null");
}

static void silence_the_broker(struct crash_scene *scene)
{
    pid_t broker = process_listening_on(scene->stack->mark, scene->stack->amqp_port);

    if (broker <= 0)
        return;
    scene->frozen = broker;
    process_freeze(broker);
    rest(1500); /* a confirm is given up after one second, a connection after two */
    kill(broker, SIGCONT);
    scene->frozen = 0;
}

/* The newest ledger is that of the process that runs. */
static bool find_ledger(const struct stack *s, char path[STACK_PATH])
{
    char pattern[STACK_PATH + 32];
    time_t newest = 0;
    glob_t found;

    snprintf(pattern, sizeof pattern, "%s/store/ledger/*.ledger", s->dir);
    if (glob(pattern, 0, NULL, &found) != 0)
        return false;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct stat info;

        if (stat(found.gl_pathv[i], &info) == 0 && info.st_mtime >= newest) {
            newest = info.st_mtime;
            snprintf(path, STACK_PATH, "%s", found.gl_pathv[i]);
        }
    }
    globfree(&found);
    return newest > 0;
}

static void spoil(struct crash_scene *scene, const char *const options[])
{
    pid_t pid = stack_pid(scene->stack, scene->crash->process->program);

    if (!scene->tracer && pid > 0)
        scene->tracer = tracer_attach(scene->stack, pid, options);
}

static void spoil_ledger(struct crash_scene *scene)
{
    char path[STACK_PATH];

    if (find_ledger(scene->stack, path))
        spoil(scene, (const char *[]){"-P", path, "-e", "inject=write:error=ENOSPC:when=1", NULL});
}

static void unbind_events(struct crash_scene *scene)
{
    int way = way_of(scene);

    if (scene->events_unbound || way == WAYS)
        return;
    scene->events_unbound = true;
    for (int i = 0; i < OUT_WAYS && ways[way].out[i].queue; i++)
        amqp_unbind(scene->stack, ways[way].out[i].queue, ways[way].out[i].exchange, ways[way].out[i].key);
}

static void bind_events(struct crash_scene *scene)
{
    int way = way_of(scene);

    if (!scene->events_unbound)
        return;
    scene->events_unbound = false;
    for (int i = 0; i < OUT_WAYS && ways[way].out[i].queue; i++)
        assert_int_equal(
            amqp_bind(scene->stack, ways[way].out[i].queue, ways[way].out[i].exchange, ways[way].out[i].key),
            0);
}

void crash_provoke(struct crash_scene *scene, enum crash_reach reach)
{
    pid_t pid;

    /* Without orders most points are not reached. */
    if (scene->sells_out && reach != REACH_TERM)
        trial_restock(scene->trial, scene->crash->orders);
    switch (reach) {
    case REACH_LOAD:
    case REACH_BACKLOG:
    case REACH_START:
    case REACH_REDELIVERY:
    case REACH_FILE_SINK:
    case REACH_NEW_FILE:
    case REACH_KINDS:
        break;
    case REACH_IDLE:
        idle_with_one_order(scene);
        break;
    case REACH_ASKED:
        ask(scene);
        break;
    case REACH_CUT:
        amqp_ctl(scene->stack, (const char *[]){"close_all_connections", "--global", "cut by the test", NULL},
                 NULL);
        break;
    case REACH_SILENCE:
        silence_the_broker(scene);
        break;
    case REACH_UNROUTABLE:
        if (!scene->orders_unbound)
            amqp_unbind(scene->stack, "seckill.orders.0", "seckill.orders", "0");
        scene->orders_unbound = true;
        break;
    case REACH_NO_EVENTS:
        unbind_events(scene);
        break;
    case REACH_BAD_LINE:
        publish_bad_line(scene);
        break;
    case REACH_BAD_DISK:
        spoil(scene, (const char *[]){"-e", "inject=fdatasync:error=EIO:when=1", NULL});
        break;
    case REACH_NO_LEDGER:
        spoil_ledger(scene);
        break;
    case REACH_TERM:
        pid = stack_pid(scene->stack, scene->crash->process->program);
        if (pid > 0)
            kill(pid, SIGTERM);
        break;
    }
}

void crash_provoke_end(struct crash_scene *scene)
{
    if (scene->frozen > 0)
        kill(scene->frozen, SIGCONT);
    scene->frozen = 0;
    tracer_detach(scene->tracer);
    scene->tracer = NULL;
    if (scene->orders_unbound)
        assert_int_equal(amqp_bind(scene->stack, "seckill.orders.0", "seckill.orders", "0"), 0);
    bind_events(scene);
    scene->orders_unbound = false;
}

/* The letter may be on its way yet, or dropped already by what the fault met; its process may not answer yet.
 */
static bool is_dropped(void *context)
{
    struct crash_scene *scene = context;
    struct ctl_answer answer;

    ctl(scene->stack, &answer, (const char *[]){"dead", "drop", "--all", "--yes", NULL});
    ctl_free(&answer);
    return ask_file(scene, "SELECT count(*) FROM dead_letter") > scene->letters_before &&
           ask_file(scene, "SELECT count(*) FROM dead_letter WHERE settled IS NULL") == 0;
}

void crash_provoke_tidy(struct crash_scene *scene)
{
    int status;

    if (scene->operator_pid > 0 && !process_wait(scene->operator_pid, OPERATOR_SECONDS, &status))
        fail_msg("the operator's seckillctl does not end");
    scene->operator_pid = 0;
    if (scene->bad_line && !wait_until(is_dropped, scene, DROP_SECONDS))
        fail_msg("the bad line is no dead letter that can be dropped");
    scene->bad_line = false;
}

/* Starts the worker on the folder; it meets its end before it consumes anything. Returns its exit status. */
static int start_on(struct crash_scene *scene, const char *dir, const char *log, const char *faults)
{
    const struct crash *c = scene->crash;
    char program[STACK_PATH], entry[160], store[STACK_PATH];
    const char *environment[8] = {entry};
    int status;
    pid_t pid;

    snprintf(entry, sizeof entry, "SECKILL_FAULT=%s", faults);
    for (int i = 0; stack_environment(scene->stack)[i] && i < 6; i++)
        environment[i + 1] = stack_environment(scene->stack)[i];
    snprintf(store, sizeof store, "store.dir=%.400s", dir);
    pid = process_start((const char *[]){stack_program(scene->stack, c->process->program, program),
                                         "--config", scene->stack->config, "--set", store, "--init", NULL},
                        environment, log);
    assert_true(pid > 0);
    while (!process_wait(pid, 1, &status)) {
        /* A stopped one: for as long as it takes to be given up for dead. */
        rest(2000 * CRASH_HEARTBEAT_S);
        kill(pid, SIGCONT);
    }
    return status;
}

static bool says(const char *log, const char *point)
{
    struct text text = {0};
    char wanted[128];
    bool found;

    snprintf(wanted, sizeof wanted, "fault_point point=%s ", point);
    found = text_add_file(&text, log) == 0 && strstr(text_c(&text), wanted) != NULL;
    text_free(&text);
    return found;
}

void crash_new_file(struct crash_scene *scene)
{
    static const char next[] = "worker.test_written"; /* behind all migrations */
    const struct crash *c = scene->crash;
    char dir[STACK_PATH], log[STACK_PATH + 8], faults[160];
    int status;

    snprintf(dir, sizeof dir, "%s/new-%llu", scene->stack->base, (unsigned long long)c->seed);
    snprintf(log, sizeof log, "%s.log", dir);
    snprintf(faults, sizeof faults, "%s:%s@%d,%s:kill", c->point, crash_how_names[c->how],
             crash_draw(&scene->random, 1, 2), next);
    status = start_on(scene, dir, log, faults);
    if (!says(log, c->point))
        fail_msg("%s is not reached by a start on an empty folder", c->point);
    assert_true(status == 137 || (status == 0 && c->how == CRASH_TERM));
    trial_fault(scene->trial);
    unlink(log);
    snprintf(faults, sizeof faults, "%s:kill", next);
    assert_int_equal(start_on(scene, dir, log, faults), 137);
    assert_true(says(log, next));
}
