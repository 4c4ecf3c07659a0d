/*
 * RPC_DEAD_SETTLE, which every worker that answers questions answers (worker.c): an operator has replayed or
 * dropped dead letters that were made here. It is written down, so that the audit can tell these from letters
 * that only disappeared. Asked again it changes nothing.
 */
#ifndef SECKILL_PIPELINE_ANSWER_DEAD_SETTLE_H
#define SECKILL_PIPELINE_ANSWER_DEAD_SETTLE_H

#include "common/pipeline/inbox.h"
#include "common/pipeline/rpc_server.h"

#define DEAD_SETTLE_MAX 1000 /* letters in one question; none is a question too: is anybody there? */

struct answer_dead_settle {
    struct store *store;
    struct inbox *inbox;
};

extern const struct rpc_method dead_settle_methods[]; /* their context is a struct answer_dead_settle */

/* {"how": "replayed" | "dropped", "letters": [{"message", "line", "times"}]} → {"settled", "unknown"}: how
 * many were made here, and how many were not. All in one transaction. A letter without "times" is whichever
 * there is. */
int answer_dead_settle(void *context, const struct json_t *question, struct buffer *result,
                       struct rpc_refusal *refusal);

#endif
