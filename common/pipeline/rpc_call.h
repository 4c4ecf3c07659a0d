/*
 * Asking and waiting for the answer: for programs that have nothing else to do meanwhile (seckillctl). One
 * connection of its own, one private queue, one question at a time.
 */
#ifndef SECKILL_PIPELINE_RPC_CALL_H
#define SECKILL_PIPELINE_RPC_CALL_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/broker/address.h"
#include "common/broker/connection.h"

struct json_t; /* jansson's json_t */
struct rpc_caller;

/* Opens a connection to the first address that takes it, within timeout_ms each. The last address' reason is
 * in *why. */
int broker_connect_any(struct broker_connection **out, const struct broker_addresses *addresses,
                       const char *name, int timeout_ms, struct detail *why) MUST_USE;

/* Takes the connection over (also on failure), and makes the private queue, bound to EXCHANGE_REPLY.
 * E_NOT_FOUND: the exchange is missing there. */
int rpc_caller_new(struct rpc_caller **out, struct broker_connection *connection,
                   struct detail *why) MUST_USE;
void rpc_caller_free(struct rpc_caller *c); /* closes the connection; NULL is fine */

#define RPC_CODE_SIZE 64

/* Asks and waits. 0: *result is the caller's (json_decref). E_REFUSED: the other side said no; `code`
 * (RPC_CODE_SIZE bytes; may be NULL) has its word and *why its sentence. Others as in struct rpc_answer. */
int rpc_call(struct rpc_caller *c, const char *routing_key, const char *method, struct slice body,
             int timeout_ms, struct json_t **result, char *code, struct detail *why) MUST_USE;

#endif
