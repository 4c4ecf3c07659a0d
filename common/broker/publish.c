/* Sending one message. See publish.h. */
#include "common/broker/publish.h"

#include "common/broker/connection_internal.h"

int broker_publish(struct broker_connection *c, const struct broker_message *message, uint64_t *tag)
{
    if (c->dead || broker_peek(c))
        return E_CLOSED;
    amqp_table_entry_t entries[BROKER_MAX_HEADERS];
    amqp_basic_properties_t properties;
    broker_properties_encode(&message->properties, entries, &properties);

    struct slice body = message->body;
    struct buffer padded = {0};
    if (body.len > 0 && body.len % c->frame_payload == 0) {
        buffer_add(&padded, body.data, body.len);
        buffer_add(&padded, "\n", 1);
        body = (struct slice){.data = padded.data, .len = padded.len};
    }
    int status =
        amqp_basic_publish(c->amqp, CHANNEL, bytes_of(message->exchange), bytes_of(message->routing_key),
                           message->mandatory, 0, &properties, bytes_of_slice(body));
    buffer_free(&padded);
    if (status != AMQP_STATUS_OK) {
        c->dead = true;
        return E_CLOSED;
    }
    if (tag)
        *tag = c->next_tag;
    c->next_tag++;
    return 0;
}
