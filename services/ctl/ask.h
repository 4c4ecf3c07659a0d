/* Asking the workers, from a command. Everything that goes wrong is said on stderr; what is returned is an
 * exit code. */
#ifndef SECKILL_CTL_ASK_H
#define SECKILL_CTL_ASK_H

#include <jansson.h>
#include <stdbool.h>

#include "common/broker/connection.h"
#include "common/pipeline/rpc_call.h"
#include "services/ctl/command.h"

/* A connection to the broker of the settings. EXIT_OK, EXIT_CONFIG (broker.url), EXIT_UNAVAILABLE. */
int ctl_connect(const struct ctl *ctl, struct broker_connection **out);

/* The same, for questions; rpc_caller_free closes it. */
int ctl_caller(const struct ctl *ctl, struct rpc_caller **out);

struct ctl_question {
    const char *whom; /* "inventory of shard 0": for people */
    const char *routing_key;
    const char *method;
    json_t *body;
    int timeout_ms; /* 0: 5 s */
};

/* EXIT_OK: *result is the caller's. EXIT_FAILED: the answer is no. EXIT_UNAVAILABLE: there is none.
 * *not_found (may be NULL) is set, and nothing said, where the answer is that there is no such thing. */
int ctl_ask(struct rpc_caller *rpc, const struct ctl_question *question, json_t **result, bool *not_found);

#endif
