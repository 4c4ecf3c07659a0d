/*
 * A broker of three nodes, each of which is killed, stopped, frozen and cut off in its turn, under load:
 * front end and inventory find their way to another one by themselves, and every 202 is kept. With one node
 * of three left nothing is accepted, and nothing is lost.
 *
 *   test_cluster                     the leader's death and the minority, in about a minute
 *   SECKILL_TRIALS_WHOLE=1 test_cluster [ROUNDS [ONLY]]
 *                                    every trouble (whose name has ONLY in it) of each node, and the minority
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/cluster.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/process.h"
#include "tests/support/trial.h"

/* A node that shows no sign of life counts as gone after the tick time, and a quarter more at the most. */
#define TICK_SECONDS 8
#define TEXT_OF(x)   #x
#define AS_TEXT(x)   TEXT_OF(x)
enum { WAIT_SECONDS = 60, HEAL_SECONDS = 45, FLOWING = 60, REFUSED = 100, WHOLE_BOUND_SECONDS = 900 };
enum { FROZEN_MS = 1000 * (TICK_SECONDS + TICK_SECONDS / 4 + 3) };

struct trouble {
    const char *fault, *how;
    void (*make)(struct stack *s, int node);
    void (*mend)(struct stack *s, int node);
    int at_least_ms; /* it lasts */
};

static pid_t frozen; /* the node, while it is */
static struct load *running;

/* By its id, not by stack.sh, which takes a moment: the time of healing begins here. */
static void kill_node(struct stack *s, int node)
{
    assert_int_equal(kill(cluster_pid(s, node), SIGKILL), 0);
}

static void stop_node(struct stack *s, int node)
{
    assert_int_equal(kill(cluster_pid(s, node), SIGTERM), 0);
}

static void start_node(struct stack *s, int node)
{
    assert_int_equal(stack_do(s, "stop", cluster_unit(node), NULL), 0); /* waits for its end */
    assert_int_equal(stack_do(s, "start", cluster_unit(node), NULL), 0);
}

static void freeze_node(struct stack *s, int node)
{
    frozen = cluster_pid(s, node);
    assert_int_equal(process_freeze(frozen), 0);
}

static int thaw(void **state)
{
    (void)state;
    if (frozen > 0)
        kill(frozen, SIGCONT);
    frozen = 0;
    return 0;
}

/* To itself it was never alone: the others went and came back in the same moment. So pause_minority does not
 * see that it missed what they did; rabbitmqctl cluster_status shows a partition, and RabbitMQ's own advice
 * is to restart such a node. */
static void thaw_and_restart(struct stack *s, int node)
{
    thaw(NULL);
    load_wait_accepted(running, load_accepted(running) + FLOWING, WAIT_SECONDS);
    assert_int_equal(stack_do(s, "kill", cluster_unit(node), NULL), 0);
    start_node(s, node);
}

static void cut_links(struct stack *s, int node)
{
    cluster_cut(s, node, CUT_LINKS);
}

static void cut_bytes(struct stack *s, int node)
{
    cluster_cut(s, node, CUT_BYTES);
}

/* By then it has noticed itself that it is alone. */
static void mend_cut(struct stack *s, int node)
{
    assert_true(cluster_wait_paused(s, node, WAIT_SECONDS));
    cluster_mend(s, node);
}

static const struct trouble troubles[] = {
    {"node dies", "kill", kill_node, start_node, 0},
    {"node stops", "term", stop_node, start_node, 0},
    {"node freezes", "stop", freeze_node, thaw_and_restart, FROZEN_MS},
    {"node is cut off", "links broken", cut_links, mend_cut, 0},
    {"node is cut off", "bytes lost", cut_bytes, mend_cut, 0},
};

static struct trial *begin(struct stack *s, const char *fault, const char *how)
{
    return trial_begin(s, &(struct trial_spec){.area = "cluster",
                                               .process = "broker",
                                               .fault = fault,
                                               .how = how,
                                               .drain_seconds = 2 * WAIT_SECONDS});
}

static struct load *begin_load(struct trial *t)
{
    struct load_spec steady = {
        .connections = 12, .max_orders = 50000, .seconds = 250, .pace_ms = 25, .backoff_ms = 50};
    struct load *l = trial_load(t, &steady);

    steady.connections = 4;
    steady.own_keys = true;
    steady.repeats = 2;
    trial_load(t, &steady);
    assert_true(load_wait_accepted(l, FLOWING, WAIT_SECONDS));
    return l;
}

/* Healed means: with two of the three. */
static void try_one(struct stack *s, const struct trouble *x, int node)
{
    struct trial *t = begin(s, x->fault, x->how);
    struct load *l = running = begin_load(t);
    int64_t until_ms = clock_ms() + x->at_least_ms;

    x->make(s, node);
    trial_fault(t);
    trial_heal(t, HEAL_SECONDS);
    assert_true(load_wait_accepted(l, load_accepted(l) + FLOWING, WAIT_SECONDS));
    while (clock_ms() < until_ms)
        assert_true(load_wait_accepted(l, load_accepted(l) + 1, WAIT_SECONDS));
    x->mend(s, node);
    cluster_wait_whole(s, node, WAIT_SECONDS);
    assert_int_equal(trial_end(t, NULL), 0);
}

static void test_death_of_the_leader_is_survived(void **state)
{
    try_one(*state, &troubles[0], cluster_leader(*state));
}

static void assert_not_ready_and_says_why(struct stack *s)
{
    struct http_response response;

    assert_int_equal(http_request(s->http_port, "GET", "/readyz", NULL, NULL, &response), 0);
    json_decref(assert_problem(&response, 503, "unavailable"));
    http_response_free(&response);
}

static bool is_not_ready(void *context)
{
    return !stack_is_ready(context);
}

static void test_minority_accepts_nothing_and_loses_nothing(void **state)
{
    static const char *const no_wait[] = {"--no-wait", NULL};
    struct stack *s = *state;
    int left = cluster_leader(s), first = (left + 1) % CLUSTER_NODES, second = (left + 2) % CLUSTER_NODES;
    struct trial *t = begin(s, "two of three nodes die", "kill");
    struct load *l = begin_load(t);
    int accepted;

    trial_fault(t);
    kill_node(s, first);
    kill_node(s, second);
    assert_true(wait_until(is_not_ready, s, WAIT_SECONDS));
    assert_true(cluster_wait_paused(s, left, WAIT_SECONDS));
    assert_not_ready_and_says_why(s);
    accepted = load_accepted(l);
    assert_true(load_wait_refused(l, load_refused(l) + REFUSED, WAIT_SECONDS));
    assert_int_equal(load_accepted(l), accepted);
    assert_int_equal(stack_do(s, "start", cluster_unit(first), no_wait), 0);
    start_node(s, second);
    trial_heal(t, HEAL_SECONDS);
    cluster_wait_whole(s, second, WAIT_SECONDS);
    assert_int_equal(trial_end(t, NULL), 0);
}

static int rounds = 1;
static const char *only = "";

static void test_every_trouble_of_every_node_is_survived(void **state)
{
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
            for (int node = 0; node < CLUSTER_NODES && strstr(troubles[i].fault, only); node++)
                try_one(*state, &troubles[i], node);
        }
    }
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"publisher.confirm_timeout_ms=2000", "broker.heartbeat_s=2",
                                       "admission.user_rate=0", "admission.max_rate=0", NULL};
    const struct CMUnitTest brief[] = {
        cmocka_unit_test(test_death_of_the_leader_is_survived),
        cmocka_unit_test(test_minority_accepts_nothing_and_loses_nothing),
        STACK_END,
    };
    const struct CMUnitTest whole[] = {
        cmocka_unit_test_teardown(test_every_trouble_of_every_node_is_survived, thaw),
        cmocka_unit_test(test_minority_accepts_nothing_and_loses_nothing),
        STACK_END,
    };

    stack_nodes(CLUSTER_NODES);
    setenv("SECKILL_BROKER_TICK", AS_TEXT(TICK_SECONDS), 1);
    if (!getenv("SECKILL_TRIALS_WHOLE"))
        return run_with_stack("cluster", brief, sizeof brief / sizeof *brief, sets);
    rounds = argc > 1 ? atoi(argv[1]) : 1;
    only = argc > 2 ? argv[2] : "";
    stack_bound(WHOLE_BOUND_SECONDS * rounds);
    return run_with_stack("cluster", whole, sizeof whole / sizeof *whole, sets);
}
