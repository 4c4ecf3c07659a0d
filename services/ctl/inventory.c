/* Asking the inventory services. See inventory.h. */
#include "services/ctl/inventory.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/pipeline/names.h"
#include "common/pipeline/shard.h"

struct inventory {
    struct rpc_caller *rpc;
    int shards;
};

int inventory_open(const struct ctl *ctl, struct inventory **out)
{
    struct rpc_caller *rpc = NULL;
    int status = ctl_caller(ctl, &rpc);
    if (status)
        return status;
    struct inventory *i = xcalloc(1, sizeof(*i));
    i->rpc = rpc;
    i->shards = (int)ctl->settings->topology.shards;
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
    char whom[64], key[64];
    snprintf(whom, sizeof(whom), "inventory of shard %d", shard);
    snprintf(key, sizeof(key), KEY_RPC_INVENTORY_PREFIX "%d", shard);
    const struct ctl_question question = {.whom = whom, .routing_key = key, .method = method, .body = body};
    return ctl_ask(i->rpc, &question, result, not_found);
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
