/* What every program of ours does before its own work. Ends the process with the exit codes of error.h. */
#include "common/base/program.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/scdoc.h"

#ifdef SECKILL_FAULTS
#define BUILD_NOTE " (with fault points)"
#else
#define BUILD_NOTE ""
#endif

enum option_code { /* what getopt_long returns; FLAG_BASE + i is the program's own flag i */
                   OPTION_CONFIG = 256,
                   OPTION_SET,
                   OPTION_CHECK,
                   OPTION_PRINT,
                   OPTION_VERSION,
                   OPTION_HELP,
                   OPTION_SCDOC,
                   FLAG_BASE,
                   KEY_BASE = FLAG_BASE + 1000 /* + i: option i of the table */
};

static const struct {
    const char *name, *argument; /* argument NULL: takes none */
    int code;
    const char *help;
} common_options[] = {
    {"config", "FILE", OPTION_CONFIG,
     "read the settings from FILE (else from " DEFAULT_CONFIG_FILE ", if it is there)"},
    {"set", "SECTION.KEY=VALUE", OPTION_SET, "set one value, which wins over the file; may be repeated"},
    {"check-config", NULL, OPTION_CHECK, "say whether the settings are fine, and exit"},
    {"print-config", NULL, OPTION_PRINT, "print each key, its value and where it came from, and exit"},
    {"version", NULL, OPTION_VERSION, "print the version, and exit"},
    {"help", NULL, OPTION_HELP, "print this, and exit"},
    {"scdoc", NULL, OPTION_SCDOC, NULL}, /* for the manual pages: no business of --help */
};

#define COMMON_COUNT (sizeof(common_options) / sizeof(common_options[0]))

struct command_line {
    struct option *options; /* kept to the end: --help ends the process in the middle of reading them */
    const char *path;       /* --config; NULL: not given */
    const char **sets;
    size_t set_count;
    char **made; /* of the sets: those that stand for an option of a section, one for each of the table */
    bool check, print;
};

static size_t count_flags(const struct program_spec *spec)
{
    size_t n = 0;
    while (spec->flags && spec->flags[n].name)
        n++;
    return n;
}

/* Is it an option by itself, too? Then *name is what stands behind its section's dot. */
static bool is_short(const struct program_spec *spec, const struct config_option *option, const char **name)
{
    const size_t len = spec->option_section ? strlen(spec->option_section) : 0;
    if (len == 0 || strncmp(option->key, spec->option_section, len) != 0 || option->key[len] != '.')
        return false;
    *name = option->key + len + 1;
    return true;
}

static size_t count_keys(const struct program_spec *spec)
{
    size_t n = 0;
    while (spec->config.options[n].key)
        n++;
    return n;
}

/* "drain_timeout" → "drain-timeout"; to be freed. */
static char *option_name(const char *key_name)
{
    char *name = xstrdup(key_name);
    for (char *p = name; *p != '\0'; p++)
        if (*p == '_')
            *p = '-';
    return name;
}

/* Ends the process after its only task was to print: a full disk or a closed pipe is no success. */
static _Noreturn void finish(void)
{
    if (ferror(stdout) || fflush(stdout) != 0)
        exit(EXIT_DISK);
    exit(EXIT_OK);
}

static _Noreturn void bad_usage(const struct program_spec *spec)
{
    fprintf(stderr, "Try \"%s --help\".\n", spec->name);
    exit(EXIT_USAGE);
}

static _Noreturn void bad_config(const struct program_spec *spec, const struct detail *why)
{
    fprintf(stderr, "%s: configuration: %s\n", spec->name, why->text);
    exit(EXIT_CONFIG);
}

static void print_option(const char *name, const char *argument, const char *help)
{
    enum { COLUMN = 28 };
    int width = printf("  --%s%s%s", name, argument ? " " : "", argument ? argument : "");
    printf("%*s%s", width < COLUMN ? COLUMN - width : 2, "", help);
}

static const char *word_of(const struct config_option *option)
{
    static const char *const words[] = {
        [CONFIG_TEXT] = "TEXT", [CONFIG_INT] = "N", [CONFIG_BOOL] = NULL, [CONFIG_CHOICE] = "WORD"};
    return option->word ? option->word : words[option->type];
}

static void print_short_options(const struct program_spec *spec)
{
    const char *key_name;
    for (const struct config_option *o = spec->config.options; o->key; o++) {
        if (!is_short(spec, o, &key_name))
            continue;
        char *name = option_name(key_name);
        print_option(name, word_of(o), o->help);
        if (o->type != CONFIG_BOOL && *o->fallback)
            printf(" [%s%s%s]", o->fallback, o->unit ? " " : "", o->unit ? o->unit : "");
        else if (o->type != CONFIG_BOOL && o->unit)
            printf(" [%s]", o->unit);
        putchar('\n');
        free(name);
    }
    if (spec->option_section)
        putchar('\n');
}

static _Noreturn void print_help(const struct program_spec *spec)
{
    const bool has_usage = spec->usage && *spec->usage;
    printf("Usage: %s [OPTION]...%s%s\n%s\n\n", spec->name, has_usage ? " " : "",
           has_usage ? spec->usage : "", spec->summary);
    print_short_options(spec);
    for (size_t i = 0; i < count_flags(spec); i++) {
        print_option(spec->flags[i].name, NULL, spec->flags[i].help);
        putchar('\n');
    }
    for (size_t i = 0; i < COMMON_COUNT; i++) {
        if (!common_options[i].help)
            continue;
        print_option(common_options[i].name, common_options[i].argument, common_options[i].help);
        putchar('\n');
    }
    if (spec->exits)
        printf("\nExit status: %s\n", spec->exits);
    else
        printf("\nExit status: 0 fine, %d bad usage, %d bad configuration, %d no broker, %d disk.\n",
               EXIT_USAGE, EXIT_CONFIG, EXIT_UNAVAILABLE, EXIT_DISK);
    finish();
}

static void add_option_scdoc(struct buffer *b, const char *name, const char *argument, const char *help)
{
    buffer_printf(b, "*--%s*", name);
    if (argument) {
        buffer_add_text(b, " _");
        scdoc_add(b, argument);
        buffer_add_text(b, "_");
    }
    buffer_add_text(b, "\n\t");
    scdoc_add(b, help);
    buffer_add_text(b, "\n\n");
}

static void add_short_options_scdoc(struct buffer *b, const struct program_spec *spec)
{
    const char *key_name;
    for (const struct config_option *o = spec->config.options; o->key; o++) {
        if (!is_short(spec, o, &key_name))
            continue;
        char *name = option_name(key_name);
        add_option_scdoc(b, name, word_of(o), o->help);
        free(name);
    }
}

/* The options as --help has them, in the form of the manual pages' sources. */
static _Noreturn void print_scdoc(const struct program_spec *spec)
{
    struct buffer b = {0};
    add_short_options_scdoc(&b, spec);
    for (size_t i = 0; i < count_flags(spec); i++)
        add_option_scdoc(&b, spec->flags[i].name, NULL, spec->flags[i].help);
    for (size_t i = 0; i < COMMON_COUNT; i++)
        if (common_options[i].help)
            add_option_scdoc(&b, common_options[i].name, common_options[i].argument, common_options[i].help);
    fwrite(b.data, 1, b.len, stdout);
    buffer_free(&b);
    finish();
}

static struct option *long_options_new(const struct program_spec *spec)
{
    const size_t flag_count = count_flags(spec), key_count = count_keys(spec);
    struct option *all = xcalloc(COMMON_COUNT + flag_count + key_count + 1, sizeof(*all));
    struct option *next = all + COMMON_COUNT + flag_count;
    const char *key_name;
    for (size_t i = 0; i < COMMON_COUNT; i++)
        all[i] = (struct option){.name = common_options[i].name,
                                 .has_arg = common_options[i].argument ? required_argument : no_argument,
                                 .val = common_options[i].code};
    for (size_t i = 0; i < flag_count; i++)
        all[COMMON_COUNT + i] = (struct option){.name = spec->flags[i].name, .val = FLAG_BASE + (int)i};
    for (size_t i = 0; i < key_count; i++)
        if (is_short(spec, &spec->config.options[i], &key_name))
            *next++ = (struct option){
                .name = option_name(key_name), /* kept: the list lives as long as the command line is read */
                .has_arg =
                    spec->config.options[i].type == CONFIG_BOOL ? optional_argument : required_argument,
                .val = KEY_BASE + (int)i};
    return all;
}

/* The option is short for a --set. Given again, it wins over what it said before; where the key is a list, it
 * adds to it. */
static void take_key(const struct program_spec *spec, size_t at, struct command_line *line)
{
    const struct config_option *o = &spec->config.options[at];
    const char *value = optarg ? optarg : "true";
    const char *before = line->made[at];
    struct buffer set = {0};
    if (before && o->list)
        buffer_printf(&set, "%s,%s", before, value);
    else
        buffer_printf(&set, "%s=%s", o->key, value);
    char *text = xstrdup(buffer_text(&set));
    buffer_free(&set);
    size_t kept = 0;
    for (size_t i = 0; i < line->set_count; i++)
        if (!before || line->sets[i] != before)
            line->sets[kept++] = line->sets[i];
    line->set_count = kept;
    free(line->made[at]);
    line->made[at] = text;
    line->sets[line->set_count++] = text;
}

static void take_option(const struct program_spec *spec, int code, struct command_line *line)
{
    switch (code) {
    case OPTION_CONFIG:
        line->path = optarg;
        break;
    case OPTION_SET:
        line->sets[line->set_count++] = optarg;
        break;
    case OPTION_CHECK:
        line->check = true;
        break;
    case OPTION_PRINT:
        line->print = true;
        break;
    case OPTION_VERSION:
        printf("%s %s" BUILD_NOTE "\n", spec->name, SECKILL_VERSION);
        finish();
    case OPTION_HELP:
        print_help(spec);
    case OPTION_SCDOC:
        print_scdoc(spec);
    default:
        if (code < FLAG_BASE) /* getopt has said what is wrong */
            bad_usage(spec);
        if (code >= KEY_BASE) {
            take_key(spec, (size_t)(code - KEY_BASE), line);
            break;
        }
        *spec->flags[code - FLAG_BASE].given = true;
    }
}

static void free_command_line(const struct program_spec *spec, struct command_line *line)
{
    for (struct option *o = line->options; o->name; o++)
        if (o->val >= KEY_BASE)
            free((char *)o->name);
    for (size_t i = 0; i < count_keys(spec); i++)
        free(line->made[i]);
    free(line->options);
    free(line->made);
    free(line->sets);
}

/* Returns the index of the first word that is no option. */
static int parse_command_line(const struct program_spec *spec, int argc, char **argv,
                              struct command_line *line)
{
    line->options = long_options_new(spec);
    line->sets = xcalloc((size_t)argc, sizeof(*line->sets)); /* no more than there are words */
    line->made = xcalloc(count_keys(spec) + 1, sizeof(*line->made));
    int code;
    while ((code = getopt_long(argc, argv, "+", line->options, NULL)) != -1)
        take_option(spec, code, line);
    if (optind < argc && !spec->takes_arguments) {
        fprintf(stderr, "%s: unexpected word \"%s\"\n", spec->name, argv[optind]);
        bad_usage(spec);
    }
    return optind;
}

/* The table's "log.level", where it has one with log.h's levels in their order, counts from here on. */
static void set_log_level(const struct config_option *options, const void *settings)
{
    for (; options->key; options++)
        if (strcmp(options->key, "log.level") == 0 && options->type == CONFIG_CHOICE)
            log_set_level((enum log_level) * (const int *)((const char *)settings + options->offset));
}

struct config *program_start(const struct program_spec *spec, int argc, char **argv, void *settings,
                             int *first_argument)
{
    log_start(spec->name);
    struct command_line line = {0};
    const int first = parse_command_line(spec, argc, argv, &line);
    fault_start();

    struct config *config;
    struct detail why = {0};
    const char *path = line.path ? line.path : DEFAULT_CONFIG_FILE;
    int rc = config_load(&config, &spec->config, path, line.path != NULL, line.sets, line.set_count, settings,
                         &why);
    free_command_line(spec, &line);
    if (rc)
        bad_config(spec, &why);
    if (line.print) /* before the check: it shows where a value that does not pass comes from */
        config_print(config, stdout);
    if (spec->check && spec->check(settings, &why) != 0)
        bad_config(spec, &why);
    if (line.check)
        puts("configuration is fine");
    if (line.print || line.check)
        finish();

    set_log_level(spec->config.options, settings);
    if (first_argument)
        *first_argument = first;
    return config;
}
