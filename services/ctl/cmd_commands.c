/* commands: the table of commands: for the manual page, and as bash completion. */
#include <stdio.h>

#include "common/base/scdoc.h"
#include "services/ctl/commands.h"
#include "services/ctl/completion.h"

const struct ctl_option cmd_commands_options[] = {
    {"manual", NULL, "as the manual page has it (scdoc); what is printed where neither is given"},
    {"completion", NULL, "as completion for bash"},
    {NULL, NULL, NULL},
};

static void add_argument(struct buffer *out, const char *argument)
{
    if (!argument)
        return;
    buffer_add_text(out, " _");
    scdoc_add(out, argument);
    buffer_add_text(out, "_");
}

static void add_command(struct buffer *out, const struct command *c)
{
    buffer_printf(out, "*%s%s%s*", c->noun, c->verb ? " " : "", c->verb ? c->verb : "");
    add_argument(out, c->argument);
    buffer_add_text(out, "\n\t");
    scdoc_add(out, c->summary);
    buffer_add_text(out, ".\n\n");
    for (const struct ctl_option *o = c->options; o && o->name; o++) {
        buffer_printf(out, "\t*--%s*", o->name);
        add_argument(out, o->argument);
        buffer_add_text(out, "\n\t\t");
        scdoc_add(out, o->help);
        buffer_add_text(out, "\n\n");
    }
}

int cmd_commands(const struct ctl *ctl)
{
    struct buffer out = {0};
    if (ctl_option(ctl, "completion") && ctl_option(ctl, "manual"))
        return ctl_bad_usage(ctl, "--manual or --completion, not both");
    if (ctl_option(ctl, "completion"))
        completion_add(&out, ctl->all);
    else
        for (const struct command *c = ctl->all; c->noun; c++)
            add_command(&out, c);
    fwrite(out.data, 1, out.len, stdout);
    buffer_free(&out);
    return EXIT_OK;
}
