/* Single GETs beside the load. */
#include "loadtest/replay/getter.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "loadtest/replay/response.h"

#define PIECE 65536

void getter_init(struct getter *g, const struct target *target)
{
    *g = (struct getter){.target = target, .fd = -1};
    request_maker_init(&g->maker, target->host);
}

static void hang_up(struct getter *g)
{
    if (g->fd >= 0)
        close(g->fd);
    g->fd = -1;
}

void getter_free(struct getter *g)
{
    hang_up(g);
    request_maker_free(&g->maker);
    buffer_free(&g->request);
    buffer_free(&g->received);
    buffer_free(&g->joined);
}

static int dial(struct getter *g)
{
    const struct timeval bound = {.tv_sec = GETTER_SECONDS};
    g->fd = socket(g->target->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (g->fd < 0)
        return E_CLOSED;
    setsockopt(g->fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
    setsockopt(g->fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);
    if (connect(g->fd, (const struct sockaddr *)&g->target->address, g->target->address_len) == 0)
        return 0;
    hang_up(g);
    return E_CLOSED;
}

static int send_request(struct getter *g)
{
    const char *p = g->request.data;
    size_t left = g->request.len;
    while (left > 0) {
        ssize_t n = send(g->fd, p, left, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return E_CLOSED;
        p += n;
        left -= (size_t)n;
    }
    return 0;
}

static int receive(struct getter *g, struct response *r)
{
    const int64_t end_ns = clock_mono_ns() + GETTER_SECONDS * NS_PER_S;
    buffer_clear(&g->received);
    while (clock_mono_ns() < end_ns) {
        buffer_reserve(&g->received, PIECE);
        ssize_t n = recv(g->fd, g->received.data + g->received.len, PIECE, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? E_TIMEOUT : E_CLOSED;
        g->received.len += (size_t)n;
        if (g->received.len == 0)
            return E_CLOSED;
        long whole = response_parse(g->received.data, g->received.len, n == 0, r, &g->joined);
        if (whole > 0)
            return 0;
        if (whole == RESPONSE_BROKEN || n == 0)
            return E_CORRUPT;
    }
    return E_TIMEOUT;
}

int getter_get(struct getter *g, const char *path, struct slice *body)
{
    struct response r;
    int rc = E_CLOSED;
    buffer_clear(&g->request);
    request_get(&g->maker, slice_of(path), &g->request);
    /* A kept connection may have been closed by the other side: a second try, on a new one. */
    for (int attempt = 0; attempt < 2 && rc == E_CLOSED; attempt++) {
        const bool is_new = g->fd < 0;
        rc = is_new ? dial(g) : 0;
        if (rc == 0)
            rc = send_request(g);
        if (rc == 0)
            rc = receive(g, &r);
        if (rc)
            hang_up(g);
        if (is_new)
            break;
    }
    if (rc)
        return rc;
    if (r.close)
        hang_up(g);
    *body = r.body;
    return r.status;
}
