/* What every command needs. See command.h. */
#include "services/ctl/command.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/number.h"

const char *ctl_option(const struct ctl *ctl, const char *name)
{
    for (size_t i = 0; i < ctl->given_count; i++)
        if (strcmp(ctl->given[i].name, name) == 0)
            return ctl->given[i].value;
    return NULL;
}

bool ctl_json(const struct ctl *ctl)
{
    return ctl_option(ctl, "json") != NULL;
}

static void say(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
static void say(const char *format, va_list args)
{
    fflush(stdout); /* so that the two streams stay in order */
    fputs("seckillctl: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int ctl_fail(int exit_code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    return exit_code;
}

int ctl_bad_usage(const struct ctl *ctl, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    fprintf(stderr, "Try \"seckillctl %s%s%s --help\".\n", ctl->command->noun, ctl->command->verb ? " " : "",
            ctl->command->verb ? ctl->command->verb : "");
    return EXIT_USAGE;
}

int ctl_exit_code(int error)
{
    switch (error) {
    case 0:
        return EXIT_OK;
    case E_IO:
    case E_CORRUPT:
    case E_BUSY:
        return EXIT_DISK;
    case E_INVALID:
    case E_NEWER:
        return EXIT_CONFIG;
    default: /* E_CLOSED, E_TIMEOUT, E_REFUSED, E_NOT_FOUND: what was asked is not there to answer */
        return EXIT_UNAVAILABLE;
    }
}

int ctl_option_number(const struct ctl *ctl, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const char *text = ctl_option(ctl, name);
    if (!text || number_parse(text, min, max, out) == 0)
        return EXIT_OK;
    return ctl_bad_usage(ctl, "--%s must be a whole number from %" PRId64 " to %" PRId64 ", not \"%s\"", name,
                         min, max, text);
}
