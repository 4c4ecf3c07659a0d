/* campaign put: creates the red packets of an item, or changes what is named of them. */
#include "common/pipeline/message.h"
#include "common/pipeline/names.h"
#include "services/ctl/campaign_view.h"
#include "services/ctl/commands.h"

#define AMOUNT_MAX  INT64_C(1000000000000000)
#define PACKETS_MAX INT64_C(1000000000)

const struct ctl_option cmd_campaign_put_options[] = {
    {"budget", "N", "to give away in all, in the smallest unit (fen); a new campaign needs it"},
    {"packets", "N", "among so many confirmed orders; a new campaign needs it"},
    {"min-amount", "N", "of each packet; 1 for a new campaign"},
    CTL_OPTION_PLAIN_JSON,
    {NULL, NULL, NULL},
};

static int add_number(const struct ctl *ctl, json_t *body, const char *option, const char *member,
                      int64_t min, int64_t max)
{
    int64_t value;
    if (!ctl_option(ctl, option))
        return EXIT_OK;
    int status = ctl_option_number(ctl, option, min, max, &value);
    if (status == EXIT_OK)
        json_object_set_new(body, member, json_integer(value));
    return status;
}

int cmd_campaign_put(const struct ctl *ctl)
{
    int status;
    if (!name_is_valid(slice_of(ctl->argument)))
        return ctl_bad_usage(ctl, "the SKU must have 1 to %d bytes of UTF-8 and no control characters",
                             NAME_MAX_BYTES);
    json_t *body = json_pack("{s:s}", "sku", ctl->argument), *campaign = NULL;
    if ((status = add_number(ctl, body, "budget", "budget", 0, AMOUNT_MAX)) ||
        (status = add_number(ctl, body, "packets", "packets", 0, PACKETS_MAX)) ||
        (status = add_number(ctl, body, "min-amount", "min_amount", 1, AMOUNT_MAX))) {
        json_decref(body);
        return status;
    }
    status = redpacket_ask(ctl, RPC_CAMPAIGN_PUT, body, &campaign);
    if (status == EXIT_OK)
        status = campaign_print(campaign, ctl_json(ctl));
    json_decref(campaign);
    return status;
}
