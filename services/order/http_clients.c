/* Two lists in the order of time. */
#include "services/order/http_clients.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

#include "common/base/clock.h"

#define LOOKS_AT_REST 4                /* of a client at rest, within one request timeout */
#define STAMP_SLACK   (25 * NS_PER_MS) /* the kernel's stamps are in ticks of up to 10 ms */

static struct http_client_list *list_of(struct http_clients *c, const struct http_client *client)
{
    switch (client->phase) {
    case CLIENT_SENDING:
        return &c->sending;
    case CLIENT_RESTING:
        return &c->resting;
    case CLIENT_ANSWERED:
        break;
    }
    return NULL;
}

static void leave_list(struct http_clients *c, struct http_client *client)
{
    struct http_client_list *l = list_of(c, client);
    if (!l)
        return;
    if (client->older)
        client->older->newer = client->newer;
    else
        l->oldest = client->newer;
    if (client->newer)
        client->newer->older = client->older;
    else
        l->newest = client->older;
    client->older = client->newer = NULL;
}

/* Assumes: now_ns is not before that of any call before. So the lists stay in order. */
static void enter_list(struct http_clients *c, struct http_client *client, enum http_client_phase phase,
                       int64_t now_ns)
{
    client->phase = phase;
    client->since_ns = now_ns;
    struct http_client_list *l = list_of(c, client);
    if (!l)
        return;
    client->older = l->newest;
    if (l->newest)
        l->newest->newer = client;
    else
        l->oldest = client;
    l->newest = client;
}

void http_clients_open(struct http_clients *c, struct http_client *client, int fd, int64_t now_ns)
{
    *client = (struct http_client){.fd = fd};
    enter_list(c, client, CLIENT_SENDING, now_ns);
}

void http_clients_close(struct http_clients *c, struct http_client *client)
{
    leave_list(c, client);
    client->phase = CLIENT_ANSWERED;
}

void http_clients_began(struct http_clients *c, struct http_client *client, int64_t now_ns)
{
    if (client->phase == CLIENT_SENDING) /* since its connection, or since its first bytes were noticed */
        return;
    leave_list(c, client);
    enter_list(c, client, CLIENT_SENDING, now_ns);
}

void http_clients_whole(struct http_clients *c, struct http_client *client)
{
    leave_list(c, client);
    client->phase = CLIENT_ANSWERED;
}

void http_clients_rests(struct http_clients *c, struct http_client *client, int64_t now_ns)
{
    leave_list(c, client);
    enter_list(c, client, CLIENT_RESTING, now_ns);
    client->rest_ns = now_ns;
}

enum rest { STILL_RESTS, HAS_BEGUN, HAS_LEFT };

/* Has anything come since its last answer? Then it is a piece of a first line: a whole one would have been
 * seen. An end that came together with the last bytes is not noticed by the library, which stops reading at a
 * short read. */
static enum rest look_at(const struct http_client *client, int64_t now_ns)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    if (getsockopt(client->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        len < offsetof(struct tcp_info, tcpi_last_data_recv) + sizeof info.tcpi_last_data_recv)
        return STILL_RESTS;
    if (info.tcpi_state == TCP_CLOSE_WAIT)
        return HAS_LEFT;
    bool has_more = now_ns - info.tcpi_last_data_recv * NS_PER_MS > client->rest_ns + STAMP_SLACK;
    return has_more ? HAS_BEGUN : STILL_RESTS;
}

/* The library finds it at its end and closes it. Until then it is ours, and in no list. */
static void shut_down(struct http_clients *c, struct http_client *client)
{
    shutdown(client->fd, SHUT_RDWR);
    http_clients_whole(c, client);
}

static void look_at_rest(struct http_clients *c, int64_t now_ns)
{
    int64_t before_ns = now_ns - c->request_timeout_ns / LOOKS_AT_REST;
    struct http_client *client;
    while ((client = c->resting.oldest) && client->since_ns <= before_ns) {
        enum rest rest = look_at(client, now_ns);
        if (rest == HAS_LEFT) {
            shut_down(c, client);
            continue;
        }
        leave_list(c, client);
        enter_list(c, client, rest == HAS_BEGUN ? CLIENT_SENDING : CLIENT_RESTING, now_ns);
    }
}

int http_clients_expire(struct http_clients *c, int64_t now_ns)
{
    int count = 0;
    int64_t before_ns = now_ns - c->request_timeout_ns;
    struct http_client *client;
    look_at_rest(c, now_ns);
    while ((client = c->sending.oldest) && client->since_ns <= before_ns) {
        shut_down(c, client);
        count++;
    }
    return count;
}
