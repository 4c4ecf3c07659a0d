/* item pause: sells nothing of an item until it is resumed. */
#include "services/ctl/commands.h"
#include "services/ctl/item_paused.h"

const struct ctl_option cmd_item_pause_options[] = {
    CTL_OPTION_JSON,
    {NULL, NULL, NULL},
};

int cmd_item_pause(const struct ctl *ctl)
{
    return item_set_paused(ctl, true);
}
