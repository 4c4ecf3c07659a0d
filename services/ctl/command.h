/*
 * A command of seckillctl: one verb, one cmd_*.c file, one row of the table in main.c. The line is read
 * against that table, so that help, checks and errors come from one place.
 */
#ifndef SECKILL_CTL_COMMAND_H
#define SECKILL_CTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/error.h"
#include "common/pipeline/settings.h"

struct ctl_option {
    const char *name;     /* "stock" for --stock; NULL ends a list */
    const char *argument; /* "N"; NULL: takes none. The same name means the same in every command. */
    const char *help;
};

struct ctl; /* one run of a command */

struct command {
    const char *noun, *verb; /* "item", "put"; the verb may be NULL */
    const char *argument;    /* "SKU": the one word after them; "[ID]...": any number of them; NULL: none */
    const char *summary;     /* one line */
    const struct ctl_option *options;
    int (*run)(const struct ctl *ctl); /* returns the exit code */
};

#define CTL_MAX_OPTIONS 32

struct ctl_given {
    const char *name;  /* without "--" */
    const char *value; /* "" where the option takes none */
};

struct ctl {
    const struct command *command;
    const struct command *all; /* the table */
    const struct settings *settings;
    const char *argument;     /* the one word */
    const char *const *words; /* any number of them */
    size_t word_count;
    struct ctl_given given[CTL_MAX_OPTIONS];
    size_t given_count;
};

/* --json, which nearly every command has. */
#define CTL_OPTION_JSON                                                                                      \
    {                                                                                                        \
        "json", NULL, "print JSON: what the HTTP API answers to the same question"                           \
    }

/* The option's value, or NULL if it was not given. */
const char *ctl_option(const struct ctl *ctl, const char *name);
bool ctl_json(const struct ctl *ctl);

/* Say "seckillctl: …" on stderr and return the exit code: the first the given one, the second EXIT_USAGE. */
int ctl_fail(int exit_code, const char *format, ...) PRINTF_LIKE(2, 3);
int ctl_bad_usage(const struct ctl *ctl, const char *format, ...) PRINTF_LIKE(2, 3);

/* The exit code for what kept a command from looking (enum error_code). */
int ctl_exit_code(int error);

/* Option --NAME as a whole number in [min, max]; absent: *out stays. EXIT_OK, or EXIT_USAGE after having said
 * so. */
int ctl_option_number(const struct ctl *ctl, const char *name, int64_t min, int64_t max, int64_t *out);

#endif
