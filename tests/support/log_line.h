/* Waiting for a line in one of the stack's logs: a service's, an instance's ("order@2"), the broker's
 * ("rabbitmq"). */
#ifndef SECKILL_TESTS_LOG_LINE_H
#define SECKILL_TESTS_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/support/stack.h"

struct log_line {
    char path[STACK_PATH];
    const char *words; /* of the line; borrowed; "": any line */
    size_t from;       /* bytes of the log that are passed over */
};

/* A line that is yet to come: what is in the log by now does not count. words "": where the log ends now, for
 * log_line_has. */
struct log_line log_line_next(const struct stack *s, const char *log, const char *words);

/* Is it there? For wait_until, with the line as its context. */
bool log_line_is_there(void *line);

/* Are other words there, in the same part of the log? */
bool log_line_has(const struct log_line *line, const char *words);

#endif
