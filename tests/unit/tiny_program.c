/* The smallest program on program.h, for test_program: prints what it was left with, then exits 0. */
#include <stdio.h>

#include "common/base/log.h"
#include "common/base/program.h"

struct values {
    int64_t low, high;
    int level;
    const char *url, *names;
    bool is_open;
};

static const char *const levels[] = {"debug", "info", "warn", "error", NULL};

static const struct config_option table[] = {
    {.key = "log.level",
     .type = CONFIG_CHOICE,
     .offset = offsetof(struct values, level),
     .fallback = "info",
     .choices = levels},
    {.key = "range.low",
     .type = CONFIG_INT,
     .offset = offsetof(struct values, low),
     .fallback = "1",
     .max = 100},
    {.key = "range.high",
     .type = CONFIG_INT,
     .offset = offsetof(struct values, high),
     .fallback = "9",
     .max = 100,
     .unit = "ms",
     .help = "How high it may go."},
    {.key = "range.is_open",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct values, is_open),
     .fallback = "no",
     .help = "Whether its end is left out."},
    {.key = "range.of_names",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct values, names),
     .fallback = "",
     .list = true,
     .word = "NAME",
     .help = "A name."},
    {.key = "broker.url",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct values, url),
     .fallback = "amqp://guest:guest@localhost/",
     .secret = true},
    {.key = NULL},
};

static int check(const void *settings, struct detail *why)
{
    const struct values *v = settings;
    if (v->low <= v->high)
        return 0;
    detail_set(why, "range.low: expected at most range.high");
    return E_INVALID;
}

int main(int argc, char **argv)
{
    bool init = false;
    const struct program_flag flags[] = {{.name = "init", .given = &init, .help = "make a new database"},
                                         {0}};
    const struct program_spec spec = {
        .name = "tiny",
        .summary = "Shows what the command line came to.",
        .usage = "[WORD]...",
        .flags = flags,
        .config = {.options = table},
        .check = check,
#ifdef TAKES_ARGUMENTS
        .takes_arguments = true,
        .option_section = "range",
#endif
    };
    struct values values;
    int first = 0;
    struct config *config = program_start(&spec, argc, argv, &values, &first);
    log_debug("a_debug_line", "");
    printf("low=%d high=%d init=%d words=", (int)values.low, (int)values.high, init);
    for (int i = first; i < argc; i++)
        printf("%s;", argv[i]);
    puts("");
#ifdef TAKES_ARGUMENTS
    if (values.is_open || *values.names)
        printf("is_open=%d names=%s\n", values.is_open, values.names);
#endif
    config_free(config);
    return EXIT_OK;
}
