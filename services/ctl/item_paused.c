#include "services/ctl/item_paused.h"

#include <jansson.h>

#include "common/pipeline/message.h"
#include "common/pipeline/names.h"
#include "services/ctl/inventory.h"
#include "services/ctl/item_view.h"

int item_set_paused(const struct ctl *ctl, bool paused)
{
    struct inventory *inventory = NULL;
    json_t *body = NULL, *found = NULL, *item = NULL;
    int shard = 0;
    if (!name_is_valid(slice_of(ctl->argument)))
        return ctl_bad_usage(ctl, "the SKU must have 1 to %d bytes of UTF-8 and no control characters",
                             NAME_MAX_BYTES);
    int status = inventory_open(ctl, &inventory);
    if (status)
        return status;
    status = inventory_find_item(inventory, ctl->argument, &shard, &found);
    if (status == EXIT_OK && !found)
        status = ctl_fail(EXIT_FAILED, "there is no item \"%s\"", ctl->argument);
    if (status == EXIT_OK) {
        body = json_pack("{s:s, s:b, s:s}", "sku", ctl->argument, "paused", (int)paused, "if_match", "*");
        status = inventory_ask(inventory, shard, RPC_ITEM_PUT, body, &item, NULL);
    }
    if (status == EXIT_OK)
        status = item_print(item, ctl_json(ctl));
    inventory_close(inventory);
    json_decref(item);
    json_decref(found);
    json_decref(body);
    return status;
}
