/* Sending one message. Confirms come back as events of the connection's pump. */
#ifndef SECKILL_BROKER_PUBLISH_H
#define SECKILL_BROKER_PUBLISH_H

#include "common/broker/connection.h"

struct broker_message {
    const char *exchange;
    const char *routing_key;
    bool mandatory; /* come back as returned if no queue takes it */
    struct broker_properties properties;
    struct slice body;
};

/*
 * Hands the message to the socket. *tag (may be NULL) is its number for the confirm, rising by one with each
 * message of the connection. E_CLOSED: the connection is dead and the message may or may not have left. Can
 * block while the broker does not read: see broker_connection_shutdown(). A body whose length is an exact
 * multiple of the payload of a frame is sent late by the library (0.11, amqp_basic_publish): such a body of a
 * line format gets one more "\n".
 */
int broker_publish(struct broker_connection *c, const struct broker_message *message, uint64_t *tag) MUST_USE;

#endif
