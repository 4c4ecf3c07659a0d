/* A front end's two connections as one thing. See broker_session.h. */
#include "services/order/broker_session.h"

#include <stdio.h>

#include "common/pipeline/names.h"

#define STOCK_QUEUE_LENGTH 32 /* snapshots and signs of life that may wait; only the latest matter */

static int open_connection(struct broker_connection **out, const struct broker_address *address,
                           const struct settings *settings, const char *name, bool confirms,
                           struct detail *why)
{
    struct broker_options options = {
        .address = address,
        .name = name,
        .timeout_ms = (int)settings->broker.timeout_ms,
        .heartbeat_s = (int)settings->broker.heartbeat_s,
        .confirms = confirms,
    };
    return broker_connection_open(out, &options, why);
}

static int open_publish(struct broker_connection **out, const struct broker_address *address,
                        const struct settings *settings, struct detail *why)
{
    return open_connection(out, address, settings, "seckill-order publish", true, why);
}

/* Says what is missing in words that tell what to do about it. */
static int check_topology(struct broker_session *s, int shards, struct detail *why)
{
    struct detail ignored;
    int error = broker_exchange_check(s->consume, EXCHANGE_ORDERS, why);
    if (error == E_NOT_FOUND)
        detail_set(why, "the exchange %s is missing: import `seckillctl topology definitions`",
                   EXCHANGE_ORDERS);
    for (int i = 0; i < shards && !error; i++) {
        char queue[64];
        snprintf(queue, sizeof queue, "%s%d", QUEUE_ORDERS_PREFIX, i);
        error = broker_queue_check(s->consume, queue, NULL, NULL, &ignored);
        if (error == E_NOT_FOUND)
            detail_set(why, "the queue %s is missing: import `seckillctl topology definitions`", queue);
        else if (error)
            *why = ignored;
    }
    return error;
}

static int start_consuming(struct broker_session *s, struct detail *why)
{
    int error = broker_declare_private_queue(s->consume, 0, s->reply_queue, why);
    if (!error)
        error = broker_bind(s->consume, s->reply_queue, EXCHANGE_REPLY, s->reply_queue, why);
    if (!error)
        error = broker_declare_private_queue(s->consume, STOCK_QUEUE_LENGTH, s->stock_queue, why);
    if (!error)
        error = broker_bind(s->consume, s->stock_queue, EXCHANGE_STOCK, "", why);
    if (!error)
        error = broker_consume(s->consume, s->reply_queue, CONSUMER_REPLY, 0, true, why);
    if (!error)
        error = broker_consume(s->consume, s->stock_queue, CONSUMER_STOCK, 0, true, why);
    return error;
}

int broker_session_open(struct broker_session *s, const struct broker_address *address,
                        const struct settings *settings, struct detail *why)
{
    *s = (struct broker_session){0};
    int error = open_publish(&s->publish, address, settings, why);
    if (!error)
        error = open_connection(&s->consume, address, settings, "seckill-order consume", false, why);
    if (!error)
        error = check_topology(s, (int)settings->topology.shards, why);
    if (!error)
        error = start_consuming(s, why);
    if (error)
        broker_session_close(s, error == E_NOT_FOUND);
    return error;
}

int broker_session_renew_publish(struct broker_session *s, const struct broker_address *address,
                                 const struct settings *settings, struct detail *why)
{
    struct broker_connection *publish;
    int error = open_publish(&publish, address, settings, why);
    if (error)
        return error;
    broker_connection_close(s->publish);
    s->publish = publish;
    return 0;
}

void broker_session_close(struct broker_session *s, bool polite)
{
    if (polite) {
        broker_connection_close(s->publish);
        broker_connection_close(s->consume);
    } else {
        broker_connection_abandon(s->publish);
        broker_connection_abandon(s->consume);
    }
    *s = (struct broker_session){0};
}
