/*
 * One AMQP 0-9-1 connection with one channel, event by event. The only folder that includes rabbitmq-c.
 *
 * A connection belongs to the thread that opened it; only broker_connection_shutdown() may be called from
 * another. No call here waits for the broker without a bound: opening, declaring and the like have a time-out
 * each, reading never waits, and publishing can be cut short from outside by broker_connection_shutdown().
 *
 * Every call that returns E_CLOSED means that the connection is dead and can only be closed. What was
 * published and not confirmed by then may or may not have arrived.
 */
#ifndef SECKILL_BROKER_CONNECTION_H
#define SECKILL_BROKER_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/broker/address.h"

struct broker_connection;

struct broker_options {
    const struct broker_address *address;
    const char *name; /* shown in the broker's list of connections: "seckill-order reply" */
    int timeout_ms;   /* for TCP connect, for the handshake and for each synchronous call; 1000 where 0 */
    int heartbeat_s;  /* 10 where 0 */
    bool confirms;    /* confirm.select on the channel */
};

/* Opens, logs in, opens the channel. Blocks for at most about 2 × timeout_ms. E_CLOSED (no broker there),
 * E_TIMEOUT, E_REFUSED (wrong password, no such vhost), with a detail that names host and port, never the
 * password. */
int broker_connection_open(struct broker_connection **out, const struct broker_options *options,
                           struct detail *why) MUST_USE;

/* Says goodbye to the broker if the connection is alive (bounded by timeout_ms), frees. c may be NULL. */
void broker_connection_close(struct broker_connection *c);

/* Frees without a word to the broker, for a connection that does not answer. c may be NULL. */
void broker_connection_abandon(struct broker_connection *c);

int broker_connection_fd(const struct broker_connection *c); /* poll it for POLLIN, then pump */

/* From any thread: makes a call that hangs on this descriptor (broker_connection_fd) end with E_CLOSED. The
 * caller makes sure that the descriptor is still this connection's. */
void broker_connection_shutdown(int fd);

/* What arrived. The slices and pointers are valid during the call only. */
struct broker_header {
    struct slice name;
    bool is_text;
    struct slice text; /* is_text */
    int64_t number;    /* !is_text */
};

#define BROKER_MAX_HEADERS 16

struct broker_properties {
    struct slice content_type;
    struct slice message_id;
    struct slice correlation_id;
    struct slice reply_to;
    struct slice expiration; /* milliseconds, as text */
    bool persistent;
    struct broker_header headers[BROKER_MAX_HEADERS]; /* text and integer ones; others are left out */
    int header_count;
};

/* The header of that name, or NULL. */
const struct broker_header *broker_header_find(const struct broker_properties *p, const char *name);

struct broker_delivery {
    struct slice consumer; /* the consumer tag */
    uint64_t tag;          /* for broker_ack */
    bool redelivered;
    struct slice exchange;
    struct slice routing_key;
    struct broker_properties properties;
    struct slice body;
};

struct broker_returned { /* a mandatory message that no queue took: comes before its confirm, which says "ack"
                          */
    int reply_code;
    struct slice reply_text;
    struct slice exchange;
    struct slice routing_key;
    struct broker_properties properties; /* as published: find it by message_id */
};

struct broker_events { /* any may be NULL: then such an event is ignored */
    void *context;
    void (*delivery)(void *context, const struct broker_delivery *delivery);
    void (*confirmed)(void *context, uint64_t tag, bool multiple,
                      bool ack); /* ack false: the broker refused it */
    void (*returned)(void *context, const struct broker_returned *returned);
    void (*blocked)(void *context, bool blocked,
                    struct slice reason); /* a memory or disk alarm began or ended */
    void (*cancelled)(void *context,
                      struct slice consumer); /* the broker ended the consumer: queue deleted, leader gone */
};

/*
 * Handles everything that has arrived, without waiting: frames in the library's buffer and in the socket.
 * Sends heartbeats that are due. Call it whenever the descriptor is readable, at least once a second, and
 * always once more right before sleeping. The events' functions may publish, ack and consume on any
 * connection, but not close this one. `max_deliveries` bounds the deliveries handled by one call (0: no
 * bound); when the bound is hit the call returns 1 and more may be waiting. 0: nothing more is here now.
 * E_CLOSED: dead, *why says how (a channel closed by the broker too).
 */
int broker_connection_pump(struct broker_connection *c, const struct broker_events *events,
                           int max_deliveries, struct detail *why) MUST_USE;

/* Frames wait in the library's memory: pump again before sleeping, the descriptor will not become readable
 * for them. */
bool broker_connection_has_buffered(const struct broker_connection *c);

bool broker_connection_blocked(const struct broker_connection *c); /* an alarm is on: do not publish */

#endif
