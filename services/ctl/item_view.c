/* Items for people and for programs. See item_view.h. */
#include "services/ctl/item_view.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/pipeline/message.h"
#include "services/ctl/command.h"
#include "services/ctl/table.h"

static const char *moment(int64_t wall_ms, char text[RFC3339_SIZE])
{
    return wall_ms == 0 ? "-" : rfc3339_format(wall_ms, text);
}

/* What a buyer would be told now. */
static const char *state(const struct item *item)
{
    int64_t now_ms = clock_wall_ms();
    if (item->paused)
        return "paused";
    if (item->starts_ms != 0 && now_ms < item->starts_ms)
        return "not started";
    if (item->ends_ms != 0 && now_ms >= item->ends_ms)
        return "ended";
    return item->stock_left == 0 ? "sold out" : "on sale";
}

/* With the age that the HTTP API tells of its snapshot: inventory itself is never behind. */
static void print_json(json_t *value)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(value, "items"), i, item)
        json_object_set_new(item, "age_ms", json_integer(0));
    json_object_del(value, "created"); /* HTTP says it with its status */
    if (json_object_get(value, "sku"))
        json_object_set_new(value, "age_ms", json_integer(0));
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
}

int item_print(json_t *value, bool as_json)
{
    struct item item;
    struct detail why;
    if (item_decode_json(value, &item, &why))
        return ctl_fail(EXIT_SOFTWARE, "inventory's answer cannot be read: %s", why.text);
    if (as_json) {
        print_json(value);
        return EXIT_OK;
    }
    static const char *const columns[] = {"", "", NULL};
    char text[RFC3339_SIZE];
    struct table *t = table_new(columns);
    table_add(t, "sku");
    table_add(t, item.sku);
    table_add(t, "name");
    table_add(t, item.name);
    table_add(t, "unit price");
    table_addf(t, "%" PRId64, item.unit_price);
    table_add(t, "stock");
    table_addf(t, "%" PRId64 " left of %" PRId64, item.stock_left, item.stock_total);
    table_add(t, "limit per user");
    if (item.limit_per_user == 0)
        table_add(t, "-");
    else
        table_addf(t, "%" PRId32, item.limit_per_user);
    table_add(t, "starts at");
    table_add(t, moment(item.starts_ms, text));
    table_add(t, "ends at");
    table_add(t, moment(item.ends_ms, text));
    table_add(t, "state");
    table_add(t, state(&item));
    table_add(t, "shard");
    table_addf(t, "%d", item.shard);
    table_add(t, "version");
    table_addf(t, "%" PRId64, item.version);
    table_print(t, stdout);
    table_free(t);
    return EXIT_OK;
}

int item_list_print(json_t *list, bool as_json)
{
    static const char *const columns[] = {"SKU",       "NAME",    ">UNIT PRICE", ">STOCK", ">LEFT", ">LIMIT",
                                          "STARTS AT", "ENDS AT", "STATE",       ">SHARD", NULL};
    if (as_json) {
        print_json(list);
        return EXIT_OK;
    }
    struct table *t = table_new(columns);
    int status = EXIT_OK;
    size_t i;
    const json_t *value;
    json_array_foreach(json_object_get(list, "items"), i, value)
    {
        struct item item;
        struct detail why;
        char text[RFC3339_SIZE];
        if (item_decode_json(value, &item, &why)) {
            status = ctl_fail(EXIT_SOFTWARE, "inventory's answer cannot be read: %s", why.text);
            goto done;
        }
        table_add(t, item.sku);
        table_add(t, item.name);
        table_addf(t, "%" PRId64, item.unit_price);
        table_addf(t, "%" PRId64, item.stock_total);
        table_addf(t, "%" PRId64, item.stock_left);
        table_addf(t, "%" PRId32, item.limit_per_user);
        table_add(t, moment(item.starts_ms, text));
        table_add(t, moment(item.ends_ms, text));
        table_add(t, state(&item));
        table_addf(t, "%d", item.shard);
    }
    table_print(t, stdout);
done:
    table_free(t);
    return status;
}
