/*
 * What the broker alone takes: persistent messages to a durable quorum queue of this program's own, each with
 * its confirm, and never more than a window of them unconfirmed. rabbitmq-c and nothing else of ours, so that
 * it is the broker and the library that are measured. The queue is deleted at the end.
 *
 *   publish_raw AMQP_URL SECONDS SIZE WINDOW     prints "messages_per_second N" and "messages N"
 */
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHANNEL   1
#define FRAME_MAX 131072
#define BODY_MAX  (120 * 1024) /* a body in one frame */
#define TIMEOUT_S 30           /* without a confirm */

struct run {
    amqp_connection_state_t amqp;
    char queue[64];
    uint64_t window;
    uint64_t published, confirmed; /* the latest tag; all up to this one are confirmed */
    bool *ahead;                   /* by tag modulo window: confirmed, though not all before it are */
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "publish_raw: %s\n", what);
    exit(69);
}

static void must(amqp_rpc_reply_t reply, const char *what)
{
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        fail(what);
}

static void log_in(struct run *r, char *url)
{
    struct amqp_connection_info to;
    if (amqp_parse_url(url, &to) != AMQP_STATUS_OK)
        fail("the broker's address cannot be read");
    r->amqp = amqp_new_connection();
    amqp_socket_t *socket = r->amqp ? amqp_tcp_socket_new(r->amqp) : NULL;
    if (!socket || amqp_socket_open(socket, to.host, to.port) != AMQP_STATUS_OK)
        fail("no broker at that address");
    must(amqp_login(r->amqp, to.vhost, 0, FRAME_MAX, 0, AMQP_SASL_METHOD_PLAIN, to.user, to.password),
         "login");
    amqp_channel_open(r->amqp, CHANNEL);
    must(amqp_get_rpc_reply(r->amqp), "channel");
    amqp_confirm_select(r->amqp, CHANNEL);
    must(amqp_get_rpc_reply(r->amqp), "confirm.select");
}

static void declare(struct run *r)
{
    amqp_table_entry_t type = {.key = amqp_cstring_bytes("x-queue-type")};
    type.value.kind = AMQP_FIELD_KIND_UTF8;
    type.value.value.bytes = amqp_cstring_bytes("quorum");
    amqp_table_t arguments = {.num_entries = 1, .entries = &type};
    snprintf(r->queue, sizeof r->queue, "floor.publish.%ld.%ld", (long)getpid(), (long)time(NULL));
    amqp_queue_declare(r->amqp, CHANNEL, amqp_cstring_bytes(r->queue), false, true, false, false, arguments);
    must(amqp_get_rpc_reply(r->amqp), "queue.declare");
}

static void publish(struct run *r, amqp_bytes_t body)
{
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
    if (amqp_basic_publish(r->amqp, CHANNEL, amqp_empty_bytes, amqp_cstring_bytes(r->queue), true, false,
                           &properties, body) != AMQP_STATUS_OK)
        fail("publish: the connection is gone");
    r->published++;
}

static void note_confirm(struct run *r, uint64_t tag, bool multiple)
{
    if (!multiple)
        r->ahead[tag % r->window] = true;
    while (multiple && r->confirmed < tag)
        r->ahead[++r->confirmed % r->window] = false;
    while (r->confirmed < r->published && r->ahead[(r->confirmed + 1) % r->window])
        r->ahead[++r->confirmed % r->window] = false;
}

/* Waits for one confirm, which may speak of many messages. */
static void take_confirm(struct run *r)
{
    amqp_frame_t frame;
    amqp_maybe_release_buffers(r->amqp);
    if (amqp_simple_wait_frame_noblock(r->amqp, &frame, &(struct timeval){.tv_sec = TIMEOUT_S}) !=
        AMQP_STATUS_OK)
        fail("no confirm came");
    if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
        fail("the broker refused a message, or closed the channel");
    const amqp_basic_ack_t *ack = frame.payload.method.decoded;
    note_confirm(r, ack->delivery_tag, ack->multiple);
}

static double publish_for(struct run *r, double seconds, amqp_bytes_t body)
{
    double start_s = now_s(), until_s = start_s + seconds;
    bool is_over = false;
    while (!is_over || r->confirmed < r->published) {
        while (!is_over && r->published - r->confirmed < r->window) {
            publish(r, body);
            is_over = now_s() >= until_s;
        }
        take_confirm(r);
    }
    return now_s() - start_s;
}

int main(int argc, char **argv)
{
    struct run r = {.published = 0};
    double seconds = argc == 5 ? atof(argv[2]) : 0;
    long size = argc == 5 ? atol(argv[3]) : 0, window = argc == 5 ? atol(argv[4]) : 0;
    if (seconds <= 0 || size < 1 || size > BODY_MAX || window < 1 || window > 1000000) {
        fprintf(stderr, "usage: publish_raw AMQP_URL SECONDS SIZE(1-%d bytes) WINDOW(1-1000000 messages)\n",
                BODY_MAX);
        return 64;
    }
    amqp_bytes_t body = amqp_bytes_malloc((size_t)size);
    r.window = (uint64_t)window;
    r.ahead = calloc(r.window, sizeof *r.ahead);
    if (!r.ahead || !body.bytes)
        fail("no memory");
    memset(body.bytes, 'x', body.len);
    log_in(&r, argv[1]);
    declare(&r);
    double took_s = publish_for(&r, seconds, body);
    printf("messages_per_second %.0f\nmessages %llu\n", (double)r.published / took_s,
           (unsigned long long)r.published);
    amqp_queue_delete(r.amqp, CHANNEL, amqp_cstring_bytes(r.queue), false, false);
    must(amqp_get_rpc_reply(r.amqp), "queue.delete");
    amqp_bytes_free(body);
    free(r.ahead);
    must(amqp_connection_close(r.amqp, AMQP_REPLY_SUCCESS), "close");
    amqp_destroy_connection(r.amqp);
    return 0;
}
