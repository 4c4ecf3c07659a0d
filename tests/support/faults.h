/*
 * Fault points (common/base/fault.h) in the services of a stack: arming them, and waiting until they act. The
 * stack must have been built with SECKILL_FAULTS.
 */
#ifndef SECKILL_TESTS_FAULTS_H
#define SECKILL_TESTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tests/support/stack.h"

struct armed {
    struct stack *stack;
    char service[32];
    size_t log_from; /* where this start's part of the log begins */
    pid_t pid;       /* its process, once it runs; -1 */
};

/* stack.sh start with "POINT:ACTION[@N],…" for this service ("order", "inventory", "order@2") alone, and more
 * arguments that end with NULL (or NULL); "--no-wait" where it may not live to be ready. Returns the exit
 * status of stack.sh. The service must have been stopped before. */
int faults_start(struct armed *a, struct stack *s, const char *service, const char *faults,
                 const char *const more[]);

/* Waits until this point has acted in this start of the service, so many times. */
bool faults_wait(const struct armed *a, const char *point, int times, int seconds);

/* Has the log of this start a line with this text? */
bool faults_logged(const struct armed *a, const char *text);

/* Waits until the process of a "kill" is gone, or that of a "stop" stands still. */
bool faults_wait_killed(const struct armed *a, int seconds);
bool faults_wait_stopped(const struct armed *a, int seconds);

/* The points of a program of the stack ("seckill-order"): calls each with its name. 0 or -1. */
int faults_list(const struct stack *s, const char *program, void (*each)(void *context, const char *point),
                void *context);

#endif
