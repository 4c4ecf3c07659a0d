/* Many connections in one thread. */
#include "tests/support/swarm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/clock.h"

struct bee {
    int fd; /* -1: not connected */
    bool busy, is_sent, to_head;
    uint64_t tag;
    struct text out, in;
    int64_t rests_until;
};

struct swarm {
    const struct swarm_handler *handler;
    int epoll, port, count, in_flight;
    struct bee *bees;
};

static void disconnect(struct bee *b)
{
    if (b->fd >= 0)
        close(b->fd); /* takes it off the epoll */
    b->fd = -1;
    text_clear(&b->in);
}

static void finish(struct swarm *s, struct bee *b, const struct http_response *response,
                   enum swarm_failure why)
{
    int rest = s->handler->outcome(s->handler->context, b->tag, response, why);

    b->busy = false;
    b->rests_until = rest > 0 ? clock_ms() + rest : 0;
    s->in_flight--;
    text_clear(&b->out);
    if (why != SWARM_ANSWERED || response->closes)
        disconnect(b);
}

static int watch(struct swarm *s, struct bee *b, int op, uint32_t events)
{
    return epoll_ctl(s->epoll, op, b->fd, &(struct epoll_event){.events = events, .data.ptr = b});
}

static bool connect_bee(struct swarm *s, struct bee *b)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};

    b->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (b->fd < 0)
        return false;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(b->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if ((connect(b->fd, (const struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) ||
        watch(s, b, EPOLL_CTL_ADD, EPOLLIN) < 0) {
        disconnect(b);
        return false;
    }
    return true;
}

static void send_more(struct swarm *s, struct bee *b)
{
    while (b->out.len > 0) {
        ssize_t sent = send(b->fd, b->out.data, b->out.len, MSG_NOSIGNAL);

        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOTCONN)) {
            watch(s, b, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return;
        }
        if (sent < 0) {
            finish(s, b, NULL, b->is_sent ? SWARM_LOST : SWARM_REFUSED);
            return;
        }
        b->is_sent = true;
        text_drop_front(&b->out, (size_t)sent);
    }
    watch(s, b, EPOLL_CTL_MOD, EPOLLIN);
}

static void begin(struct swarm *s, struct bee *b)
{
    b->busy = true;
    b->is_sent = false;
    b->to_head = strncmp(b->out.data, "HEAD ", 5) == 0;
    s->in_flight++;
    if (b->fd < 0 && !connect_bee(s, b))
        finish(s, b, NULL, SWARM_REFUSED);
    else
        send_more(s, b);
}

static void receive(struct swarm *s, struct bee *b)
{
    struct http_response response;
    bool ended = false;
    size_t used;

    for (;;) {
        char chunk[16384];
        ssize_t len = recv(b->fd, chunk, sizeof chunk, 0);

        if (len > 0) {
            text_add(&b->in, chunk, (size_t)len);
            continue;
        }
        if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (len < 0 && errno == EINTR)
            continue;
        ended = true;
        break;
    }
    if (!b->busy) { /* closed while idle, or it speaks unasked */
        disconnect(b);
        return;
    }
    switch (http_parse(text_c(&b->in), b->in.len, b->to_head, ended, &response, &used)) {
    case HTTP_DONE:
        text_drop_front(&b->in, used);
        response.closes |= ended;
        finish(s, b, &response, SWARM_ANSWERED);
        http_response_free(&response);
        break;
    case HTTP_BAD:
        finish(s, b, NULL, SWARM_BAD);
        break;
    case HTTP_MORE:
        if (ended)
            finish(s, b, NULL, b->is_sent ? SWARM_LOST : SWARM_REFUSED);
        break;
    }
}

/* Gives work to the idle. false: nobody has any, nor will have. */
static bool hand_out(struct swarm *s, int64_t now, int *timeout)
{
    bool done = true;

    *timeout = 100;
    for (int i = 0; i < s->count; i++) {
        struct bee *b = &s->bees[i];

        if (b->busy)
            continue;
        if (b->rests_until > now) {
            *timeout = 5;
            done = false;
            continue;
        }
        switch (s->handler->next(s->handler->context, i, &b->out, &b->tag)) {
        case SWARM_SEND:
            begin(s, b);
            if (!b->busy) /* refused on the spot */
                *timeout = 5;
            done = false;
            break;
        case SWARM_WAIT:
            *timeout = 5;
            done = false;
            break;
        case SWARM_DONE:
            break;
        }
    }
    return !done || s->in_flight > 0;
}

static int run(struct swarm *s, int64_t deadline)
{
    struct epoll_event events[256];
    int timeout, ready;

    while (hand_out(s, clock_ms(), &timeout)) {
        if (clock_ms() > deadline) {
            for (int i = 0; i < s->count; i++) {
                if (s->bees[i].busy)
                    finish(s, &s->bees[i], NULL, SWARM_LATE);
            }
            return -1;
        }
        ready = epoll_wait(s->epoll, events, 256, timeout);
        for (int i = 0; i < ready; i++) {
            struct bee *b = events[i].data.ptr;

            if (b->fd >= 0 && b->busy && (events[i].events & EPOLLOUT))
                send_more(s, b);
            if (b->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                receive(s, b);
        }
    }
    return 0;
}

int swarm_run(int port, int connections, int seconds, const struct swarm_handler *handler)
{
    struct swarm s = {.handler = handler, .port = port, .count = connections};
    int result = -1;

    s.epoll = epoll_create1(EPOLL_CLOEXEC);
    s.bees = take_memory((size_t)connections * sizeof *s.bees);
    for (int i = 0; i < connections; i++)
        s.bees[i].fd = -1;
    if (s.epoll >= 0)
        result = run(&s, clock_ms() + (int64_t)seconds * 1000);
    for (int i = 0; i < connections; i++) {
        disconnect(&s.bees[i]);
        text_free(&s.bees[i].out);
        text_free(&s.bees[i].in);
    }
    if (s.epoll >= 0)
        close(s.epoll);
    free(s.bees);
    return result;
}
