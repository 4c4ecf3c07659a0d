/*
 * Opening, closing and reading. See connection.h.
 *
 * Reading is by single frames (amqp_simple_wait_frame_noblock) put together here, not by amqp_read_message,
 * which waits for the rest of a message without a bound and drops what else arrives. Frames live in the
 * library's pool until the message is complete and handled; then the pool is recycled
 * (amqp_maybe_release_buffers_on_channel).
 */
#include "common/broker/connection.h"

#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/base/alloc.h"
#include "common/broker/connection_internal.h"

#define FRAME_MAX          131072 /* RabbitMQ's default */
#define FRAME_OVERHEAD     8      /* type, channel, size, end marker */
#define DEFAULT_TIMEOUT_MS 1000
#define DEFAULT_HEARTBEAT  10

static struct timeval timeval_of_ms(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
}

int broker_died(struct broker_connection *c, struct detail *why, const char *what, const char *reason)
{
    c->dead = true;
    detail_set(why, "%s: %s: %s", c->peer, what, reason);
    return E_CLOSED;
}

/* The broker's own words in a channel.close or connection.close. */
static void close_reason(const amqp_method_t *method, int *code, char *text, size_t size)
{
    amqp_bytes_t words = amqp_empty_bytes;
    *code = 0;
    if (method->id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *m = method->decoded;
        *code = m->reply_code;
        words = m->reply_text;
    } else if (method->id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *m = method->decoded;
        *code = m->reply_code;
        words = m->reply_text;
    }
    snprintf(text, size, "%d %.*s", *code, (int)words.len, (const char *)words.bytes);
}

/* While a TLS connection is being opened the library's words say next to nothing; with TLS 1.3 the broker's
 * refusal of our certificate comes as late as the answer to the log-in. */
static void died_of_library(struct broker_connection *c, struct detail *why, const char *what, int status)
{
    char text[300];
    if (c->tls_address && status != AMQP_STATUS_TIMEOUT)
        broker_tls_explain(c->tls_address, &c->tls, status, text, sizeof text);
    else
        snprintf(text, sizeof text, "%s", amqp_error_string2(status));
    broker_died(c, why, what, text);
}

int broker_reply_check(struct broker_connection *c, amqp_rpc_reply_t reply, const char *what,
                       struct detail *why)
{
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return 0;
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) {
        int code;
        char text[300];
        close_reason(&reply.reply, &code, text, sizeof text);
        broker_died(c, why, what, text);
        return code == AMQP_NOT_FOUND ? E_NOT_FOUND : E_REFUSED;
    }
    int status = reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION ? reply.library_error
                                                                     : AMQP_STATUS_CONNECTION_CLOSED;
    died_of_library(c, why, what, status);
    return status == AMQP_STATUS_TIMEOUT ? E_TIMEOUT : E_CLOSED;
}

int broker_channel_reopen(struct broker_connection *c, struct detail *why)
{
    amqp_channel_close_ok_t ok = {0};
    int status = amqp_send_method(c->amqp, CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    if (status != AMQP_STATUS_OK)
        return broker_died(c, why, "closing the channel", amqp_error_string2(status));
    amqp_channel_open(c->amqp, CHANNEL);
    int error = broker_reply_check(c, amqp_get_rpc_reply(c->amqp), "opening the channel again", why);
    if (!error && c->confirms) {
        amqp_confirm_select(c->amqp, CHANNEL);
        error = broker_reply_check(c, amqp_get_rpc_reply(c->amqp), "asking for confirms", why);
        c->next_tag = 1;
    }
    if (!error)
        c->dead = false;
    return error;
}

static int open_socket(struct broker_connection *c, const struct broker_address *a, struct detail *why)
{
    amqp_socket_t *socket = a->tls ? amqp_ssl_socket_new(c->amqp) : amqp_tcp_socket_new(c->amqp);
    if (!socket)
        return broker_died(c, why, "connecting", "no memory for a socket");
    if (a->tls) {
        struct detail unfit;
        c->tls_address = a;
        int error = broker_tls_prepare(socket, a, &c->tls, &unfit);
        if (error) {
            broker_died(c, why, "preparing TLS", unfit.text);
            return error;
        }
    }
    struct timeval limit = timeval_of_ms(c->timeout_ms);
    int status = amqp_socket_open_noblock(socket, a->host, a->port, &limit);
    if (status == AMQP_STATUS_OK)
        return 0;
    if (status == AMQP_STATUS_SOCKET_ERROR)
        broker_died(c, why, "connecting", "connection refused or host unreachable");
    else
        died_of_library(c, why, "connecting", status);
    return status == AMQP_STATUS_TIMEOUT ? E_TIMEOUT : E_CLOSED;
}

/* The capabilities make the broker tell us of alarms and of consumers that it ended. */
static int log_in(struct broker_connection *c, const struct broker_options *o, struct detail *why)
{
    amqp_table_entry_t capability[] = {
        {.key = amqp_cstring_bytes("connection.blocked"), .value = {.kind = AMQP_FIELD_KIND_BOOLEAN}},
        {.key = amqp_cstring_bytes("consumer_cancel_notify"), .value = {.kind = AMQP_FIELD_KIND_BOOLEAN}},
        {.key = amqp_cstring_bytes("publisher_confirms"), .value = {.kind = AMQP_FIELD_KIND_BOOLEAN}},
        {.key = amqp_cstring_bytes("basic.nack"), .value = {.kind = AMQP_FIELD_KIND_BOOLEAN}},
    };
    for (size_t i = 0; i < sizeof capability / sizeof *capability; i++)
        capability[i].value.value.boolean = 1;
    amqp_table_entry_t property[] = {
        {.key = amqp_cstring_bytes("capabilities"), .value = {.kind = AMQP_FIELD_KIND_TABLE}},
        {.key = amqp_cstring_bytes("connection_name"), .value = {.kind = AMQP_FIELD_KIND_UTF8}},
    };
    property[0].value.value.table =
        (amqp_table_t){.num_entries = sizeof capability / sizeof *capability, .entries = capability};
    property[1].value.value.bytes = bytes_of(o->name ? o->name : "seckill");
    amqp_table_t properties = {.num_entries = 2, .entries = property};

    const struct broker_address *a = o->address;
    int heartbeat = o->heartbeat_s > 0 ? o->heartbeat_s : DEFAULT_HEARTBEAT;
    amqp_rpc_reply_t reply =
        amqp_login_with_properties(c->amqp, a->vhost, 0, FRAME_MAX, heartbeat, &properties,
                                   AMQP_SASL_METHOD_PLAIN, a->user, a->password);
    return broker_reply_check(c, reply, "logging in", why);
}

static int open_channel(struct broker_connection *c, struct detail *why)
{
    amqp_channel_open(c->amqp, CHANNEL);
    int error = broker_reply_check(c, amqp_get_rpc_reply(c->amqp), "opening a channel", why);
    if (error || !c->confirms)
        return error;
    amqp_confirm_select(c->amqp, CHANNEL);
    return broker_reply_check(c, amqp_get_rpc_reply(c->amqp), "asking for confirms", why);
}

int broker_connection_open(struct broker_connection **out, const struct broker_options *o, struct detail *why)
{
    struct broker_connection *c = xcalloc(1, sizeof *c);
    snprintf(c->peer, sizeof c->peer, "%s:%d", o->address->host, o->address->port);
    c->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : DEFAULT_TIMEOUT_MS;
    c->confirms = o->confirms;
    c->next_tag = 1;
    c->amqp = amqp_new_connection();
    if (!c->amqp) {
        free(c);
        detail_set(why, "no memory for a connection");
        return E_CLOSED;
    }
    struct timeval limit = timeval_of_ms(c->timeout_ms);
    amqp_set_handshake_timeout(c->amqp, &limit);
    amqp_set_rpc_timeout(c->amqp, &limit);

    int error = open_socket(c, o->address, why);
    if (!error)
        error = log_in(c, o, why);
    if (!error)
        error = open_channel(c, why);
    if (error) {
        broker_connection_abandon(c);
        return error;
    }
    c->tls_address = NULL;
    c->frame_payload = (size_t)amqp_get_frame_max(c->amqp) - FRAME_OVERHEAD;
    *out = c;
    return 0;
}

void broker_connection_abandon(struct broker_connection *c)
{
    if (!c)
        return;
    buffer_free(&c->incoming.body);
    amqp_destroy_connection(c->amqp);
    free(c);
}

void broker_connection_close(struct broker_connection *c)
{
    if (c && !c->dead)
        amqp_connection_close(
            c->amqp, AMQP_REPLY_SUCCESS); /* bounded by the rpc time-out; its answer changes nothing */
    broker_connection_abandon(c);
}

int broker_connection_fd(const struct broker_connection *c)
{
    return amqp_get_sockfd(c->amqp);
}

void broker_connection_shutdown(int fd)
{
    shutdown(fd, SHUT_RDWR);
}

bool broker_connection_blocked(const struct broker_connection *c)
{
    return c->blocked;
}

bool broker_connection_has_buffered(const struct broker_connection *c)
{
    return c->peeked || amqp_frames_enqueued(c->amqp) || amqp_data_in_buffer(c->amqp);
}

/* ---- what arrives ---- */

static void incoming_done(struct broker_connection *c)
{
    buffer_clear(&c->incoming.body);
    struct buffer body = c->incoming.body;
    c->incoming = (struct incoming){.body = body};
    amqp_maybe_release_buffers_on_channel(c->amqp, CHANNEL);
}

/* The whole message is here: hands it over. Returns whether it was a delivery. */
static bool incoming_complete(struct broker_connection *c, const struct broker_events *events)
{
    struct incoming *in = &c->incoming;
    struct slice body =
        in->single.data ? in->single : (struct slice){.data = in->body.data, .len = in->body.len};
    bool is_delivery = in->kind == INCOMING_DELIVERY;
    if (is_delivery && events->delivery) {
        struct broker_delivery d = {
            .consumer = slice_of_bytes(in->deliver->consumer_tag),
            .tag = in->deliver->delivery_tag,
            .redelivered = in->deliver->redelivered,
            .exchange = slice_of_bytes(in->deliver->exchange),
            .routing_key = slice_of_bytes(in->deliver->routing_key),
            .body = body,
        };
        broker_properties_decode(in->properties, &d.properties);
        events->delivery(events->context, &d);
    } else if (in->kind == INCOMING_RETURN && events->returned) {
        struct broker_returned r = {
            .reply_code = in->returned->reply_code,
            .reply_text = slice_of_bytes(in->returned->reply_text),
            .exchange = slice_of_bytes(in->returned->exchange),
            .routing_key = slice_of_bytes(in->returned->routing_key),
        };
        broker_properties_decode(in->properties, &r.properties);
        events->returned(events->context, &r);
    }
    incoming_done(c);
    return is_delivery;
}

static int on_method(struct broker_connection *c, const struct broker_events *e, const amqp_method_t *method,
                     struct detail *why)
{
    switch (method->id) {
    case AMQP_BASIC_DELIVER_METHOD:
        c->incoming.kind = INCOMING_DELIVERY;
        c->incoming.deliver = method->decoded;
        return 0; /* the rest of the message follows; the pool must not be recycled yet */
    case AMQP_BASIC_RETURN_METHOD:
        c->incoming.kind = INCOMING_RETURN;
        c->incoming.returned = method->decoded;
        return 0;
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *m = method->decoded;
        if (e->confirmed)
            e->confirmed(e->context, m->delivery_tag, m->multiple, true);
        break;
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *m = method->decoded;
        if (e->confirmed)
            e->confirmed(e->context, m->delivery_tag, m->multiple, false);
        break;
    }
    case AMQP_BASIC_CANCEL_METHOD: {
        const amqp_basic_cancel_t *m = method->decoded;
        if (e->cancelled)
            e->cancelled(e->context, slice_of_bytes(m->consumer_tag));
        break;
    }
    case AMQP_CONNECTION_BLOCKED_METHOD: {
        const amqp_connection_blocked_t *m = method->decoded;
        c->blocked = true;
        if (e->blocked)
            e->blocked(e->context, true, slice_of_bytes(m->reason));
        break;
    }
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        c->blocked = false;
        if (e->blocked)
            e->blocked(e->context, false, (struct slice){0});
        break;
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD: {
        int code;
        char text[300];
        close_reason(method, &code, text, sizeof text);
        return broker_died(c, why, "closed by the broker", text);
    }
    default: /* the answer to a call that had timed out: nobody waits for it */
        break;
    }
    if (c->incoming.kind == INCOMING_NONE) /* else a message's first frames are still in use */
        amqp_maybe_release_buffers_on_channel(c->amqp, CHANNEL);
    amqp_maybe_release_buffers_on_channel(c->amqp, 0);
    return 0;
}

/* Returns 1 when a delivery was handed over, 0 otherwise, E_CLOSED. */
static int on_frame(struct broker_connection *c, const struct broker_events *events,
                    const amqp_frame_t *frame, struct detail *why)
{
    struct incoming *in = &c->incoming;
    switch (frame->frame_type) {
    case AMQP_FRAME_METHOD:
        return on_method(c, events, &frame->payload.method, why);
    case AMQP_FRAME_HEADER:
        if (in->kind == INCOMING_NONE)
            return broker_died(c, why, "reading", "a content header without its method");
        in->properties = frame->payload.properties.decoded;
        in->size = frame->payload.properties.body_size;
        return in->size == 0 ? incoming_complete(c, events) : 0;
    case AMQP_FRAME_BODY: {
        struct slice part = slice_of_bytes(frame->payload.body_fragment);
        if (!in->properties)
            return broker_died(c, why, "reading", "a body without its header");
        if (part.len == in->size) {
            in->single = part;
            return incoming_complete(c, events);
        }
        buffer_add(&in->body, part.data, part.len);
        return in->body.len >= in->size ? incoming_complete(c, events) : 0;
    }
    default:
        return 0;
    }
}

/* The next frame that is here, or AMQP_STATUS_TIMEOUT. */
static int next_frame(struct broker_connection *c, amqp_frame_t *frame)
{
    struct timeval zero = {0};
    if (!c->peeked)
        return amqp_simple_wait_frame_noblock(c->amqp, frame, &zero);
    c->peeked = false;
    *frame = c->frame;
    return AMQP_STATUS_OK;
}

int broker_peek(struct broker_connection *c)
{
    if (c->peeked || c->pumping) /* a pump looks, and recycles what a frame read ahead would live in */
        return 0;
    int status = next_frame(c, &c->frame);
    c->peeked = status == AMQP_STATUS_OK;
    c->dead = !c->peeked && status != AMQP_STATUS_TIMEOUT;
    return c->dead ? E_CLOSED : 0;
}

static int pump(struct broker_connection *c, const struct broker_events *events, int max_deliveries,
                struct detail *why)
{
    int deliveries = 0;
    for (;;) {
        amqp_frame_t frame;
        int status = next_frame(c, &frame);
        if (status == AMQP_STATUS_TIMEOUT)
            return 0;
        if (status != AMQP_STATUS_OK)
            return broker_died(c, why, "reading", amqp_error_string2(status));
        int result = on_frame(c, events, &frame, why);
        if (result < 0)
            return result;
        deliveries += result;
        if (max_deliveries > 0 && deliveries >= max_deliveries)
            return 1;
    }
}

int broker_connection_pump(struct broker_connection *c, const struct broker_events *events,
                           int max_deliveries, struct detail *why)
{
    if (c->dead)
        return broker_died(c, why, "reading", "the connection is closed");
    c->pumping = true;
    int result = pump(c, events, max_deliveries, why);
    c->pumping = false;
    return result;
}
