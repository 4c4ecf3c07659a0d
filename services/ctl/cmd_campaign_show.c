/* campaign show: one item's red packets. */
#include "common/pipeline/message.h"
#include "common/pipeline/names.h"
#include "services/ctl/campaign_view.h"
#include "services/ctl/commands.h"

const struct ctl_option cmd_campaign_show_options[] = {
    CTL_OPTION_PLAIN_JSON,
    {NULL, NULL, NULL},
};

int cmd_campaign_show(const struct ctl *ctl)
{
    if (!name_is_valid(slice_of(ctl->argument)))
        return ctl_bad_usage(ctl, "the SKU must have 1 to %d bytes of UTF-8 and no control characters",
                             NAME_MAX_BYTES);
    json_t *campaign = NULL;
    int status = redpacket_ask(ctl, RPC_CAMPAIGN_SHOW, json_pack("{s:s}", "sku", ctl->argument), &campaign);
    if (status == EXIT_OK)
        status = campaign_print(campaign, ctl_json(ctl));
    json_decref(campaign);
    return status;
}
