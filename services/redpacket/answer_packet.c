#include "services/redpacket/answer_packet.h"

#include <inttypes.h>
#include <jansson.h>

#include "common/base/clock.h"
#include "common/pipeline/json_read.h"
#include "services/redpacket/put_campaign.h"

static void campaign_encode(struct buffer *out, const struct campaign *c)
{
    buffer_add_text(out, "{\"sku\":");
    buffer_add_json(out, slice_of(c->sku));
    buffer_printf(out,
                  ",\"budget\":%" PRId64 ",\"packets\":%" PRId64 ",\"min_amount\":%" PRId64
                  ",\"budget_left\":%" PRId64 ",\"packets_left\":%" PRId64 "}",
                  c->budget, c->packets, c->min_amount, c->budget_left, c->packets_left);
}

int answer_campaign_put(void *context, const struct json_t *question, struct buffer *result,
                        struct rpc_refusal *refusal)
{
    struct answer_packet *a = context;
    struct campaign campaign;
    int error = put_campaign(a->store, question, clock_wall_ms(), &campaign, refusal);
    if (!error)
        campaign_encode(result, &campaign);
    return error;
}

int answer_campaign_show(void *context, const struct json_t *question, struct buffer *result,
                         struct rpc_refusal *refusal)
{
    struct answer_packet *a = context;
    char sku[NAME_SIZE];
    struct detail why = {.text = ""};
    if (json_read_name(question, "sku", sku, &why) != 0)
        return rpc_refuse(refusal, "invalid", "%s", why.text);
    const struct campaign *found = campaign_find(a->store, sku);
    if (!found)
        return rpc_refuse(refusal, "not_found", "there is no campaign for \"%s\"", sku);
    campaign_encode(result, found);
    return 0;
}

int answer_campaign_list(void *context, const struct json_t *question, struct buffer *result,
                         struct rpc_refusal *refusal)
{
    (void)question;
    (void)refusal;
    struct answer_packet *a = context;
    size_t count;
    const struct campaign *all = campaigns(a->store, &count);
    buffer_add_text(result, "{\"campaigns\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_add_text(result, ",");
        campaign_encode(result, &all[i]);
    }
    buffer_add_text(result, "]}");
    return 0;
}

static void packet_encode(struct buffer *out, const struct packet *p)
{
    buffer_printf(out, "{\"order_id\":\"%s\",\"status\":\"%s\",\"amount\":%" PRId64 "}", p->order_id,
                  packet_status_name(p->status), p->amount);
}

static int show_many(struct answer_packet *a, const json_t *ids, struct buffer *result,
                     struct rpc_refusal *refusal)
{
    struct packet packet;
    if (!json_is_array(ids) || json_array_size(ids) > PACKET_IDS_MAX)
        return rpc_refuse(refusal, "invalid", "ids must be an array of at most %d order ids", PACKET_IDS_MAX);
    buffer_add_text(result, "{\"packets\":[");
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        if (!order_id_is_well_formed(id, json_string_length(json_array_get(ids, i))))
            return rpc_refuse(refusal, "invalid", "ids[%zu] is no order id", i);
        int error = packet_find(a->store, id, &packet);
        if (error && error != E_NOT_FOUND)
            return error;
        buffer_add_text(result, i > 0 ? "," : "");
        if (error)
            buffer_printf(result, "{\"order_id\":\"%s\",\"status\":\"unknown\"}", id);
        else
            packet_encode(result, &packet);
    }
    buffer_add_text(result, "]}");
    return 0;
}

int answer_packet_show(void *context, const struct json_t *question, struct buffer *result,
                       struct rpc_refusal *refusal)
{
    struct answer_packet *a = context;
    const json_t *ids = json_object_get(question, "ids");
    char id[ORDER_ID_SIZE];
    struct packet packet;
    struct detail why = {.text = ""};
    if (ids)
        return show_many(a, ids, result, refusal);
    if (json_read_order_id(question, "order_id", id, &why) != 0)
        return rpc_refuse(refusal, "invalid", "%s", why.text);
    int error = packet_find(a->store, id, &packet);
    if (error == E_NOT_FOUND)
        return rpc_refuse(refusal, "not_found", "nothing is known of order %s", id);
    if (error)
        return error;
    packet_encode(result, &packet);
    result->len--; /* its brace */
    buffer_printf(result, ",\"at_ms\":%" PRId64 "}", packet.at_ms);
    return 0;
}

int answer_balance_show(void *context, const struct json_t *question, struct buffer *result,
                        struct rpc_refusal *refusal)
{
    struct answer_packet *a = context;
    char user_id[NAME_SIZE];
    int64_t amount, packets;
    struct detail why = {.text = ""};
    if (json_read_name(question, "user_id", user_id, &why) != 0)
        return rpc_refuse(refusal, "invalid", "%s", why.text);
    int error = balance_find(a->store, user_id, &amount, &packets);
    if (error)
        return error;
    buffer_add_text(result, "{\"user_id\":");
    buffer_add_json(result, slice_of(user_id));
    buffer_printf(result, ",\"amount\":%" PRId64 ",\"packets\":%" PRId64 "}", amount, packets);
    return 0;
}
