/*
 * One trial of the crash matrix: orders, with and without keys; the process is started again with the fault
 * armed; what it takes to reach the point; the fault; the part of the supervisor, which starts what has ended
 * and lets go on what was stopped; healing; the judgement.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/e2e/crash.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/process.h"
#include "tests/support/red_packets.h"

enum { WAIT_SECONDS = 60, HEAL_SECONDS = 60, LOAD_SECONDS = 150 };

/* Too late in a load, it comes the first time that it can: then it has to. */
enum { REACH_SECONDS = 4, REACH_SURELY_SECONDS = 40, TRIES = 3 };

enum { BACKLOG = 4000 }; /* orders; four of the longest transactions */

/* Dead for the broker, and for every supervisor that asks. */
enum { STOP_MS = 3 * 1000 * CRASH_HEARTBEAT_S };

uint64_t crash_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int crash_draw(uint64_t *state, int least, int most)
{
    return most <= least ? least : least + (int)(crash_random(state) % (uint64_t)(most - least + 1));
}

static bool has_ended(pid_t pid)
{
    int status;

    return process_wait(pid, 0, &status);
}

/* --- load */

static void begin_campaign(struct crash_scene *scene)
{
    int packets = 10000000; /* for everybody */
    char number[16];

    if (!stack_has(scene->stack, "redpacket"))
        return;
    /* And then none is left, so that redpacket has nothing to put out any more. */
    if (crash_draw(&scene->random, 0, 3) == 0 && strncmp(scene->crash->point, "relay.", 6) != 0)
        packets = crash_draw(&scene->random, 1, scene->crash->orders);
    snprintf(number, sizeof number, "%d", packets);
    campaign_put(scene->stack, trial_sku(scene->trial), "1000000000", number, "1");
}

/* Is something to be unconfirmed at a moment that comes a second or more after the stock was filled up, or
 * are orders to come while nobody can fill it up? The front end sends nothing more for what is sold out. */
static bool needs_orders_throughout(const struct crash *crash)
{
    int most;
    enum crash_reach reach = crash_reach_of(crash->point, &most);

    return crash->point[0] && (reach == REACH_CUT || reach == REACH_BACKLOG);
}

static void begin(struct crash_scene *scene)
{
    const struct crash *c = scene->crash;
    int stock = 0;

    scene->sells_out = crash_draw(&scene->random, 0, 3) == 0 && !needs_orders_throughout(c);
    if (scene->sells_out)
        stock = crash_draw(&scene->random, 50, c->orders);
    scene->trial =
        trial_begin(scene->stack, &(struct trial_spec){.area = "crash",
                                                       .process = c->process->service,
                                                       .fault = c->point[0] ? c->point : "random moment",
                                                       .how = crash_how_names[c->how],
                                                       .seed = c->seed,
                                                       .stock = stock,
                                                       .limit = crash_draw(&scene->random, 0, 2) == 0 ? 3 : 0,
                                                       .drain_seconds = WAIT_SECONDS});
    begin_campaign(scene);
}

static void add_load(struct crash_scene *scene, const struct load_spec *spec)
{
    struct load_spec own = *spec;

    own.seconds = LOAD_SECONDS;
    own.max_orders = 60000;
    own.backoff_ms = 20;
    scene->loads[scene->load_count++] = trial_load(scene->trial, &own);
}

static void begin_loads(struct crash_scene *scene)
{
    char hard_to_reach[40];

    scene->load_count = 0;
    add_load(scene, &(struct load_spec){.connections = crash_draw(&scene->random, 8, 64)});
    /* Each key several times, at the same time and after one another. */
    add_load(scene, &(struct load_spec){.connections = crash_draw(&scene->random, 4, 32),
                                        .own_keys = true,
                                        .repeats = crash_draw(&scene->random, 2, 4)});
    /* A few users who come again and again, of two units each. */
    add_load(scene, &(struct load_spec){.connections = 4, .users = 200, .quantity = 2, .pace_ms = 5});
    /* No message reaches these at once. */
    snprintf(hard_to_reach, sizeof hard_to_reach, "%s-2-", trial_sku(scene->trial));
    crash_gateway_refuse_first(hard_to_reach);
}

static int accepted(const struct crash_scene *scene)
{
    int sum = 0;

    for (int i = 0; i < scene->load_count; i++)
        sum += load_accepted(scene->loads[i]);
    return sum;
}

static bool has_its_orders(void *context)
{
    const struct crash_scene *scene = context;

    return accepted(scene) >= scene->crash->orders;
}

/* --- the fault */

static void stop_for_a_while(pid_t pid)
{
    usleep(STOP_MS * 1000);
    kill(pid, SIGCONT);
}

/* From outside, at a moment that nobody chose. */
static void strike(struct crash_scene *scene)
{
    const struct crash *c = scene->crash;
    pid_t pid = c->process->program ? stack_pid(scene->stack, c->process->program)
                                    : process_listening_on(scene->stack->mark, scene->stack->amqp_port);
    int status;

    assert_true(pid > 0);
    usleep((useconds_t)crash_draw(&scene->random, 0, 600) * 1000);
    trial_fault(scene->trial);
    switch (c->how) {
    case CRASH_STOP:
        assert_int_equal(process_freeze(pid), 0);
        scene->frozen = pid;
        stop_for_a_while(pid);
        scene->frozen = 0;
        return;
    case CRASH_TERM:
        if (!c->process->program) {
            assert_int_equal(stack_do(scene->stack, "stop", c->process->service, NULL), 0);
            return;
        }
        kill(pid, SIGTERM);
        assert_true(process_wait(pid, WAIT_SECONDS, &status));
        assert_int_equal(status, 0);
        return;
    default:
        if (!c->process->program) {
            assert_int_equal(stack_do(scene->stack, "kill", c->process->service, NULL), 0);
            return;
        }
        kill(pid, SIGKILL);
        assert_true(process_wait(pid, WAIT_SECONDS, &status));
    }
}

/* Ends the process so that it can be started with the fault. */
static void make_way(struct crash_scene *scene)
{
    pid_t pid = stack_pid(scene->stack, scene->crash->process->program);
    int status;

    if (pid > 0 && scene->reach == REACH_REDELIVERY) {
        /* Messages come and are not acknowledged. */
        process_freeze(pid);
        usleep(300000);
        kill(pid, SIGKILL);
    } else if (pid > 0) {
        kill(pid, SIGTERM);
    }
    if (pid > 0 && !process_wait(pid, WAIT_SECONDS, &status))
        fail_msg("%s does not end on SIGTERM", scene->crash->process->program);
}

/* Can the point be reached before the process is ready? Then nobody waits for that. */
static bool may_be_early(enum crash_reach reach)
{
    return reach == REACH_START || reach == REACH_BACKLOG || reach == REACH_LOAD ||
           reach == REACH_REDELIVERY || reach == REACH_IDLE || reach == REACH_ASKED ||
           reach == REACH_FILE_SINK || reach == REACH_KINDS;
}

enum { START_ARGUMENTS = 6 };

/* Arguments of a start, the one with the fault or one as usual: whether it waits, how long transactions are,
 * where notification's messages go. stack.sh remembers the settings. */
static const char *const *start_arguments(struct crash_scene *scene, bool waits, enum crash_reach reach,
                                          const char *out[START_ARGUMENTS])
{
    const char *service = scene->crash->process->service;
    int count = 0;

    if (!waits)
        out[count++] = "--no-wait";
    if (strcmp(service, "order") != 0) {
        snprintf(scene->max_batch, sizeof scene->max_batch, "%s.max_batch=%s", service,
                 reach == REACH_BACKLOG ? CRASH_MAX_BATCH_LONG : CRASH_MAX_BATCH);
        out[count++] = "--set";
        out[count++] = scene->max_batch;
    }
    if (strcmp(service, "notification") == 0) {
        out[count++] = "--set";
        out[count++] = reach == REACH_FILE_SINK ? "notification.sink=file" : "notification.sink=webhook";
    }
    out[count] = NULL;
    return out;
}

/* While nobody works on them. */
static void gather_backlog(struct crash_scene *scene)
{
    struct load *l = scene->loads[0]; /* each 202 is another order */

    if (!load_wait_accepted(l, load_accepted(l) + BACKLOG, WAIT_SECONDS))
        fail_msg("no %d orders are accepted while %s is away", (int)BACKLOG, scene->crash->process->service);
}

static bool arm_and_provoke(struct crash_scene *scene, enum crash_reach reach, int nth, int seconds)
{
    const struct crash *c = scene->crash;
    const char *more[START_ARGUMENTS];
    int64_t deadline;
    char faults[160];

    make_way(scene);
    if (scene->reach == REACH_BACKLOG)
        gather_backlog(scene);
    snprintf(faults, sizeof faults, "%s:%s@%d", c->point, crash_how_names[c->how], nth);
    assert_int_equal(faults_start(&scene->armed, scene->stack, c->process->service, faults,
                                  start_arguments(scene, !may_be_early(scene->reach), reach, more)),
                     0);
    deadline = clock_ms() + (int64_t)seconds * 1000;
    do {
        if (faults_wait(&scene->armed, c->point, 1, 0))
            return true;
        crash_provoke(scene, reach);
        if (faults_wait(&scene->armed, c->point, 1, reach == REACH_CUT ? 1 : 2))
            return true;
    } while (clock_ms() < deadline);
    return false;
}

/* Until the point has acted. The ways to a point that nobody has described are tried in turn. */
static void reach_point(struct crash_scene *scene)
{
    const struct crash *c = scene->crash;
    int most, nth;

    scene->reach = crash_reach_of(c->point, &most);
    nth = crash_draw(&scene->random, 1, most);
    for (int i = 0; i < (scene->reach == REACH_KINDS ? (int)REACH_NEW_FILE : TRIES); i++) {
        enum crash_reach way = scene->reach == REACH_KINDS ? (enum crash_reach)i : scene->reach;
        bool surely = scene->reach == REACH_IDLE || (scene->reach != REACH_KINDS && nth == 1 && i > 0);

        if (arm_and_provoke(scene, way, nth, surely ? REACH_SURELY_SECONDS : REACH_SECONDS))
            return;
        crash_provoke_end(scene);
        nth = 1;
    }
    fail_msg("the point %s of %s was not reached (seed %" PRIu64 ")", c->point, c->process->program, c->seed);
}

/* The point has logged that it acts: waits until it has. */
static void suffer(struct crash_scene *scene)
{
    const struct crash *c = scene->crash;
    int status;

    trial_fault(scene->trial);
    /* Under a tracer it stands still in another way, and may not end as it should. */
    tracer_detach(scene->tracer);
    scene->tracer = NULL;
    if (c->how == CRASH_STOP) {
        assert_true(faults_wait_stopped(&scene->armed, WAIT_SECONDS));
        scene->frozen = scene->armed.pid;
        stop_for_a_while(scene->armed.pid);
        scene->frozen = 0;
        return;
    }
    if (!faults_wait_killed(&scene->armed, WAIT_SECONDS))
        fail_msg("%s does not end after %s at %s", c->process->program, crash_how_names[c->how], c->point);
    if (!process_wait(scene->armed.pid, 1, &status))
        return; /* it met its end so early that stack.sh, its parent, was the one to know how */
    if (c->how == CRASH_KILL)
        assert_int_equal(status, 128 + SIGKILL);
    /* A disk that fails ends a worker with 74, whatever else was asked of it. */
    else if (status != 0 && !(status == 74 && scene->reach == REACH_BAD_DISK))
        fail_msg("%s ends with %d on SIGTERM at %s", c->process->program, status, c->point);
}

/* --- and after it */

/* What ended by itself is started again by a supervisor, too. */
static void supervise(struct crash_scene *scene)
{
    const struct crash *c = scene->crash;
    bool ends = scene->reach == REACH_TERM || scene->reach == REACH_BAD_DISK;
    const char *more[START_ARGUMENTS];

    if (scene->reach == REACH_FILE_SINK || scene->reach == REACH_BACKLOG)
        make_way(scene); /* the gateway has its messages back, the transactions are short again */
    else if (c->how == CRASH_STOP && !ends)
        return;
    if (c->how == CRASH_STOP && ends && !has_ended(scene->armed.pid)) {
        int status;

        assert_true(process_wait(scene->armed.pid, WAIT_SECONDS, &status));
    }
    assert_int_equal(stack_do(scene->stack, "start", c->process->service,
                              c->process->program ? start_arguments(scene, false, REACH_LOAD, more) : NULL),
                     0);
}

void crash_trial(struct stack *s, const struct crash *crash)
{
    struct crash_scene scene = {.stack = s, .crash = crash, .random = crash->seed};
    int most;

    begin(&scene);
    begin_loads(&scene);
    assert_true(load_wait_accepted(scene.loads[0], crash_draw(&scene.random, 1, 100), WAIT_SECONDS) ||
                scene.sells_out);
    if (!crash->point[0]) {
        scene.reach = REACH_LOAD;
        strike(&scene);
    } else if (crash_reach_of(crash->point, &most) == REACH_NEW_FILE) {
        crash_new_file(&scene);
    } else {
        reach_point(&scene);
        suffer(&scene);
    }
    crash_provoke_end(&scene);
    if (!crash->point[0] || crash_reach_of(crash->point, &most) != REACH_NEW_FILE)
        supervise(&scene);
    trial_heal(scene.trial, HEAL_SECONDS);
    crash_provoke_tidy(&scene);
    if (scene.reach == REACH_IDLE)
        begin_loads(&scene);
    if (!scene.sells_out)
        wait_until(has_its_orders, &scene, 5);
    assert_int_equal(trial_end(scene.trial, NULL), 0);
}
