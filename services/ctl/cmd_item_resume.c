/* item resume: sells an item again that was paused. */
#include "services/ctl/commands.h"
#include "services/ctl/item_paused.h"

const struct ctl_option cmd_item_resume_options[] = {
    CTL_OPTION_JSON,
    {NULL, NULL, NULL},
};

int cmd_item_resume(const struct ctl *ctl)
{
    return item_set_paused(ctl, false);
}
