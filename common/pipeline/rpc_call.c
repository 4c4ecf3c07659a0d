/* One question at a time, waited for. See rpc_call.h. */
#include "common/pipeline/rpc_call.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/broker/consume.h"
#include "common/pipeline/names.h"
#include "common/pipeline/rpc_client.h"

struct rpc_caller {
    struct broker_connection *connection;
    struct rpc_client *client;
};

int broker_connect_any(struct broker_connection **out, const struct broker_addresses *addresses,
                       const char *name, int timeout_ms, struct detail *why)
{
    int rc = E_CLOSED;
    for (size_t i = 0; i < addresses->count; i++) {
        struct broker_options options = {
            .address = &addresses->items[i], .name = name, .timeout_ms = timeout_ms};
        rc = broker_connection_open(out, &options, why);
        if (rc == 0)
            return 0;
    }
    return rc;
}

int rpc_caller_new(struct rpc_caller **out, struct broker_connection *connection, struct detail *why)
{
    char queue[BROKER_NAME_SIZE];
    struct rpc_caller *c = xcalloc(1, sizeof(*c));
    c->connection = connection;
    c->client = rpc_client_new();
    int rc;
    if ((rc = broker_declare_private_queue(connection, 0, queue, why)) ||
        (rc = broker_bind(connection, queue, EXCHANGE_REPLY, queue, why)) ||
        (rc = broker_consume(connection, queue, "answers", 0, true, why))) {
        rpc_caller_free(c);
        return rc;
    }
    rpc_client_connected(c->client, connection, queue);
    *out = c;
    return 0;
}

void rpc_caller_free(struct rpc_caller *c)
{
    if (!c)
        return;
    rpc_client_free(c->client);
    broker_connection_close(c->connection);
    free(c);
}

struct waiting { /* what the answer's function leaves behind */
    bool answered;
    int status;
    json_t *result; /* owned */
    char *code;
    struct detail *why;
};

static void keep_answer(void *context, const struct rpc_answer *answer)
{
    struct waiting *w = context;
    w->answered = true;
    w->status = answer->status;
    w->result = json_incref(answer->result); /* NULL stays NULL */
    if (w->code)
        snprintf(w->code, RPC_CODE_SIZE, "%s", answer->code);
    detail_set(w->why, "%s", answer->detail);
}

static void on_delivery(void *context, const struct broker_delivery *delivery)
{
    struct rpc_caller *c = context;
    rpc_client_delivery(c->client, delivery);
}

static void on_returned(void *context, const struct broker_returned *returned)
{
    struct rpc_caller *c = context;
    rpc_client_returned(c->client, returned);
}

/* Pumps until the answer is there; rpc_client_expire ends the wait. */
static void wait_for(struct rpc_caller *c, const struct waiting *w)
{
    const struct broker_events events = {.context = c, .delivery = on_delivery, .returned = on_returned};
    while (!w->answered) {
        struct detail lost;
        if (broker_connection_pump(c->connection, &events, 0, &lost) < 0) {
            rpc_client_lost(c->client);
            if (w->why && w->status == E_CLOSED)
                *w->why = lost;
            return;
        }
        int64_t now_ns = clock_mono_ns();
        rpc_client_expire(c->client, now_ns);
        if (w->answered)
            return;
        int64_t left_ms = (rpc_client_next_deadline_ns(c->client) - now_ns) / NS_PER_MS + 1;
        struct pollfd fd = {.fd = broker_connection_fd(c->connection), .events = POLLIN};
        (void)poll(&fd, 1, left_ms < 500 ? (int)left_ms : 500); /* at most: heartbeats go out in the pump */
    }
}

int rpc_call(struct rpc_caller *c, const char *routing_key, const char *method, struct slice body,
             int timeout_ms, json_t **result, char *code, struct detail *why)
{
    struct waiting w = {.code = code, .why = why};
    struct rpc_question question = {
        .routing_key = routing_key,
        .method = method,
        .body = body,
        .deadline_ns = clock_mono_ns() + timeout_ms * NS_PER_MS,
        .answered = keep_answer,
        .context = &w,
    };
    if (code)
        code[0] = '\0';
    int rc = rpc_ask(c->client, &question);
    if (rc) {
        detail_set(why, "the question %s could not be sent: %s", method, error_text(rc));
        return rc;
    }
    wait_for(c, &w);
    if (w.status == 0)
        *result = w.result;
    return w.status;
}
