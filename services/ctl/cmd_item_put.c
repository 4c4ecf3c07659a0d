/* item put: creates an item, or changes what is named of one that exists. */
#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/pipeline/item_change.h"
#include "common/pipeline/message.h"
#include "common/pipeline/names.h"
#include "services/ctl/commands.h"
#include "services/ctl/inventory.h"
#include "services/ctl/item_view.h"

const struct ctl_option cmd_item_put_options[] = {
    {"name", "NAME", "what people read; at most 256 bytes"},
    {"unit-price", "N", "in the smallest unit (fen); a new item needs one"},
    {"stock", "N", "units to sell in all; a new item needs it"},
    {"limit-per-user", "N", "units that one user may buy; 0: no limit"},
    {"starts-at", "TIME", "RFC 3339, such as 2026-11-22T12:00:00+08:00; none: open"},
    {"ends-at", "TIME", "the first moment after the sale; none: open"},
    {"paused", "true|false", "sells nothing while true"},
    CTL_OPTION_JSON,
    {NULL, NULL, NULL},
};

static int add_number(const struct ctl *ctl, json_t *body, const char *option, const char *member,
                      int64_t max)
{
    int64_t value;
    if (!ctl_option(ctl, option))
        return EXIT_OK;
    int status = ctl_option_number(ctl, option, 0, max, &value);
    if (status == EXIT_OK)
        json_object_set_new(body, member, json_integer(value));
    return status;
}

static int add_moment(const struct ctl *ctl, json_t *body, const char *option, const char *member)
{
    const char *text = ctl_option(ctl, option);
    int64_t wall_ms;
    char utc[RFC3339_SIZE];
    if (!text)
        return EXIT_OK;
    if (strcmp(text, "none") == 0) {
        json_object_set_new(body, member, json_null());
        return EXIT_OK;
    }
    if (rfc3339_parse(text, &wall_ms))
        return ctl_bad_usage(
            ctl, "--%s must be an RFC 3339 time such as 2026-11-22T12:00:00Z, or none, not \"%s\"", option,
            text);
    json_object_set_new(body, member, json_string(rfc3339_format(wall_ms, utc)));
    return EXIT_OK;
}

static int add_name(const struct ctl *ctl, json_t *body)
{
    const char *name = ctl_option(ctl, "name");
    if (!name)
        return EXIT_OK;
    if (strlen(name) >= ITEM_NAME_SIZE || !text_is_printable(slice_of(name)))
        return ctl_bad_usage(ctl, "--name must have at most %d bytes of UTF-8 and no control characters",
                             ITEM_NAME_SIZE - 1);
    json_object_set_new(body, "name", json_string(name));
    return EXIT_OK;
}

static int add_paused(const struct ctl *ctl, json_t *body)
{
    const char *paused = ctl_option(ctl, "paused");
    if (!paused)
        return EXIT_OK;
    bool yes = strcmp(paused, "true") == 0;
    if (!yes && strcmp(paused, "false") != 0)
        return ctl_bad_usage(ctl, "--paused must be true or false, not \"%s\"", paused);
    json_object_set_new(body, "paused", json_boolean(yes));
    return EXIT_OK;
}

/* What the line says of the item, all of it checked. */
static int read_item(const struct ctl *ctl, json_t *body)
{
    int status;
    if (!name_is_valid(slice_of(ctl->argument)))
        return ctl_bad_usage(ctl, "the SKU must have 1 to %d bytes of UTF-8 and no control characters",
                             NAME_MAX_BYTES);
    json_object_set_new(body, "sku", json_string(ctl->argument));
    if ((status = add_name(ctl, body)) ||
        (status = add_number(ctl, body, "unit-price", "unit_price", UNIT_PRICE_MAX)) ||
        (status = add_number(ctl, body, "stock", "stock", STOCK_MAX)) ||
        (status = add_number(ctl, body, "limit-per-user", "limit_per_user", LIMIT_PER_USER_MAX)) ||
        (status = add_moment(ctl, body, "starts-at", "starts_at")) ||
        (status = add_moment(ctl, body, "ends-at", "ends_at")) || (status = add_paused(ctl, body)))
        return status;
    return EXIT_OK;
}

int cmd_item_put(const struct ctl *ctl)
{
    struct inventory *inventory = NULL;
    json_t *body = json_object(), *found = NULL, *item = NULL;
    int shard = 0;
    int status = read_item(ctl, body);
    if (status || (status = inventory_open(ctl, &inventory)))
        goto done;
    /* Where it lives, else where a new one goes. With one shard there is nothing to look for. */
    if (ctl->settings->topology.shards > 1 &&
        (status = inventory_find_item(inventory, ctl->argument, &shard, &found)))
        goto done;
    status = inventory_ask(inventory, shard, RPC_ITEM_PUT, body, &item, NULL);
    if (status == EXIT_OK)
        status = item_print(item, ctl_json(ctl));
done:
    inventory_close(inventory);
    json_decref(item);
    json_decref(found);
    json_decref(body);
    return status;
}
