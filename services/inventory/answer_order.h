/* Questions about one order, and about old ones: RPC_ORDER_SHOW, RPC_ORDERS_ARCHIVE of names.h. */
#ifndef SECKILL_INVENTORY_ANSWER_ORDER_H
#define SECKILL_INVENTORY_ANSWER_ORDER_H

#include "common/pipeline/rpc_server.h"

#define ARCHIVE_LIMIT_MAX                                                                                    \
    5000 /* orders that one question looks at: the worker does nothing else meanwhile                        \
          */

/* The methods; their context is a struct answer_query. */
int answer_order_show(void *query, const struct json_t *question, struct buffer *result,
                      struct rpc_refusal *refusal);
int answer_orders_archive(void *query, const struct json_t *question, struct buffer *result,
                          struct rpc_refusal *refusal);

#endif
