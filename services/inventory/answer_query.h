/* Questions to inventory: RPC_ITEM_PUT, RPC_ITEM_RESTOCK, RPC_ITEM_SHOW, RPC_ITEM_LIST, RPC_ORDER_STATUS of
 * names.h. */
#ifndef SECKILL_INVENTORY_ANSWER_QUERY_H
#define SECKILL_INVENTORY_ANSWER_QUERY_H

#include "common/pipeline/rpc_server.h"
#include "services/inventory/archive_orders.h"

#define STATUS_IDS_MAX 10000 /* in one question */

struct answer_query {
    struct stock_store *stock;
    int shards;                      /* topology.shards */
    struct archive_orders *archiver; /* for RPC_ORDERS_ARCHIVE */
    struct archive_store *archive;
    bool *changed; /* set when an item was put or restocked, and is another now */
};

/* The methods; each takes a struct answer_query as its context. */
int answer_item_put(void *query, const struct json_t *question, struct buffer *result,
                    struct rpc_refusal *refusal);
int answer_item_restock(void *query, const struct json_t *question, struct buffer *result,
                        struct rpc_refusal *refusal);
int answer_item_show(void *query, const struct json_t *question, struct buffer *result,
                     struct rpc_refusal *refusal);
int answer_item_list(void *query, const struct json_t *question, struct buffer *result,
                     struct rpc_refusal *refusal);
int answer_order_status(void *query, const struct json_t *question, struct buffer *result,
                        struct rpc_refusal *refusal);

#endif
