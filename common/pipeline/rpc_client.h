/*
 * The asker's half of RPC: questions in flight, over connections that the caller owns and pumps.
 *
 * A question goes to EXCHANGE_RPC, mandatory and transient, with the asker's own queue as reply_to, a
 * correlation_id, a deadline (as a header, and as the message's expiration) and a JSON body. The answer comes
 * to that queue through EXCHANGE_REPLY:
 *
 *   {"v":1,"ok":true,"result":…}   or   {"v":1,"ok":false,"error":{"code":"not_found","detail":"…"}}
 *
 * Conserved: each question that rpc_ask() took is answered by exactly one call of its function, with a
 * result, the other side's refusal, or what went wrong on the way. One thread. The functions may ask again,
 * but not free the client.
 */
#ifndef SECKILL_PIPELINE_RPC_CLIENT_H
#define SECKILL_PIPELINE_RPC_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/broker/connection.h"

#define RPC_MAX_IN_FLIGHT 4096

struct json_t; /* jansson's json_t */

struct rpc_answer { /* valid during the call; the result may be kept with json_incref */
    /* 0: the result. E_REFUSED: the other side says no, with code and detail. E_NOT_FOUND: nobody is there to
     * ask (no such queue). E_TIMEOUT: no answer by the deadline. E_CLOSED: the connection was lost.
     * E_CORRUPT: the answer cannot be read. */
    int status;
    struct json_t *result; /* status 0, else NULL */
    const char *code;      /* E_REFUSED: a short word such as "not_found"; else "" */
    const char *detail;    /* a sentence whenever status is not 0; else "" */
};

typedef void rpc_answered(void *context, const struct rpc_answer *answer);

struct rpc_question {
    const char *routing_key; /* KEY_RPC_INVENTORY_PREFIX "0" */
    const char *method;      /* RPC_ITEM_LIST */
    struct slice body;       /* a JSON object; empty: {} */
    int64_t deadline_ns;     /* monotonic clock */
    rpc_answered *answered;
    void *context;
};

struct rpc_client;

struct rpc_client *rpc_client_new(void);
void rpc_client_free(struct rpc_client *c); /* what is in flight gets E_CLOSED; NULL is fine */

/* From now on questions go out on `publish`, which lives until rpc_client_lost(), and answers come to
 * reply_queue, which the caller has bound to EXCHANGE_REPLY under its own name and consumes. */
void rpc_client_connected(struct rpc_client *c, struct broker_connection *publish, const char *reply_queue);

/* The wall clock of those who answer is so far ahead of ours, as far as is known; 0 at first. They drop a
 * question whose deadline is over by theirs. */
void rpc_client_servers_clock(struct rpc_client *c, int64_t ahead_ms);

/* A connection is gone: everything in flight gets E_CLOSED, and so does every rpc_ask() until the next
 * connection. */
void rpc_client_lost(struct rpc_client *c);

/* Sends a question. 0: its function will be called. Otherwise it will not: E_CLOSED (not connected, or the
 * connection died of it: then close it and call rpc_client_lost), E_TIMEOUT (the deadline is over), E_FULL
 * (RPC_MAX_IN_FLIGHT). */
int rpc_ask(struct rpc_client *c, const struct rpc_question *question) MUST_USE;

/* A message that came to the reply queue. false: it has no correlation_id, so it is no answer. Answers that
 * nobody waits for any more are dropped and counted. */
bool rpc_client_delivery(struct rpc_client *c, const struct broker_delivery *delivery);

/* A message that came back on the publish connection. false: it was not a question (another exchange). */
bool rpc_client_returned(struct rpc_client *c, const struct broker_returned *returned);

/* Gives up what is due. Call it when rpc_client_next_deadline_ns() is over, or as often as you like. */
void rpc_client_expire(struct rpc_client *c, int64_t now_ns);

/* A moment before which nothing is due (monotonic); INT64_MAX if nothing is in flight. */
int64_t rpc_client_next_deadline_ns(const struct rpc_client *c);

int rpc_client_in_flight(const struct rpc_client *c);
uint64_t rpc_client_late(const struct rpc_client *c); /* answers dropped: late, repeated or unknown */

#endif
