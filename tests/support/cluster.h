/*
 * The broker's three nodes, in a stack that was brought up after stack_nodes(CLUSTER_NODES): who leads, and
 * cutting one off. Each call fails the test (cmocka) where it cannot be done.
 *
 * There is no cable to pull on a loopback, and no packet filter without root; but the nodes can be made to
 * hear and accept nothing of each other, while each goes on serving its clients.
 */
#ifndef SECKILL_TESTS_CLUSTER_H
#define SECKILL_TESTS_CLUSTER_H

#include "tests/support/stack.h"

enum { CLUSTER_NODES = 3 };

const char *cluster_unit(int node); /* for stack_do: "broker", "broker@2", "broker@3" */
pid_t cluster_pid(struct stack *s, int node);
int cluster_leader(struct stack *s); /* of the orders' queue; all nodes must be there */

enum cluster_cut {
    CUT_LINKS, /* the connections to the other nodes end, and there will be no others: seen at once */
    CUT_BYTES, /* they stay, and nothing is read from them on either side: seen at the node's tick time */
};

/* Between this node and both others. */
void cluster_cut(struct stack *s, int node, enum cluster_cut how);
void cluster_mend(struct stack *s, int node);

/* Has the node stopped serving by itself, since it is not with the majority? */
bool cluster_wait_paused(struct stack *s, int node, int seconds);

/* Until all nodes run, as this one sees it, and each has its replica of the orders' queue on line. */
void cluster_wait_whole(struct stack *s, int node, int seconds);

#endif
