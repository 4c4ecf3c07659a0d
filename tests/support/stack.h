/*
 * A whole stack of real processes (broker, inventory, front end) in a folder of its own, by deploy/stack.sh.
 * One at a time for each test program. Whatever happens to the program, the stack is taken down and no
 * process stays (guardian.h).
 */
#ifndef SECKILL_TESTS_STACK_H
#define SECKILL_TESTS_STACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STACK_PATH 512

struct stack {
    char base[96]; /* our temporary folder, in TMPDIR; removed after a clean end, kept after a failure */
    char dir[112]; /* D of stack.sh */
    char config[STACK_PATH]; /* D/seckill.conf */
    char bin[STACK_PATH];    /* SECKILL_BIN */
    char amqp_url[STACK_PATH];
    int http_port, amqp_port;
    char mark[112]; /* "NAME=value" in the environment of all its processes */
    bool is_up;
    int faults; /* what a clean run does not have: see stack_end */
};

/* How long a stack that comes up after this may live before the guardian ends it, and the program with it:
 * 280 seconds, unless this was called. */
void stack_bound(int seconds);

/* The name of D of such a stack, at most 15 bytes: "stack", unless this was called. Not copied. */
void stack_folder(const char *name);

/* How many nodes the broker of such a stack has: 1, unless this was called. See cluster.h. */
void stack_nodes(int count);

/* Brings a stack up with these "section.key=value" (ends with NULL), built from the build folder of the test
 * itself. NULL after having said why. */
struct stack *stack_up(const char *const sets[]);

/* "kill", "stop" or "start" of a service, with more arguments that end with NULL (or NULL). "start" returns
 * when the service runs. Or "up" of NULL: what does not run is started. Returns the exit status of stack.sh,
 * after having printed what it said if that is not 0. */
int stack_do(struct stack *s, const char *verb, const char *service, const char *const more[]);

bool stack_is_ready(struct stack *s);                /* GET /readyz says 200 now */
bool stack_wait_ready(struct stack *s, int seconds); /* … within the seconds */

/* "start" with this "NAME=value" in the environment of stack.sh beside the stack's own. As stack_do. */
int stack_start_with(struct stack *s, const char *service, const char *entry, const char *const more[]);

/* The process of this program in the stack ("seckill-order"); -1 unless there is exactly one. */
pid_t stack_pid(struct stack *s, const char *program);

/* The process that stack.sh last started as this unit ("inventory"), alive or not; -1 if it never did. */
pid_t stack_unit_pid(struct stack *s, const char *unit);

/* Stops a service by SIGTERM. Returns its exit status; -1 if it did not end or its status is not known. */
int stack_stop_gracefully(struct stack *s, const char *service, const char *program);

/* Stops the services, takes the stack down, and looks at what is left. Returns the number of faults, each
 * printed: a service that did not exit 0 on SIGTERM, a process left behind, a report of a sanitizer. */
int stack_end(struct stack *s);

/* Does this text hold a report of a sanitizer? Then it is printed and counts as a fault. what says whose it
 * is. */
bool stack_note_report(struct stack *s, const char *what, const char *text);

/* Takes the stack down without judging, removes the folder if there was no fault and keep is false. NULL is
 * fine. */
void stack_free(struct stack *s, bool keep);

/* A TCP port that nobody has now, below those that the kernel gives to outgoing connections. */
int stack_free_port(void);

/* Environment entries ("NAME=value", ends with NULL) that every process of the stack gets: the mark, and
 * where sanitizers write their reports. For processes that a test starts itself. */
const char *const *stack_environment(struct stack *s);

/* The path of a program of the stack. */
const char *stack_program(const struct stack *s, const char *program, char out[STACK_PATH]);

/* A build may leave out the services after the decision: is this one ("redpacket") there? */
bool stack_has(const struct stack *s, const char *service);

#endif
