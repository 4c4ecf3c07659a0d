/*
 * The answering half of RPC (the asking half, and the form of questions and answers, is in rpc_client.h).
 *
 * A table of methods; each takes a JSON object and appends its result as JSON, or says no. A question whose
 * deadline is over is dropped, because nobody waits for it any more, and counted. The answer goes to
 * EXCHANGE_REPLY under the asker's reply_to, transient and not mandatory: an asker that left is normal. One
 * thread.
 */
#ifndef SECKILL_PIPELINE_RPC_SERVER_H
#define SECKILL_PIPELINE_RPC_SERVER_H

#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/broker/connection.h"

struct json_t; /* jansson's json_t */

struct rpc_refusal {
    const char *code; /* a constant word: "not_found", "invalid" */
    struct detail detail;
};

struct rpc_method {
    const char *name; /* NULL ends a table */
    /* 0: the result (one JSON value) was appended. E_REFUSED: *refusal says why. Any other code: the
     * environment failed: the asker is told RPC_CODE_FAILED, and the process is to end. */
    int (*answer)(void *context, const struct json_t *question, struct buffer *result,
                  struct rpc_refusal *refusal);
};

/* Writes the sentence, sets the code and returns E_REFUSED. */
int rpc_refuse(struct rpc_refusal *refusal, const char *code, const char *format, ...) PRINTF_LIKE(3, 4);

struct rpc_server;

struct rpc_server *rpc_server_new(const struct rpc_method *methods, void *context); /* methods: NULL: none */
void rpc_server_also(struct rpc_server *s, const struct rpc_method *methods, void *context); /* once */
void rpc_server_free(struct rpc_server *s); /* NULL is fine */

/* Answers one question through this connection (NULL, or a blocked one: the answer is dropped). Returns 0, or
 * what a method returned because the environment failed. */
int rpc_server_delivery(struct rpc_server *s, const struct broker_delivery *question,
                        struct broker_connection *publish, int64_t now_ms) MUST_USE;

struct rpc_server_counts {
    uint64_t answered, refused, expired,
        unanswerable; /* unanswerable: no reply_to, or no connection to answer by */
};
struct rpc_server_counts rpc_server_counts(const struct rpc_server *s);

#endif
