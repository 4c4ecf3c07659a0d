/* A question about one order: RPC_ORDER_SHOW of names.h. */
#ifndef SECKILL_INVENTORY_ANSWER_ORDER_H
#define SECKILL_INVENTORY_ANSWER_ORDER_H

#include "common/pipeline/rpc_server.h"

/* The method; its context is a struct answer_query. */
int answer_order_show(void *query, const struct json_t *question, struct buffer *result,
                      struct rpc_refusal *refusal);

#endif
