/*
 * A process that outlives the test program and takes its stack down if the program could not: after a crash,
 * a kill, a time-out of ctest, Ctrl-C. It holds none of our descriptors open.
 */
#ifndef SECKILL_TESTS_GUARDIAN_H
#define SECKILL_TESTS_GUARDIAN_H

/* From now on: when this process is gone without guardian_dismiss, or after so many seconds, runs down_argv
 * (at most a minute, its output into log_path) and then kills every process with mark ("NAME=value") in its
 * environment. The arguments must stay as they are. Before any thread is started. 0 or -1. */
int guardian_start(const char *const down_argv[], const char *mark, const char *log_path, int seconds);
void guardian_dismiss(void);

#endif
