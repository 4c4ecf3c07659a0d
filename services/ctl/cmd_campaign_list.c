/* campaign list: all red packet campaigns, and what is left of each. */
#include "common/pipeline/names.h"
#include "services/ctl/campaign_view.h"
#include "services/ctl/commands.h"

const struct ctl_option cmd_campaign_list_options[] = {
    CTL_OPTION_PLAIN_JSON,
    {NULL, NULL, NULL},
};

int cmd_campaign_list(const struct ctl *ctl)
{
    json_t *list = NULL;
    int status = redpacket_ask(ctl, RPC_CAMPAIGN_LIST, json_object(), &list);
    if (status == EXIT_OK)
        status = campaign_list_print(list, ctl_json(ctl));
    json_decref(list);
    return status;
}
