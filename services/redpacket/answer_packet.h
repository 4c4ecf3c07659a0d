/* Questions to the red packets' worker: RPC_CAMPAIGN_PUT, RPC_CAMPAIGN_SHOW, RPC_CAMPAIGN_LIST,
 * RPC_PACKET_SHOW, RPC_BALANCE_SHOW of names.h. */
#ifndef SECKILL_REDPACKET_ANSWER_PACKET_H
#define SECKILL_REDPACKET_ANSWER_PACKET_H

#include "common/pipeline/rpc_server.h"
#include "services/redpacket/red_packet_store.h"

#define PACKET_IDS_MAX 500 /* orders in one question */

struct answer_packet {
    struct red_packet_store *store;
};

/* The methods; each takes a struct answer_packet as its context. A campaign is {"sku", "budget", "packets",
 * "min_amount", "budget_left", "packets_left"}. */
int answer_campaign_put(void *context, const struct json_t *question, struct buffer *result,
                        struct rpc_refusal *refusal);
int answer_campaign_show(void *context, const struct json_t *question, struct buffer *result,
                         struct rpc_refusal *refusal);
int answer_campaign_list(void *context, const struct json_t *question, struct buffer *result,
                         struct rpc_refusal *refusal);

/* Of {"order_id"}: {"order_id", "status": "granted" | "none_left" | "no_campaign", "amount"}; "not_found"
 * until the order's event has come here. Of {"ids": […]}: {"packets": […]}, one for each id, with the status
 * "unknown" and no amount until then; any other status is final. */
int answer_packet_show(void *context, const struct json_t *question, struct buffer *result,
                       struct rpc_refusal *refusal);

/* Zeroes for a buyer who has none. */
int answer_balance_show(void *context, const struct json_t *question, struct buffer *result,
                        struct rpc_refusal *refusal);

#endif
