/* settings: the table of settings as Markdown; the README's is made by it. */
#include "common/base/config.h"
#include "services/ctl/commands.h"

const struct ctl_option cmd_settings_options[] = {
    {NULL, NULL, NULL},
};

int cmd_settings(const struct ctl *ctl)
{
    (void)ctl;
    config_document(&(struct config_spec){.options = settings_table}, stdout);
    return EXIT_OK;
}
