/* Consuming, acknowledging, private queues, passive checks. See consume.h. */
#include "common/broker/consume.h"

#include <stdio.h>

#include "common/broker/connection_internal.h"

static int check(struct broker_connection *c, const char *verb, const char *name, struct detail *why)
{
    char what[BROKER_NAME_SIZE + 64];
    snprintf(what, sizeof what, "%s %s", verb, name);
    return broker_reply_check(c, amqp_get_rpc_reply(c->amqp), what, why);
}

int broker_consume(struct broker_connection *c, const char *queue, const char *tag, int prefetch, bool no_ack,
                   struct detail *why)
{
    if (c->dead)
        return broker_died(c, why, "consuming", "the connection is closed");
    if (!no_ack) {
        amqp_basic_qos(c->amqp, CHANNEL, 0, (uint16_t)prefetch, 0);
        int error = check(c, "setting the prefetch of", queue, why);
        if (error)
            return error;
    }
    amqp_basic_consume(c->amqp, CHANNEL, bytes_of(queue), bytes_of(tag), 0, no_ack, 0, amqp_empty_table);
    return check(c, "consuming from", queue, why);
}

int broker_hold(struct broker_connection *c, const char *name, struct detail *why)
{
    if (c->dead)
        return broker_died(c, why, "holding", "the connection is closed");
    amqp_queue_declare(c->amqp, CHANNEL, bytes_of(name), 0, 0, 1 /* exclusive */, 1 /* auto-delete */,
                       amqp_empty_table);
    return check(c, "holding", name, why);
}

int broker_cancel(struct broker_connection *c, const char *tag, struct detail *why)
{
    if (c->dead)
        return broker_died(c, why, "cancelling", "the connection is closed");
    amqp_basic_cancel(c->amqp, CHANNEL, bytes_of(tag));
    return check(c, "cancelling the consumer", tag, why);
}

int broker_ack(struct broker_connection *c, uint64_t tag, bool multiple)
{
    if (c->dead || amqp_basic_ack(c->amqp, CHANNEL, tag, multiple) != AMQP_STATUS_OK) {
        c->dead = true;
        return E_CLOSED;
    }
    return 0;
}

int broker_requeue(struct broker_connection *c, uint64_t tag)
{
    if (c->dead || amqp_basic_reject(c->amqp, CHANNEL, tag, 1) != AMQP_STATUS_OK) {
        c->dead = true;
        return E_CLOSED;
    }
    return 0;
}

int broker_declare_private_queue(struct broker_connection *c, int max_length, char name[BROKER_NAME_SIZE],
                                 struct detail *why)
{
    if (c->dead)
        return broker_died(c, why, "declaring a queue", "the connection is closed");
    amqp_table_entry_t argument = {.key = amqp_cstring_bytes("x-max-length"),
                                   .value = {.kind = AMQP_FIELD_KIND_I32, .value = {.i32 = max_length}}};
    amqp_table_t arguments = {.num_entries = max_length > 0 ? 1 : 0, .entries = &argument};
    amqp_queue_declare_ok_t *ok = amqp_queue_declare(c->amqp, CHANNEL, amqp_empty_bytes, 0, 0,
                                                     1 /* exclusive */, 1 /* auto-delete */, arguments);
    int error = check(c, "declaring", "a private queue", why);
    if (error)
        return error;
    if (ok->queue.len >= BROKER_NAME_SIZE)
        return broker_died(c, why, "declaring a private queue", "its name is too long");
    memcpy(name, ok->queue.bytes, ok->queue.len);
    name[ok->queue.len] = '\0';
    return 0;
}

int broker_bind(struct broker_connection *c, const char *queue, const char *exchange, const char *routing_key,
                struct detail *why)
{
    if (c->dead)
        return broker_died(c, why, "binding", "the connection is closed");
    amqp_queue_bind(c->amqp, CHANNEL, bytes_of(queue), bytes_of(exchange), bytes_of(routing_key),
                    amqp_empty_table);
    return check(c, "binding a queue to", exchange, why);
}

int broker_queue_check(struct broker_connection *c, const char *queue, uint32_t *ready, uint32_t *consumers,
                       struct detail *why)
{
    if (c->dead)
        return broker_died(c, why, "looking for a queue", "the connection is closed");
    amqp_queue_declare_ok_t *ok =
        amqp_queue_declare(c->amqp, CHANNEL, bytes_of(queue), 1 /* passive */, 0, 0, 0, amqp_empty_table);
    int error = check(c, "looking for the queue", queue, why);
    if (error == E_NOT_FOUND) {
        struct detail reopening;
        return broker_channel_reopen(c, &reopening) ? E_CLOSED : E_NOT_FOUND;
    }
    if (error)
        return error;
    if (ready)
        *ready = ok->message_count;
    if (consumers)
        *consumers = ok->consumer_count;
    return 0;
}

int broker_exchange_check(struct broker_connection *c, const char *exchange, struct detail *why)
{
    if (c->dead)
        return broker_died(c, why, "looking for an exchange", "the connection is closed");
    /* A passive declaration compares nothing but the name; the type must be one that exists. */
    amqp_exchange_declare(c->amqp, CHANNEL, bytes_of(exchange), amqp_cstring_bytes("direct"), 1 /* passive */,
                          0, 0, 0, amqp_empty_table);
    int error = check(c, "looking for the exchange", exchange, why);
    if (error == E_NOT_FOUND) {
        struct detail reopening;
        return broker_channel_reopen(c, &reopening) ? E_CLOSED : E_NOT_FOUND;
    }
    return error;
}
