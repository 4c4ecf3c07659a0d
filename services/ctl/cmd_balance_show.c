/* balance show: what a buyer was granted in all. */
#include <inttypes.h>
#include <stdio.h>

#include "common/pipeline/json_read.h"
#include "common/pipeline/message.h"
#include "common/pipeline/names.h"
#include "services/ctl/campaign_view.h"
#include "services/ctl/commands.h"

const struct ctl_option cmd_balance_show_options[] = {
    CTL_OPTION_PLAIN_JSON,
    {NULL, NULL, NULL},
};

static int print(const json_t *balance, bool as_json)
{
    int64_t amount, packets;
    struct detail why;
    if (json_read_int(balance, "amount", 0, INT64_MAX, &amount, &why) ||
        json_read_int(balance, "packets", 0, INT64_MAX, &packets, &why))
        return ctl_fail(EXIT_SOFTWARE, "the red packets' answer cannot be read: %s", why.text);
    if (as_json) {
        json_dumpf(balance, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    } else {
        printf("%" PRId64 " in %" PRId64 " red packets\n", amount, packets);
    }
    return EXIT_OK;
}

int cmd_balance_show(const struct ctl *ctl)
{
    if (!name_is_valid(slice_of(ctl->argument)))
        return ctl_bad_usage(ctl, "the user must have 1 to %d bytes of UTF-8 and no control characters",
                             NAME_MAX_BYTES);
    json_t *balance = NULL;
    int status = redpacket_ask(ctl, RPC_BALANCE_SHOW, json_pack("{s:s}", "user_id", ctl->argument), &balance);
    if (status == EXIT_OK)
        status = print(balance, ctl_json(ctl));
    json_decref(balance);
    return status;
}
