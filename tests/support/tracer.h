/*
 * System calls that fail at a chosen moment: strace(1) stands beside a process and puts an error in the place
 * of its n-th call. What it does not tamper with goes on, more slowly.
 */
#ifndef SECKILL_TESTS_TRACER_H
#define SECKILL_TESTS_TRACER_H

#include <stdbool.h>
#include <sys/types.h>

#include "tests/support/stack.h"

/* To be called before the stack is up: LeakSanitizer cannot work in a process that is traced, and is turned
 * off for all of them. */
void tracer_prepare(void);

/* May processes be traced here at all? If not, says so on stderr. */
bool tracer_works(struct stack *s);

struct tracer;

/* Attaches to all threads of a process, and returns when it has. options are strace's ("-e", "inject=…",
 * "-P", path …; end with NULL). Calls are counted from here on, those of each thread for itself. NULL after
 * having said why. */
struct tracer *tracer_attach(struct stack *s, pid_t pid, const char *const options[]);

/* Starts argv under a tracer instead. Its pid is the tracer's, and so is the exit status. */
struct tracer *tracer_start(struct stack *s, const char *const argv[], const char *const options[]);
pid_t tracer_pid(const struct tracer *t);

int tracer_injected(const struct tracer *t); /* calls that were made to fail so far */
bool tracer_wait_injected(struct tracer *t, int count, int seconds);

/* Is there one of these calls ("pwrite64", …; ends with NULL) behind the first that was made to fail? */
bool tracer_went_on(const struct tracer *t, const char *const calls[]);

/* Lets go of the process, if it still lives, and frees it. NULL is fine. */
void tracer_detach(struct tracer *t);

#endif
