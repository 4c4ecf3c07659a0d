/* item show: one item, from the shard that has it. */
#include "common/pipeline/message.h"
#include "services/ctl/commands.h"
#include "services/ctl/inventory.h"
#include "services/ctl/item_view.h"

const struct ctl_option cmd_item_show_options[] = {
    CTL_OPTION_JSON,
    {NULL, NULL, NULL},
};

int cmd_item_show(const struct ctl *ctl)
{
    if (!name_is_valid(slice_of(ctl->argument)))
        return ctl_bad_usage(ctl, "the SKU must have 1 to %d bytes of UTF-8 and no control characters",
                             NAME_MAX_BYTES);
    struct inventory *inventory;
    int status = inventory_open(ctl, &inventory);
    if (status)
        return status;
    int shard;
    json_t *item = NULL;
    status = inventory_find_item(inventory, ctl->argument, &shard, &item);
    if (status == EXIT_OK)
        status = item ? item_print(item, ctl_json(ctl))
                      : ctl_fail(EXIT_FAILED, "there is no item \"%s\"", ctl->argument);
    inventory_close(inventory);
    json_decref(item);
    return status;
}
