/* The fake gateway's sockets: one thread around epoll. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/gateway_internal.h"

enum { TRICKLE_MS = 50, FLOOD_BYTES = 16384 };

struct connection {
    int fd;
    struct text in, out;
    enum { READING, DELAYED, HANGING, SENDING } state;
    int64_t due_ms; /* DELAYED, and SENDING that trickles */
    struct gateway_rule rule;
    struct gateway_key *key;
    bool is_message;     /* a request that is counted is in hand */
    bool closes, resets; /* … after what is in out */
    struct connection *next;
};

bool gateway_header(const char *head, const char *name, char *out, size_t size)
{
    const size_t len = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n")) {
        const char *at = line + 2;

        if (strncasecmp(at, name, len) != 0 || at[len] != ':')
            continue;
        at += len + 1;
        at += strspn(at, " \t");
        snprintf(out, size, "%.*s", (int)strcspn(at, "\r\n"), at);
        return true;
    }
    return false;
}

/* ---- Answers ---- */

static void add_body(struct connection *c, const char *body, bool in_chunks)
{
    const size_t len = strlen(body), half = len / 2;

    if (!in_chunks)
        text_format(&c->out, "Content-Length: %zu\r\n\r\n%s", len, body);
    else
        text_format(
            &c->out,
            "Transfer-Encoding: chunked\r\nTrailer: Retry-After\r\n\r\n%zx\r\n%.*s\r\n%zx;a=b\r\n%s\r\n0\r\n"
            "Retry-After: 77\r\n\r\n",
            half, (int)half, body, len - half, body + half);
}

static void compose(struct connection *c)
{
    const int status = c->rule.status ? c->rule.status : 200;
    const char *body = c->rule.body[0] ? c->rule.body : "{}";

    c->rule.status = status;
    text_format(&c->out, "HTTP/1.1 %d Whatever\r\nContent-Type: application/json\r\n%s", status,
                c->rule.headers);
    switch (c->rule.manner) {
    case GATEWAY_BREAKS_HEAD:
        c->resets = true;
        return;
    case GATEWAY_BREAKS_BODY:
        text_format(&c->out, "Content-Length: 1000\r\n\r\n{");
        c->closes = true;
        return;
    case GATEWAY_FLOODS_HEAD:
        return;
    case GATEWAY_FLOODS_BODY:
        text_format(&c->out, "Connection: close\r\n\r\n");
        return;
    default:
        add_body(c, body, c->rule.manner == GATEWAY_ANSWERS_IN_CHUNKS);
    }
}

static void flood(struct connection *c)
{
    while (c->out.len < FLOOD_BYTES)
        text_format(&c->out, c->rule.manner == GATEWAY_FLOODS_HEAD ? "X-More: and more and more\r\n"
                                                                   : "and more and more and more\r\n");
}

/* ---- Connections ---- */

static void end_message(struct gateway *g, struct connection *c, int status)
{
    if (c->is_message)
        gateway_note_end(g, c->key, status);
    c->is_message = false;
}

static void drop(struct gateway *g, struct connection *c, bool with_reset)
{
    end_message(g, c, 0);
    if (with_reset)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    /* Closing is not enough: a child that was forked a moment ago has a copy of it. */
    epoll_ctl(g->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
    c->fd = -1; /* freed by sweep */
}

static void watch(struct gateway *g, struct connection *c)
{
    const uint32_t out = c->state == SENDING && c->due_ms == 0 ? EPOLLOUT : 0u;

    epoll_ctl(g->epoll, EPOLL_CTL_MOD, c->fd, &(struct epoll_event){.events = EPOLLIN | out, .data.ptr = c});
}

static void serve_next(struct gateway *g, struct connection *c);

static void sent_all(struct gateway *g, struct connection *c)
{
    end_message(g, c, c->closes || c->resets ? 0 : c->rule.status);
    if (c->closes || c->resets) {
        drop(g, c, c->resets);
        return;
    }
    c->state = READING;
    c->due_ms = 0;
    serve_next(g, c);
}

static void send_more(struct gateway *g, struct connection *c)
{
    const bool trickles = c->is_message && c->rule.manner == GATEWAY_TRICKLES;
    const bool floods =
        c->is_message && (c->rule.manner == GATEWAY_FLOODS_HEAD || c->rule.manner == GATEWAY_FLOODS_BODY);

    if (floods)
        flood(c);
    ssize_t sent = send(c->fd, c->out.data, trickles ? 1 : c->out.len, MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN) {
        drop(g, c, false);
        return;
    }
    if (sent > 0)
        text_drop_front(&c->out, (size_t)sent);
    if (c->out.len == 0 && !floods) {
        sent_all(g, c);
        return;
    }
    c->due_ms = trickles ? gateway_now_ms() + TRICKLE_MS : 0;
    watch(g, c);
}

/* Its delay is over. */
static void act(struct gateway *g, struct connection *c)
{
    switch (c->rule.manner) {
    case GATEWAY_HANGS:
        c->state = HANGING;
        return;
    case GATEWAY_RESETS:
        drop(g, c, true);
        return;
    default:
        compose(c);
        /* Before the other side can know of it: who has the answer finds it counted. */
        if (c->rule.manner == GATEWAY_ANSWERS || c->rule.manner == GATEWAY_ANSWERS_IN_CHUNKS)
            end_message(g, c, c->rule.status);
        c->state = SENDING;
        c->due_ms = 0;
        send_more(g, c);
    }
}

/* Takes the whole request at the front of in, if there is one. */
static void serve_next(struct gateway *g, struct connection *c)
{
    const char *end = c->in.len ? strstr(c->in.data, "\r\n\r\n") : NULL;
    char length[32] = "0", method[16] = "", path[256] = "";

    if (c->state != READING || !end) {
        if (c->fd >= 0)
            watch(g, c);
        return;
    }
    const size_t head_len = (size_t)(end + 4 - c->in.data);
    char *head = strndup(c->in.data, head_len);
    gateway_header(head, "Content-Length", length, sizeof length);
    const size_t body_len = (size_t)strtoul(length, NULL, 10);
    if (c->in.len < head_len + body_len) {
        free(head);
        watch(g, c);
        return;
    }
    char *body = strndup(c->in.data + head_len, body_len);
    sscanf(head, "%15s %255s", method, path);
    text_drop_front(&c->in, head_len + body_len);
    if (strncmp(path, "/control/", 9) == 0) {
        gateway_control(g, method, path, body, &c->out);
        c->state = SENDING;
        send_more(g, c);
    } else {
        c->rule = gateway_note_request(g, head, body, body_len, &c->key);
        c->is_message = true;
        c->state = DELAYED;
        c->due_ms = gateway_now_ms() + c->rule.delay_ms;
        if (c->rule.delay_ms == 0)
            act(g, c);
    }
    free(head);
    free(body);
}

static void receive(struct gateway *g, struct connection *c)
{
    char chunk[16384];
    ssize_t len = recv(c->fd, chunk, sizeof chunk, 0);

    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0) {
        drop(g, c, false);
        return;
    }
    text_add(&c->in, chunk, (size_t)len);
    if (c->state == READING)
        serve_next(g, c);
}

/* ---- The loop ---- */

static void take_connections(struct gateway *g)
{
    int fd;

    while ((fd = accept4(g->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        struct connection *c = take_memory(sizeof *c);

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        c->fd = fd;
        c->next = g->connections;
        g->connections = c;
        epoll_ctl(g->epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
        pthread_mutex_lock(&g->lock);
        g->tally.connections++;
        pthread_mutex_unlock(&g->lock);
    }
}

/* Frees what was dropped, moves what is due. Returns for how long epoll may wait, in ms. */
static int sweep(struct gateway *g)
{
    const int64_t now = gateway_now_ms();
    int64_t next = now + 10000;

    for (struct connection **at = &g->connections; *at;) {
        struct connection *c = *at;

        if (c->fd >= 0 && c->due_ms > 0 && c->due_ms <= now) {
            if (c->state == DELAYED)
                act(g, c);
            else if (c->state == SENDING)
                send_more(g, c);
        }
        if (c->fd < 0) {
            *at = c->next;
            text_free(&c->in);
            text_free(&c->out);
            free(c);
            continue;
        }
        if ((c->state == DELAYED || c->state == SENDING) && c->due_ms > 0 && c->due_ms < next)
            next = c->due_ms;
        at = &c->next;
    }
    return next > now ? (int)(next - now) : 0;
}

static void drop_all(struct gateway *g)
{
    for (struct connection *c = g->connections; c; c = c->next) {
        if (c->fd >= 0)
            drop(g, c, false);
    }
    sweep(g);
}

/* What other threads want. false: the end. */
static bool heed(struct gateway *g)
{
    uint64_t wakes;

    if (read(g->wake, &wakes, sizeof wakes) < 0 && errno != EAGAIN)
        abort();
    pthread_mutex_lock(&g->lock);
    const bool ends = g->wants_end, open = g->wants_open, was_open = g->is_open;
    pthread_mutex_unlock(&g->lock);
    if (ends)
        return false;
    if (open != was_open) {
        if (open ? listen(g->listener, 1024) != 0 : shutdown(g->listener, SHUT_RDWR) != 0)
            abort();
        if (!open)
            drop_all(g);
        pthread_mutex_lock(&g->lock);
        g->is_open = open;
        pthread_cond_broadcast(&g->changed);
        pthread_mutex_unlock(&g->lock);
    }
    return true;
}

static void watch_listener(struct gateway *g, int op)
{
    epoll_ctl(g->epoll, op, g->listener, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &g->listener});
}

void *gateway_serve(void *gateway)
{
    struct gateway *g = gateway;
    struct epoll_event ready[128];
    bool goes_on = true, was_open = true;

    g->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (g->epoll < 0)
        abort();
    watch_listener(g, EPOLL_CTL_ADD);
    epoll_ctl(g->epoll, EPOLL_CTL_ADD, g->wake,
              &(struct epoll_event){.events = EPOLLIN, .data.ptr = &g->wake});
    while (goes_on) {
        int timeout = sweep(g), count = epoll_wait(g->epoll, ready, 128, timeout);

        for (int i = 0; i < count; i++) {
            struct connection *c = ready[i].data.ptr;

            if (ready[i].data.ptr == &g->listener || ready[i].data.ptr == &g->wake)
                continue;
            if (c->fd >= 0 && (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                receive(g, c);
            if (c->fd >= 0 && c->state == SENDING && (ready[i].events & EPOLLOUT))
                send_more(g, c);
        }
        goes_on = heed(g);
        if (was_open != g->is_open) /* a socket that does not listen would be reported all the time */
            watch_listener(g, g->is_open ? EPOLL_CTL_ADD : EPOLL_CTL_DEL);
        was_open = g->is_open;
        if (was_open)
            take_connections(g);
    }
    drop_all(g);
    close(g->epoll);
    return NULL;
}
