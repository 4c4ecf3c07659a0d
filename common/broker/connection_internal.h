/* The inside of a connection, for the files of this folder only. */
#ifndef SECKILL_BROKER_CONNECTION_INTERNAL_H
#define SECKILL_BROKER_CONNECTION_INTERNAL_H

#include <amqp.h>
#include <amqp_framing.h>

#include "common/base/buffer.h"
#include "common/broker/connection.h"
#include "common/broker/tls.h"

#define CHANNEL                                                                                              \
    1 /* the only one, so that no frame of another channel can be missed (see amqp_read_message) */

/* A message that is arriving: method frame, header frame, body frames. */
struct incoming {
    enum { INCOMING_NONE, INCOMING_DELIVERY, INCOMING_RETURN } kind;
    amqp_basic_deliver_t *deliver;
    amqp_basic_return_t *returned;
    amqp_basic_properties_t *properties; /* NULL until the header frame came */
    uint64_t size;
    struct buffer body;  /* used when the body comes in more than one frame */
    struct slice single; /* the body, when it came in one frame */
};

struct broker_connection {
    amqp_connection_state_t amqp;
    char peer[300];                           /* "host:port", for people */
    const struct broker_address *tls_address; /* while it is opened by TLS; else NULL */
    struct broker_tls tls;
    int timeout_ms;
    bool confirms;
    bool dead;
    bool blocked;
    uint64_t next_tag;    /* of the next publish */
    size_t frame_payload; /* bytes of body in one frame */
    struct incoming incoming;
    bool pumping, peeked;
    amqp_frame_t frame; /* peeked: read ahead of the next pump */
};

static inline amqp_bytes_t bytes_of(const char *text)
{
    return text ? amqp_cstring_bytes(text) : amqp_empty_bytes;
}

static inline amqp_bytes_t bytes_of_slice(struct slice s)
{
    return (amqp_bytes_t){.len = s.len, .bytes = (void *)(uintptr_t)s.data};
}

static inline struct slice slice_of_bytes(amqp_bytes_t b)
{
    return (struct slice){.data = b.bytes, .len = b.len};
}

/* Marks the connection dead, writes "host:port: what: reason" and returns E_CLOSED. */
int broker_died(struct broker_connection *c, struct detail *why, const char *what, const char *reason);

/* Turns the reply of a synchronous call into a code of ours. Anything but success leaves the connection dead,
 * because the broker closes the channel or the answer may still come. */
int broker_reply_check(struct broker_connection *c, amqp_rpc_reply_t reply, const char *what,
                       struct detail *why) MUST_USE;

/* After the broker closed the channel: answers that and opens it anew. */
int broker_channel_reopen(struct broker_connection *c, struct detail *why) MUST_USE;

/*
 * Before a publish: is the broker still heard? rabbitmq-c 0.11 waits without a bound inside
 * amqp_basic_publish where it finds the broker's heartbeat overdue (amqp_try_recv: a time-out of 0 s is
 * none), so it has to find that here, where it does not wait. E_CLOSED: it is not.
 */
int broker_peek(struct broker_connection *c) MUST_USE;

/* properties → the library's form; table entries live in `entries` (BROKER_MAX_HEADERS of them). */
void broker_properties_encode(const struct broker_properties *in, amqp_table_entry_t *entries,
                              amqp_basic_properties_t *out);
void broker_properties_decode(const amqp_basic_properties_t *in, struct broker_properties *out);

#endif
