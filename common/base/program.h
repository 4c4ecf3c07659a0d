/*
 * What every program of ours does before its own work: --config FILE, --set section.key=value (repeatable),
 * --check-config, --print-config, --version, --help, and what the program adds: flags, and options that are
 * short for a --set.
 */
#ifndef SECKILL_BASE_PROGRAM_H
#define SECKILL_BASE_PROGRAM_H

#include "common/base/config.h"

#define DEFAULT_CONFIG_FILE "/etc/seckill/seckill.conf"

struct program_flag { /* a flag of the program's own, without an argument */
    const char *name; /* "init" for --init */
    bool *given;
    const char *help;
};

struct program_spec {
    const char *name;                 /* "seckill-order" */
    const char *summary;              /* one line for --help */
    const char *usage;                /* what follows the options in the usage line, or "" */
    const struct program_flag *flags; /* ends with name == NULL; or NULL */
    struct config_spec config;
    /* "replay": each key of this section may be given as an option, replay.drain_timeout as --drain-timeout
     * N; a true or false one may stand without a value. NULL: none. */
    const char *option_section;
    const char *exits; /* of --help: what the exit statuses mean; NULL: as for a service */
    /* Checks that need more than one value; NULL if there are none. E_INVALID with detail. */
    int (*check)(const void *settings, struct detail *why);
    bool takes_arguments; /* false: a word that is no option is a usage error */
};

/*
 * Parses argv, loads the settings, starts the log; a CONFIG_CHOICE "log.level" in the table, with log.h's
 * levels in their order, sets the level. Ends the process for --help, --version, --print-config,
 * --check-config (0, or 78 with the reason) and for bad usage (64) or bad configuration (78); so it returns
 * only when there is work to do. *first_argument is the index of the first word that is no option (options
 * end there); may be NULL. The config is owned by the caller.
 */
struct config *program_start(const struct program_spec *spec, int argc, char **argv, void *settings,
                             int *first_argument);

#endif
