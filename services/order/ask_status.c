/* What inventory is asked about orders. See ask_status.h. */
#include "services/order/ask_status.h"

#include <jansson.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"

#define LOST_INTERVAL_NS NS_PER_S
#define LOST_AGE_MS      3000
#define IDS_AT_ONCE      500

void ask_status_decided(struct ask_status *a, const struct decision *decisions, int count)
{
    pending_decide(a->pending, decisions, count);
    status_desk_decided(a->desk, decisions, count);
}

/* One order of an answer; whether it is decided. Only what we hold ourselves is of interest to pending: it
 * counts strangers. */
static bool take_entry(struct ask_status *a, const json_t *entry, bool was_lost)
{
    struct decision decision;
    struct pending_view view;
    struct detail why;
    if (decision_decode_json(entry, &decision, &why) != 0) {
        log_warn("status_answer_unreadable", "reason=\"%s\"", why.text);
        return false;
    }
    if (decision.status == ORDER_UNKNOWN) {
        if (was_lost)
            pending_not_decided(a->pending, decision.order_id);
        status_desk_not_decided(a->desk, decision.order_id);
        return false;
    }
    if (pending_find(a->pending, decision.order_id, &view)) {
        ask_status_decided(a, &decision, 1);
    } else {
        status_desk_decided(a->desk, &decision, 1);
    }
    return true;
}

/* Returns whether most of what was asked for is decided. */
static bool take_answer(struct ask_status *a, const struct rpc_answer *answer, bool was_lost)
{
    json_t *orders = json_object_get(answer->result, "orders"), *entry;
    size_t i, decided = 0;
    if (answer->status != 0)
        log_debug("status_not_answered", "reason=\"%s\"", answer->detail);
    json_array_foreach(orders, i, entry) decided += take_entry(a, entry, was_lost);
    return decided > 0 && 2 * decided >= json_array_size(orders);
}

static void desk_answered(void *context, const struct rpc_answer *answer)
{
    const struct ask_route *route = context;
    take_answer(route->asker, answer, false);
    /* A connection that broke says nothing about inventory. */
    bool is_silent = answer->status != 0 && answer->status != E_CLOSED;
    status_desk_answered(route->asker->desk, route->shard, clock_mono_ns(), is_silent);
}

static void lost_answered(void *context, const struct rpc_answer *answer)
{
    struct ask_route *route = context;
    route->asks_for_lost = false; /* what stays open is asked for again */
    if (take_answer(route->asker, answer, true))
        route->lost_ns = 0; /* they are lost, not late: there are more */
}

/* 0: `answered` will be called. */
static int ask(struct ask_status *a, int shard, char (*ids)[ORDER_ID_SIZE], int count, int64_t now_ns,
               rpc_answered *answered, void *context)
{
    struct buffer body = {0};
    buffer_add_text(&body, "{\"ids\":[");
    for (int i = 0; i < count; i++) {
        buffer_add_text(&body, i ? ",\"" : "\"");
        buffer_add(&body, ids[i], ORDER_ID_CHARS);
        buffer_add_text(&body, "\"");
    }
    buffer_add_text(&body, "]}");
    char key[64];
    snprintf(key, sizeof key, "%s%d", KEY_RPC_INVENTORY_PREFIX, shard);
    int error = rpc_ask(a->rpc, &(struct rpc_question){
                                    .routing_key = key,
                                    .method = RPC_ORDER_STATUS,
                                    .body = {.data = body.data, .len = body.len},
                                    .deadline_ns = now_ns + INQUIRY_ANSWER_NS,
                                    .answered = answered,
                                    .context = context,
                                });
    buffer_free(&body);
    metric_add(a->metrics, METRIC_STATUS_QUESTIONS, 1);
    metric_add(a->metrics, METRIC_STATUS_IDS, (uint64_t)count);
    return error;
}

static int ask_for_desk(struct ask_status *a, int shard, int64_t now_ns)
{
    char ids[IDS_AT_ONCE][ORDER_ID_SIZE];
    int count = status_desk_take(a->desk, shard, now_ns, IDS_AT_ONCE, ids);
    a->gathers |= count == E_BUSY;
    if (count <= 0)
        return 0;
    int error = ask(a, shard, ids, count, now_ns, desk_answered, &a->routes[shard]);
    if (error)
        status_desk_answered(a->desk, shard, now_ns, false);
    return error;
}

static int ask_for_lost(struct ask_status *a, int shard, int64_t now_ns)
{
    struct ask_route *route = &a->routes[shard];
    char ids[IDS_AT_ONCE][ORDER_ID_SIZE];
    if (route->asks_for_lost || now_ns < route->lost_ns)
        return 0;
    route->lost_ns = now_ns + LOST_INTERVAL_NS;
    int count = pending_overdue(a->pending, (uint8_t)shard, LOST_AGE_MS, IDS_AT_ONCE, ids);
    int error = count > 0 ? ask(a, shard, ids, count, now_ns, lost_answered, route) : 0;
    route->asks_for_lost = count > 0 && error == 0;
    return error;
}

int ask_status(struct ask_status *a, int64_t now_ns)
{
    int error = 0;
    a->gathers = false;
    status_desk_heed(a->desk);
    for (int shard = 0; shard < a->shards && error != E_CLOSED; shard++) {
        a->routes[shard].asker = a;
        a->routes[shard].shard = shard;
        error = ask_for_desk(a, shard, now_ns);
        if (error != E_CLOSED)
            error = ask_for_lost(a, shard, now_ns);
    }
    return error == E_CLOSED ? E_CLOSED : 0;
}
