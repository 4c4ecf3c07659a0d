/*
 * The command line: words and options in any order. Options that every program of ours has (--config, --set,
 * …) are put aside for program_start(); what remains is held against the table of commands.
 */
#ifndef SECKILL_CTL_ARGUMENTS_H
#define SECKILL_CTL_ARGUMENTS_H

#include "services/ctl/command.h"

struct arguments {
    int common_argc; /* the program's name and the common options, for program_start */
    char **common_argv;
    const char **words; /* noun, verb, and what follows */
    bool help;          /* with a command: show that command's help */
    struct ctl ctl;     /* settings not yet set; command NULL: only common options were given */
};

/* Reads the whole line. `commands` ends with noun == NULL. E_INVALID with a sentence that names what is
 * wrong. */
int arguments_parse(struct arguments *a, const struct command *commands, int argc, char **argv,
                    struct detail *why) MUST_USE;
void arguments_free(struct arguments *a);

/* The list of commands for --help, and one command's own help. The text is the caller's to free. */
char *arguments_command_list(const struct command *commands);
void arguments_print_help(const struct command *command);

#endif
