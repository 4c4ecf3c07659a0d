/* Running seckill-replay, and the fake front end that it is judged by. */
#ifndef SECKILL_TESTS_REPLAY_H
#define SECKILL_TESTS_REPLAY_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/support/process.h"

struct replay_result {
    struct process_output output; /* its status is the exit code */
    json_t *report;               /* what --json wrote; NULL: nothing */
};

/* seckill-replay --url …:port words…; the words end with NULL. Free the result. */
void replay(int port, struct replay_result *result, const char *const words[]);
void replay_free(struct replay_result *result);

/* A number of the report by its path, "counts.accepted"; -1: not there. */
double replay_number(const struct replay_result *result, const char *path);

/* How many of a histogram ("latency_histogram") took at least so many microseconds. */
int64_t replay_slower(const struct replay_result *result, const char *histogram, int64_t us);

/* The count of the check with these words in it that failed; -1: there is no such check. */
int64_t replay_failed(const struct replay_result *result, const char *says);

struct fake_front_end {
    int port, input; /* input: it ends when this is closed */
    pid_t pid;
};

/* fake_front_end.py with these words (end with NULL). 0 or -1. */
int fake_front_end_start(struct fake_front_end *f, const char *const words[]);
void fake_front_end_end(struct fake_front_end *f);

#endif
