/* The nodes of a stack's broker. What is said to them goes through D/rabbitmqctl eval. */
#include "tests/support/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/process.h"

enum { EVAL_SECONDS = 30 };

static const char *const units[CLUSTER_NODES] = {"broker", "broker@2", "broker@3"};
static const char *const nodes[CLUSTER_NODES] = {"seckill@localhost", "seckill2@localhost",
                                                 "seckill3@localhost"};

#define ORDERS_QUEUE                                                                                         \
    "{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"seckill\">>, queue, <<\"seckill.orders.0\">>)), "

const char *cluster_unit(int node)
{
    return units[node];
}

/* What the expression is there, in *out. The exit status of rabbitmqctl. */
static int eval(struct stack *s, int node, const char *expression, char *out, size_t size)
{
    char program[STACK_PATH];
    struct process_output output;
    int status;

    snprintf(program, sizeof program, "%s/rabbitmqctl", s->dir);
    process_run((const char *[]){program, "-q", "-n", nodes[node], "eval", expression, NULL}, NULL, NULL,
                EVAL_SECONDS, &output);
    status = output.status;
    snprintf(out, size, "%s", text_c(status == 0 ? &output.out : &output.err));
    out[strcspn(out, "\n")] = '\0';
    process_output_free(&output);
    return status;
}

static void do_there(struct stack *s, int node, const char *expression)
{
    char out[256];

    if (eval(s, node, expression, out, sizeof out) != 0)
        fail_msg("%s does not do %s: %s", nodes[node], expression, out);
}

pid_t cluster_pid(struct stack *s, int node)
{
    struct text file = {0};
    char path[STACK_PATH];
    long pid;

    snprintf(path, sizeof path, "%s/run/%s.pid", s->dir, units[node]);
    assert_int_equal(text_add_file(&file, path), 0);
    pid = strtol(text_c(&file), NULL, 10);
    text_free(&file);
    assert_true(pid > 1);
    return (pid_t)pid;
}

int cluster_leader(struct stack *s)
{
    char out[256];

    if (eval(s, 0, ORDERS_QUEUE "rabbit_quorum_queue:info(Q, [leader]).", out, sizeof out) != 0)
        fail_msg("nobody knows who leads: %s", out);
    for (int i = 0; i < CLUSTER_NODES; i++) {
        if (strstr(out, nodes[i]))
            return i;
    }
    fail_msg("no node of ours leads: %s", out);
    return -1;
}

/* A cookie that the other does not have makes every new link fail. */
void cluster_cut(struct stack *s, int node, enum cluster_cut how)
{
    char expression[512];

    if (how == CUT_LINKS) {
        do_there(s, node,
                 "[begin erlang:set_cookie(N, cut_off), erlang:disconnect_node(N) end || N <- nodes()].");
        return;
    }
    do_there(s, node,
             "[begin erlang:set_cookie(N, cut_off), inet:setopts(P, [{active, false}]) end || "
             "{N, P} <- erlang:system_info(dist_ctrl), lists:member(N, nodes())].");
    for (int i = 0; i < CLUSTER_NODES; i++) {
        if (i == node)
            continue;
        snprintf(expression, sizeof expression,
                 "[inet:setopts(P, [{active, false}]) || {'%s', P} <- erlang:system_info(dist_ctrl)].",
                 nodes[node]);
        do_there(s, i, expression);
    }
}

void cluster_mend(struct stack *s, int node)
{
    char expression[512];

    for (int i = 0; i < CLUSTER_NODES; i++) {
        snprintf(expression, sizeof expression, "erlang:set_cookie('%s', erlang:get_cookie()).", nodes[i]);
        if (i != node)
            do_there(s, node, expression);
    }
}

struct question {
    struct stack *stack;
    int node;
    const char *expression;
};

static bool is_true(void *context)
{
    const struct question *q = context;
    char out[256];

    return eval(q->stack, q->node, q->expression, out, sizeof out) == 0 && strcmp(out, "true") == 0;
}

bool cluster_wait_paused(struct stack *s, int node, int seconds)
{
    return wait_until(is_true, &(struct question){s, node, "not rabbit:is_running()."}, seconds);
}

void cluster_wait_whole(struct stack *s, int node, int seconds)
{
    static const char whole[] =
        ORDERS_QUEUE "length(rabbit_nodes:all_running()) =:= 3 andalso "
                     "length(proplists:get_value(online, rabbit_quorum_queue:info(Q, [online]))) =:= 3.";

    if (!wait_until(is_true, &(struct question){s, node, whole}, seconds))
        fail_msg("the cluster is not whole, as %s sees it", nodes[node]);
}
