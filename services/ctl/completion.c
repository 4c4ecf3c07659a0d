/* See completion.h. */
#include "services/ctl/completion.h"

#include <string.h>

static const char head[] =
    "# bash completion for seckillctl: printed by \"seckillctl commands --completion\"\n"
    "_seckillctl()\n"
    "{\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i options= words=()\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        case ${COMP_WORDS[i]} in\n"
    "        %s) ((i++)) ;;\n" /* options that take a value */
    "        -*) ;;\n"
    "        *) words+=(\"${COMP_WORDS[i]}\") ;;\n"
    "        esac\n"
    "    done\n";

static const char tail[] =
    "    if [[ $cur == -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$options --config --set --help --version\" -- \"$cur\")\n"
    "    fi\n"
    "}\n"
    "complete -F _seckillctl seckillctl\n";

/* The first option of this name in the table? */
static bool is_first(const struct command *commands, const struct ctl_option *option)
{
    for (const struct command *c = commands; c->noun; c++)
        for (const struct ctl_option *o = c->options; o && o->name; o++)
            if (strcmp(o->name, option->name) == 0)
                return o == option;
    return false;
}

static void each_valued(struct buffer *out, const struct command *commands,
                        void (*add)(struct buffer *out, const struct ctl_option *option))
{
    for (const struct command *c = commands; c->noun; c++)
        for (const struct ctl_option *o = c->options; o && o->name; o++)
            if (o->argument && is_first(commands, o))
                add(out, o);
}

static void add_pattern(struct buffer *out, const struct ctl_option *option)
{
    buffer_printf(out, " | --%s", option->name);
}

/* "csv|ndjson" as two words. */
static void add_choices(struct buffer *out, const char *choices)
{
    for (; *choices; choices++)
        buffer_add(out, *choices == '|' ? " " : choices, 1);
}

static void add_values(struct buffer *out, const struct ctl_option *option)
{
    buffer_printf(out, "    --%s) ", option->name);
    if (strcmp(option->argument, "FILE") == 0) {
        buffer_add_text(out, "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); ");
    } else if (strchr(option->argument, '|')) {
        buffer_add_text(out, "mapfile -t COMPREPLY < <(compgen -W \"");
        add_choices(out, option->argument);
        buffer_add_text(out, "\" -- \"$cur\"); ");
    }
    buffer_add_text(out, "return ;;\n");
}

static void add_option_values(struct buffer *out, const struct command *commands)
{
    buffer_add_text(out, "    case $prev in\n"
                         "    --config) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n"
                         "    --set) mapfile -t COMPREPLY < <(compgen -W \"");
    for (const struct config_option *o = settings_table; o->key; o++)
        buffer_printf(out, "%s%s=", o == settings_table ? "" : " ", o->key);
    buffer_add_text(out, "\" -- \"$cur\"); compopt -o nospace 2>/dev/null; return ;;\n");
    each_valued(out, commands, add_values);
    buffer_add_text(out, "    esac\n");
}

static bool is_first_of_noun(const struct command *commands, const struct command *command)
{
    for (const struct command *c = commands; c < command; c++)
        if (strcmp(c->noun, command->noun) == 0)
            return false;
    return true;
}

static void add_words(struct buffer *out, const char *when, const struct command *commands, const char *noun)
{
    buffer_printf(out, "    %s) mapfile -t COMPREPLY < <(compgen -W \"", when);
    for (const struct command *c = commands; c->noun; c++) {
        if (!noun && is_first_of_noun(commands, c))
            buffer_printf(out, "%s ", c->noun);
        else if (noun && strcmp(c->noun, noun) == 0)
            buffer_printf(out, "%s ", c->verb);
    }
    buffer_add_text(out, "\" -- \"$cur\") ;;\n");
}

/* What the words so far ask for: another word, or a command's options. */
static void add_commands(struct buffer *out, const struct command *commands)
{
    buffer_add_text(out, "    case \"${words[*]:0:2}\" in\n");
    add_words(out, "\"\"", commands, NULL);
    for (const struct command *c = commands; c->noun; c++)
        if (c->verb && is_first_of_noun(commands, c))
            add_words(out, c->noun, commands, c->noun);
    for (const struct command *c = commands; c->noun; c++) {
        buffer_printf(out, "    \"%s%s%s\"*) options=\"", c->noun, c->verb ? " " : "",
                      c->verb ? c->verb : "");
        for (const struct ctl_option *o = c->options; o && o->name; o++)
            buffer_printf(out, "%s--%s", o == c->options ? "" : " ", o->name);
        buffer_add_text(out, "\" ;;\n");
    }
    buffer_add_text(out, "    esac\n");
}

void completion_add(struct buffer *out, const struct command *commands)
{
    struct buffer valued = {0};
    buffer_add_text(&valued, "--config | --set");
    each_valued(&valued, commands, add_pattern);
    buffer_printf(out, head, buffer_text(&valued));
    buffer_free(&valued);
    add_option_values(out, commands);
    add_commands(out, commands);
    buffer_add_text(out, tail);
}
