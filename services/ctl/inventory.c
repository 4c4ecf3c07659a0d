/* Asking the inventory services. See inventory.h. */
#include "services/ctl/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/broker/address.h"
#include "common/pipeline/names.h"
#include "common/pipeline/rpc_call.h"
#include "common/pipeline/shard.h"

#define ANSWER_TIMEOUT_MS 5000

struct inventory {
    struct rpc_caller *rpc;
    int shards;
};

int ctl_connect(const struct ctl *ctl, struct broker_connection **out)
{
    struct detail why;
    struct broker_addresses addresses;
    if (broker_addresses_parse(ctl->settings->broker.url, &addresses, &why))
        return ctl_fail(EXIT_CONFIG, "broker.url: %s", why.text);
    int rc = broker_connect_any(out, &addresses, "seckillctl", (int)ctl->settings->broker.timeout_ms, &why);
    broker_addresses_free(&addresses);
    return rc ? ctl_fail(EXIT_UNAVAILABLE, "%s", why.text) : EXIT_OK;
}

int inventory_open(const struct ctl *ctl, struct inventory **out)
{
    struct broker_connection *connection = NULL;
    int status = ctl_connect(ctl, &connection);
    if (status)
        return status;
    struct detail why;
    struct inventory *i = xcalloc(1, sizeof(*i));
    i->shards = (int)ctl->settings->topology.shards;
    if (rpc_caller_new(&i->rpc, connection, &why)) {
        free(i);
        return ctl_fail(EXIT_UNAVAILABLE, "%s", why.text);
    }
    *out = i;
    return EXIT_OK;
}

void inventory_close(struct inventory *i)
{
    if (!i)
        return;
    rpc_caller_free(i->rpc);
    free(i);
}

int inventory_ask(struct inventory *i, int shard, const char *method, json_t *body, json_t **result,
                  bool *not_found)
{
    char key[64], code[RPC_CODE_SIZE];
    struct detail why = {""};
    snprintf(key, sizeof(key), KEY_RPC_INVENTORY_PREFIX "%d", shard);
    char *text = json_dumps(body, JSON_COMPACT);
    int rc = rpc_call(i->rpc, key, method, slice_of(text), ANSWER_TIMEOUT_MS, result, code, &why);
    free(text);
    if (rc == 0)
        return EXIT_OK;
    if (rc == E_REFUSED && strcmp(code, "not_found") == 0 && not_found) {
        *not_found = true;
        return EXIT_FAILED;
    }
    if (rc == E_REFUSED && strcmp(code, RPC_CODE_FAILED) == 0)
        return ctl_fail(EXIT_UNAVAILABLE, "inventory of shard %d: %s", shard, why.text);
    if (rc == E_REFUSED)
        return ctl_fail(EXIT_FAILED, "%s (%s)", why.text, code);
    return ctl_fail(EXIT_UNAVAILABLE, "inventory of shard %d: %s", shard, why.text);
}

int inventory_find_item(struct inventory *i, const char *sku, int *shard, json_t **item)
{
    int first = shard_of_new_item(sku, i->shards);
    int status = EXIT_OK;
    json_t *body = json_pack("{s:s}", "sku", sku);
    *item = NULL;
    *shard = first;
    for (int n = 0; n < i->shards && status == EXIT_OK; n++) {
        int candidate = (first + n) % i->shards;
        bool not_found = false;
        status = inventory_ask(i, candidate, RPC_ITEM_SHOW, body, item, &not_found);
        if (status == EXIT_OK) {
            *shard = candidate;
            break;
        }
        if (not_found)
            status = EXIT_OK;
    }
    json_decref(body);
    return status;
}
