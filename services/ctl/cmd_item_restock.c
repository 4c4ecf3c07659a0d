/* item restock: adds stock to an item, once for its key. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/pipeline/item_change.h"
#include "common/pipeline/names.h"
#include "services/ctl/commands.h"
#include "services/ctl/inventory.h"
#include "services/ctl/random_key.h"
#include "services/ctl/table.h"

const struct ctl_option cmd_item_restock_options[] = {
    {"quantity", "N", "units to add"},
    {"key", "KEY", "counts once, however often it is sent; made up and shown where left out"},
    CTL_OPTION_JSON,
    {NULL, NULL, NULL},
};

static int read_restock(const struct ctl *ctl, char key[IDEMPOTENCY_KEY_MAX + 1], int64_t *quantity)
{
    const char *given = ctl_option(ctl, "key");
    if (!name_is_valid(slice_of(ctl->argument)))
        return ctl_bad_usage(ctl, "the SKU must have 1 to %d bytes of UTF-8 and no control characters",
                             NAME_MAX_BYTES);
    if (!ctl_option(ctl, "quantity"))
        return ctl_bad_usage(ctl, "--quantity is missing: how many units are there to be more?");
    if (given && !idempotency_key_is_valid(given))
        return ctl_bad_usage(ctl, "--key must have 1 to %d visible ASCII characters", IDEMPOTENCY_KEY_MAX);
    if (given)
        snprintf(key, IDEMPOTENCY_KEY_MAX + 1, "%s", given);
    else
        random_key("restock", key, IDEMPOTENCY_KEY_MAX + 1);
    return ctl_option_number(ctl, "quantity", 1, STOCK_MAX, quantity);
}

static int print_restock(const struct ctl *ctl, const json_t *result, const char *key)
{
    static const char *const columns[] = {"", "", NULL};
    if (ctl_json(ctl)) {
        json_dumpf(result, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
        return EXIT_OK;
    }
    const char *at = json_string_value(json_object_get(result, "restocked_at"));
    const json_t *quantity = json_object_get(result, "quantity"),
                 *total = json_object_get(result, "stock_total");
    if (!at || !json_is_integer(quantity) || !json_is_integer(total))
        return ctl_fail(EXIT_SOFTWARE, "inventory's answer cannot be read");
    struct table *t = table_new(columns);
    table_add(t, "sku");
    table_add(t, ctl->argument);
    table_add(t, "added");
    table_addf(t, "%" PRId64, (int64_t)json_integer_value(quantity));
    table_add(t, "stock");
    table_addf(t, "%" PRId64 " in all", (int64_t)json_integer_value(total));
    table_add(t, "restocked at");
    table_add(t, at);
    table_add(t, "key");
    table_add(t, key);
    table_print(t, stdout);
    table_free(t);
    return EXIT_OK;
}

int cmd_item_restock(const struct ctl *ctl)
{
    struct inventory *inventory = NULL;
    json_t *body = NULL, *found = NULL, *result = NULL;
    char key[IDEMPOTENCY_KEY_MAX + 1];
    int64_t quantity = 0;
    int shard = 0;
    int status = read_restock(ctl, key, &quantity);
    if (status || (status = inventory_open(ctl, &inventory)))
        goto done;
    status = inventory_find_item(inventory, ctl->argument, &shard, &found);
    if (status == EXIT_OK && !found)
        status = ctl_fail(EXIT_FAILED, "there is no item \"%s\"", ctl->argument);
    if (status)
        goto done;
    if (!ctl_option(ctl, "key")) /* before it is asked: who sees no answer needs it */
        fprintf(stderr, "seckillctl: the key is %s; to send this again, safely, give it with --key\n", key);
    body = json_pack("{s:s, s:I, s:s}", "sku", ctl->argument, "quantity", (json_int_t)quantity, "key", key);
    status = inventory_ask(inventory, shard, RPC_ITEM_RESTOCK, body, &result, NULL);
    if (status == EXIT_OK)
        status = print_restock(ctl, result, key);
    else if (status == EXIT_UNAVAILABLE)
        ctl_fail(status, "the units may or may not have been added; the same with --key %s adds them once",
                 key);
done:
    inventory_close(inventory);
    json_decref(result);
    json_decref(found);
    json_decref(body);
    return status;
}
