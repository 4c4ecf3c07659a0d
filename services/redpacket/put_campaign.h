/* An operator creates or changes a campaign. */
#ifndef SECKILL_REDPACKET_PUT_CAMPAIGN_H
#define SECKILL_REDPACKET_PUT_CAMPAIGN_H

#include "common/pipeline/rpc_server.h"
#include "services/redpacket/red_packet_store.h"

#define BUDGET_MAX  INT64_C(1000000000000000) /* exact in every JSON reader (below 2^53) */
#define PACKETS_MAX INT64_C(1000000000)

/*
 * The question: {"sku", "budget", "packets", "min_amount"}. What is left out stays as it is. A new campaign
 * needs budget and packets; its min_amount is 1. What is left moves by the difference: neither budget nor
 * packets can become less than what was granted, and what is left must have the minimum for each packet that
 * is left, or it is a "conflict". Any other member, or a value out of bounds, is "invalid". Writes the
 * campaign as it is then into *out. The item need not exist: inventory alone knows the items.
 *
 * 0, E_REFUSED with *refusal, or a fault of the store.
 */
int put_campaign(struct red_packet_store *store, const struct json_t *question, int64_t now_ms,
                 struct campaign *out, struct rpc_refusal *refusal) MUST_USE;

#endif
