/* item list: the catalogue of all shards. */
#include "common/pipeline/names.h"
#include "services/ctl/commands.h"
#include "services/ctl/inventory.h"
#include "services/ctl/item_view.h"

const struct ctl_option cmd_item_list_options[] = {
    CTL_OPTION_JSON,
    {NULL, NULL, NULL},
};

int cmd_item_list(const struct ctl *ctl)
{
    struct inventory *inventory;
    int status = inventory_open(ctl, &inventory);
    if (status)
        return status;
    json_t *body = json_object(), *items = json_array(), *all = json_object();
    json_object_set(all, "items", items);
    for (int shard = 0; shard < ctl->settings->topology.shards && status == EXIT_OK; shard++) {
        json_t *result = NULL;
        status = inventory_ask(inventory, shard, RPC_ITEM_LIST, body, &result, NULL);
        if (status == EXIT_OK)
            json_array_extend(items, json_object_get(result, "items"));
        json_decref(result);
    }
    if (status == EXIT_OK)
        status = item_list_print(all, ctl_json(ctl));
    inventory_close(inventory);
    json_decref(items);
    json_decref(all);
    json_decref(body);
    return status;
}
