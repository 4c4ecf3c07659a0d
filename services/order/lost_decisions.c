/* Asking for decisions that did not come. See lost_decisions.h. */
#include "services/order/lost_decisions.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/pipeline/message.h"
#include "common/pipeline/names.h"

#define INTERVAL_NS  NS_PER_S
#define MIN_AGE_MS   3000
#define IDS_AT_ONCE  500
#define ANSWER_IN_NS (2 * NS_PER_S)

static void take_answer(struct pending *pending, json_t *entry)
{
    const char *status = json_string_value(json_object_get(entry, "status"));
    const char *id = json_string_value(json_object_get(entry, "order_id"));
    if (status && id && strcmp(status, "unknown") == 0 && order_id_is_well_formed(id, strlen(id))) {
        pending_not_decided(pending, id);
        return;
    }
    char *line = json_dumps(entry, JSON_COMPACT);
    struct decision decision;
    struct detail why;
    if (line && decision_decode(slice_of(line), &decision, &why) == 0)
        pending_decide(pending, &decision, 1);
    else
        log_warn("status_answer_unreadable", "reason=\"%s\"", line ? why.text : "no memory");
    free(line);
}

static void answered(void *context, const struct rpc_answer *answer)
{
    struct pending *pending = context;
    if (answer->status != 0) {
        log_debug("status_not_answered", "reason=\"%s\"", answer->detail); /* it will be asked again */
        return;
    }
    json_t *orders = json_object_get(answer->result, "orders"), *entry;
    size_t i;
    json_array_foreach(orders, i, entry) take_answer(pending, entry);
}

static int ask_shard(struct lost_decisions *l, int shard, int64_t now_ns)
{
    char ids[IDS_AT_ONCE][ORDER_ID_SIZE];
    int count = pending_overdue(l->pending, (uint8_t)shard, MIN_AGE_MS, IDS_AT_ONCE, ids);
    if (count == 0)
        return 0;
    struct buffer body = {0};
    buffer_add_text(&body, "{\"ids\":[");
    for (int i = 0; i < count; i++)
        buffer_printf(&body, "%s\"%s\"", i ? "," : "", ids[i]);
    buffer_add_text(&body, "]}");
    char key[64];
    snprintf(key, sizeof key, "%s%d", KEY_RPC_INVENTORY_PREFIX, shard);
    int error = rpc_ask(l->rpc, &(struct rpc_question){
                                    .routing_key = key,
                                    .method = RPC_ORDER_STATUS,
                                    .body = {.data = body.data, .len = body.len},
                                    .deadline_ns = now_ns + ANSWER_IN_NS,
                                    .answered = answered,
                                    .context = l->pending,
                                });
    buffer_free(&body);
    return error == E_CLOSED ? E_CLOSED : 0;
}

int lost_decisions_ask(struct lost_decisions *l, int64_t now_ns)
{
    if (now_ns < l->next_ns)
        return 0;
    l->next_ns = now_ns + INTERVAL_NS;
    for (int shard = 0; shard < l->shards; shard++) {
        int error = ask_shard(l, shard, now_ns);
        if (error)
            return error;
    }
    return 0;
}
