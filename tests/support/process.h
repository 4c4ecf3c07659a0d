/*
 * Child processes. The test program adopts the orphans of whatever it starts (it is their "subreaper"), so a
 * service that stack.sh left in the background tells us its exit status when it ends. One thread reaps all of
 * them. May be called from any thread.
 */
#ifndef SECKILL_TESTS_PROCESS_H
#define SECKILL_TESTS_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "tests/support/text.h"

/* Adopts orphans from now on. Called once, before anything is started. 0 or -1. */
int process_adopt_orphans(void);

/* Starts argv (looked up in PATH; ends with NULL) with these "NAME=value" beside our own environment (may be
 * NULL), with its output appended to this file (NULL: ours). Returns its id, or -1. */
pid_t process_start(const char *const argv[], const char *const extra_environment[], const char *output_path);

/* Waits for the end of a child or adopted process. false: still there after the seconds. *status: the exit
 * code, or 128 + signal. */
bool process_wait(pid_t pid, int seconds, int *status);

struct process_output {
    int status; /* exit code, 128 + signal, or -1: did not end in time (it was killed) or could not be started
                 */
    struct text out, err;
};

/* Runs argv to its end, at most so many seconds, with this input (NULL: none). */
void process_run(const char *const argv[], const char *const extra_environment[], const char *input,
                 int seconds, struct process_output *result);
void process_output_free(struct process_output *result);

/* The ids of all living processes that have this "NAME=value" in their environment, and whose program file is
 * called program (NULL: any); of a process and its forks that have not become another program, the process
 * alone. Writes at most max of them; returns how many there are. */
int process_find(const char *environment_entry, const char *program, pid_t *pids, int max);

/* SIGSTOP, and waits until the last of its threads stands still: the signal alone is only the beginning of
 * that. 0 or -1. */
int process_freeze(pid_t pid);

/* The process that listens on this loopback TCP port, among those with this "NAME=value"; -1 if there is
 * none. */
pid_t process_listening_on(const char *environment_entry, int port);

#endif
