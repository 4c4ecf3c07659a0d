/* settings: the table of settings as Markdown, by which the README's is made, or for seckill.conf(5). */
#include "common/base/config.h"
#include "services/ctl/commands.h"

const struct ctl_option cmd_settings_options[] = {
    {"manual", NULL, "as the manual page has it (scdoc), rather than as Markdown"},
    {NULL, NULL, NULL},
};

int cmd_settings(const struct ctl *ctl)
{
    const struct config_spec spec = {.options = settings_table};
    if (ctl_option(ctl, "manual"))
        config_document_scdoc(&spec, stdout);
    else
        config_document(&spec, stdout);
    return EXIT_OK;
}
