/* The command line against the table of commands. See arguments.h. */
#include "services/ctl/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"

#define HELP_COLUMN 26

/* The options of common/base/program.c that may stand anywhere here. */
static const struct ctl_option common_options[] = {
    {"config", "FILE", NULL},     {"set", "SECTION.KEY=VALUE", NULL},
    {"check-config", NULL, NULL}, {"print-config", NULL, NULL},
    {"version", NULL, NULL},      {"scdoc", NULL, NULL},
    {NULL, NULL, NULL},
};

static const struct ctl_option *find_option(const struct ctl_option *list, const char *name, size_t len)
{
    for (; list && list->name; list++)
        if (strlen(list->name) == len && memcmp(list->name, name, len) == 0)
            return list;
    return NULL;
}

/* An option of any command: which one it belongs to is known only when all words are. */
static const struct ctl_option *find_any_option(const struct command *commands, const char *name, size_t len)
{
    for (; commands->noun; commands++) {
        const struct ctl_option *option = find_option(commands->options, name, len);
        if (option)
            return option;
    }
    return NULL;
}

static int keep_option(struct arguments *a, const struct ctl_option *option, const char *value,
                       struct detail *why)
{
    if (ctl_option(&a->ctl, option->name)) {
        detail_set(why, "--%s is given twice", option->name);
        return E_INVALID;
    }
    if (a->ctl.given_count == CTL_MAX_OPTIONS) {
        detail_set(why, "too many options");
        return E_INVALID;
    }
    a->ctl.given[a->ctl.given_count++] = (struct ctl_given){.name = option->name, .value = value};
    return 0;
}

/* argv[*at] begins with "--". Takes it, and its value where that is the next word. */
static int take_option(struct arguments *a, const struct command *commands, int argc, char **argv, int *at,
                       struct detail *why)
{
    char *word = argv[*at];
    const char *name = word + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    if (len == 4 && memcmp(name, "help", 4) == 0 && !equals) {
        a->help = true;
        return 0;
    }
    const struct ctl_option *common = find_option(common_options, name, len);
    const struct ctl_option *option = common ? common : find_any_option(commands, name, len);
    if (!option) {
        detail_set(why, "there is no option --%.*s", (int)len, name);
        return E_INVALID;
    }
    if (equals && !option->argument) {
        detail_set(why, "--%s takes no value", option->name);
        return E_INVALID;
    }
    if (option->argument && !equals && *at + 1 >= argc) {
        detail_set(why, "--%s needs a value: %s", option->name, option->argument);
        return E_INVALID;
    }
    const char *value = equals ? equals + 1 : option->argument ? argv[++*at] : "";
    if (!common)
        return keep_option(a, option, value, why);
    a->common_argv[a->common_argc++] = word;
    if (option->argument && !equals)
        a->common_argv[a->common_argc++] = argv[*at];
    return 0;
}

/* "put, list, show" */
static void list_verbs(struct buffer *out, const struct command *commands, const char *noun)
{
    for (const struct command *c = commands; c->noun; c++)
        if (strcmp(c->noun, noun) == 0)
            buffer_printf(out, "%s%s", out->len > 0 ? ", " : "", c->verb);
}

static const struct command *find_command(const struct command *commands, const char *const *words, int count,
                                          struct detail *why)
{
    bool noun_known = false;
    for (const struct command *c = commands; c->noun; c++) {
        if (strcmp(c->noun, words[0]) != 0)
            continue;
        noun_known = true;
        if (!c->verb || (count > 1 && strcmp(c->verb, words[1]) == 0))
            return c;
    }
    if (!noun_known) {
        detail_set(why, "there is no command \"%s\"", words[0]);
        return NULL;
    }
    struct buffer verbs = {0};
    list_verbs(&verbs, commands, words[0]);
    if (count == 1)
        detail_set(why, "\"%s\" needs a verb: %s", words[0], buffer_text(&verbs));
    else
        detail_set(why, "\"%s\" has no verb \"%s\", only: %s", words[0], words[1], buffer_text(&verbs));
    buffer_free(&verbs);
    return NULL;
}

static bool takes_any_number(const struct command *c)
{
    size_t len = c->argument ? strlen(c->argument) : 0;
    return len >= 3 && strcmp(c->argument + len - 3, "...") == 0;
}

/* The words in the light of the command, and the options too. */
static int match_command(struct arguments *a, const struct command *commands, const char *const *words,
                         int count, struct detail *why)
{
    const struct command *c = find_command(commands, words, count, why);
    if (!c)
        return E_INVALID;
    a->ctl.command = c;
    if (a->help)
        return 0;
    int taken = c->verb ? 2 : 1;
    const char *verb = c->verb ? c->verb : "";
    if (takes_any_number(c)) {
        a->ctl.words = words + taken;
        a->ctl.word_count = (size_t)(count - taken);
        taken = count;
    } else if (c->argument && count == taken) {
        detail_set(why, "\"%s%s%s\" needs a word: %s", c->noun, c->verb ? " " : "", verb, c->argument);
        return E_INVALID;
    } else if (c->argument) {
        a->ctl.argument = words[taken++];
    }
    if (count > taken) {
        detail_set(why, "unexpected word \"%s\"", words[taken]);
        return E_INVALID;
    }
    for (size_t i = 0; i < a->ctl.given_count; i++) {
        const char *name = a->ctl.given[i].name;
        if (!find_option(c->options, name, strlen(name))) {
            detail_set(why, "\"%s%s%s\" has no option --%s", c->noun, c->verb ? " " : "", verb, name);
            return E_INVALID;
        }
    }
    return 0;
}

int arguments_parse(struct arguments *a, const struct command *commands, int argc, char **argv,
                    struct detail *why)
{
    int count = 0, rc = 0;
    bool options_end = false;
    *a = (struct arguments){.common_argv = xcalloc((size_t)argc + 2, sizeof(char *)),
                            .words = xcalloc((size_t)argc + 1, sizeof(char *))};
    a->common_argv[a->common_argc++] = argc > 0 ? argv[0] : (char *)"seckillctl";
    for (int i = 1; i < argc && rc == 0; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (!options_end && strcmp(argv[i], "-h") == 0) {
            a->help = true;
        } else if (!options_end && strncmp(argv[i], "--", 2) == 0) {
            rc = take_option(a, commands, argc, argv, &i, why);
        } else if (!options_end && argv[i][0] == '-' && argv[i][1] != '\0') {
            detail_set(why, "there is no option %s", argv[i]);
            rc = E_INVALID;
        } else {
            a->words[count++] = argv[i];
        }
    }
    if (rc == 0 && count > 0) {
        rc = match_command(a, commands, a->words, count, why);
    } else if (rc == 0 && a->help) {
        a->common_argv[a->common_argc++] = (char *)"--help";
    } else if (rc == 0 && a->common_argc == 1) {
        detail_set(why, "what is to be done?");
        rc = E_INVALID;
    }
    if (rc)
        arguments_free(a);
    return rc;
}

void arguments_free(struct arguments *a)
{
    free(a->common_argv);
    free(a->words);
    a->common_argv = NULL;
    a->words = NULL;
}

static int add_call(struct buffer *out, const struct command *c)
{
    size_t before = out->len;
    buffer_printf(out, "%s%s%s%s%s", c->noun, c->verb ? " " : "", c->verb ? c->verb : "",
                  c->argument ? " " : "", c->argument ? c->argument : "");
    return (int)(out->len - before);
}

char *arguments_command_list(const struct command *commands)
{
    struct buffer out = {0};
    buffer_add_text(&out, "Operates a Seckill deployment.\n\nCommands:\n");
    for (const struct command *c = commands; c->noun; c++) {
        buffer_add_text(&out, "  ");
        int width = add_call(&out, c);
        buffer_printf(&out, "%*s%s\n", width < HELP_COLUMN ? HELP_COLUMN - width : 1, "", c->summary);
    }
    buffer_add_text(&out, "\nEach has a --help of its own. Options, before or after the words:");
    buffer_text(&out);
    return out.data;
}

void arguments_print_help(const struct command *command)
{
    struct buffer call = {0};
    add_call(&call, command);
    printf("Usage: seckillctl %s [OPTION]...\n%s.\n\n", buffer_text(&call), command->summary);
    buffer_free(&call);
    for (const struct ctl_option *o = command->options; o && o->name; o++) {
        int width = printf("  --%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        printf("%*s%s\n", width < HELP_COLUMN + 2 ? HELP_COLUMN + 2 - width : 1, "", o->help);
    }
    printf("  --config FILE, --set SECTION.KEY=VALUE: see seckillctl --help\n");
}
