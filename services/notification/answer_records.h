/* A question about one order's messages: RPC_NOTIFICATION_SHOW of names.h. */
#ifndef SECKILL_NOTIFICATION_ANSWER_RECORDS_H
#define SECKILL_NOTIFICATION_ANSWER_RECORDS_H

#include "common/pipeline/rpc_server.h"

/* The method; its context is a struct notification_store **, which is set when the database is open. */
int answer_records(void *store, const struct json_t *question, struct buffer *result,
                   struct rpc_refusal *refusal);

#endif
