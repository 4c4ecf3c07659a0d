/* One thread's connections and its epoll loop. */
#include "loadtest/replay/engine.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"

#define EVENTS      256
#define SCRATCH     65536
#define CHECK_NS    (50 * NS_PER_MS)  /* how often time-outs are looked at */
#define RETRY_NS    (100 * NS_PER_MS) /* a connection that could not be made is tried again after that */
#define FAREWELL_NS NS_PER_S

enum connection_state { CLOSED, CONNECTING, IDLE, BUSY };

struct connection {
    int fd;
    enum connection_state state;
    bool writes;      /* epoll tells when it can be written to */
    int64_t since_ns; /* BUSY: when the request left; CONNECTING: since when; CLOSED: when it was closed */
    struct engine_job job;
    struct buffer out; /* what the socket did not take yet, from out_done on */
    size_t out_done;
    struct buffer in; /* the part of an answer that came so far */
};

struct engine {
    struct target target;
    struct connection *connections;
    int count, open, busy, closed;
    int *idle; /* a ring: the one that has been idle longest first */
    int idle_first, idle_count;
    int epoll;
    int64_t reconnects, checked_ns;
    struct buffer bytes, joined;
    char *scratch;
    const struct engine_source *source; /* while it runs */
    int64_t timeout_ns;
    int last_errno;
};

/* ---- Connections ---- */

static void idle_push(struct engine *e, struct connection *c)
{
    c->state = IDLE;
    e->idle[(e->idle_first + e->idle_count) % e->count] = (int)(c - e->connections);
    e->idle_count++;
}

/* The ring may hold connections that were closed meanwhile, and opened again: those stand in it once more. */
static struct connection *idle_pop(struct engine *e)
{
    struct connection *c = &e->connections[e->idle[e->idle_first]];
    e->idle_first = (e->idle_first + 1) % e->count;
    e->idle_count--;
    return c;
}

static void idle_remove(struct engine *e, const struct connection *c)
{
    const int wanted = (int)(c - e->connections);
    int kept = 0;
    for (int i = 0; i < e->idle_count; i++) {
        const int other = e->idle[(e->idle_first + i) % e->count];
        if (other != wanted)
            e->idle[(e->idle_first + kept++) % e->count] = other;
    }
    e->idle_count = kept;
}

static void connection_close(struct engine *e, struct connection *c, int64_t now_ns)
{
    if (c->state == IDLE)
        idle_remove(e, c);
    if (c->state == BUSY)
        e->busy--;
    if (c->state == IDLE || c->state == BUSY)
        e->open--;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->state = CLOSED;
    c->since_ns = now_ns;
    c->writes = false;
    buffer_clear(&c->out);
    c->out_done = 0;
    buffer_clear(&c->in);
    e->closed++;
}

static void watch(struct engine *e, struct connection *c, bool writes, int how)
{
    struct epoll_event event = {.events = EPOLLIN | (writes ? EPOLLOUT : 0u), .data.ptr = c};
    if (how == EPOLL_CTL_MOD && c->writes == writes)
        return;
    c->writes = writes;
    epoll_ctl(e->epoll, how, c->fd, &event);
}

/* It could not be made. A request that is due while there is none would have been this one's, and fails with
 * it. */
static void connect_failed(struct engine *e, struct connection *c, int64_t now_ns, int error)
{
    struct engine_job job;
    int64_t ask_ns;
    e->last_errno = error;
    connection_close(e, c, now_ns);
    if (e->open > 0 || !e->source)
        return;
    buffer_clear(&e->bytes);
    if (e->source->next(e->source->context, now_ns, &job, &e->bytes, &ask_ns))
        e->source->done(e->source->context, &job, now_ns, now_ns, ENGINE_NO_CONNECTION, NULL);
}

static void connection_open(struct engine *e, struct connection *c, int64_t now_ns)
{
    const int on = 1;
    e->closed--;
    c->fd = socket(e->target.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    c->state = CONNECTING;
    c->since_ns = now_ns;
    if (c->fd < 0) {
        connect_failed(e, c, now_ns, errno);
        return;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(c->fd, (const struct sockaddr *)&e->target.address, e->target.address_len) != 0 &&
        errno != EINPROGRESS) {
        connect_failed(e, c, now_ns, errno);
        return;
    }
    watch(e, c, true, EPOLL_CTL_ADD);
}

/* ---- Requests ---- */

static void finish(struct engine *e, struct connection *c, int64_t now_ns, enum engine_end end,
                   const struct response *r)
{
    e->source->done(e->source->context, &c->job, c->since_ns, now_ns, end, r);
}

/* The request on it, if there is one, ended without an answer. */
static void fail(struct engine *e, struct connection *c, int64_t now_ns, enum engine_end end)
{
    const bool had_request = c->state == BUSY;
    const struct connection copy = *c;
    connection_close(e, c, now_ns);
    if (had_request)
        e->source->done(e->source->context, &copy.job, copy.since_ns, now_ns, end, NULL);
}

/* false: the connection is broken. */
static bool send_bytes(struct engine *e, struct connection *c, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return false;
        if (n < 0) {
            buffer_add(&c->out, data, len);
            watch(e, c, true, EPOLL_CTL_MOD);
            return true;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Sends what is due while a connection is idle. Returns when to ask again. */
static int64_t feed(struct engine *e, int64_t now_ns)
{
    int64_t ask_ns = INT64_MAX;
    struct engine_job job;
    while (e->idle_count > 0) {
        buffer_clear(&e->bytes);
        if (!e->source->next(e->source->context, now_ns, &job, &e->bytes, &ask_ns))
            return ask_ns;
        struct connection *c = idle_pop(e);
        c->state = BUSY;
        c->since_ns = clock_mono_ns(); /* there may have been many before it */
        c->job = job;
        e->busy++;
        if (!send_bytes(e, c, e->bytes.data, e->bytes.len))
            fail(e, c, now_ns, ENGINE_LOST);
    }
    return INT64_MAX;
}

/* Something came that is an answer, a part of one, or nothing that should come. */
static void take_bytes(struct engine *e, struct connection *c, int64_t now_ns, const char *data, size_t len,
                       bool at_end)
{
    struct response r;
    if (c->state != BUSY) { /* nobody asked */
        connection_close(e, c, now_ns);
        return;
    }
    if (c->in.len > 0) {
        buffer_add(&c->in, data, len);
        data = c->in.data;
        len = c->in.len;
    }
    const long whole = len > 0 ? response_parse(data, len, at_end, &r, &e->joined) : RESPONSE_INCOMPLETE;
    if (whole == RESPONSE_INCOMPLETE && !at_end) {
        if (c->in.len == 0)
            buffer_add(&c->in, data, len);
        return;
    }
    if (whole <= 0) {
        fail(e, c, now_ns, whole == RESPONSE_BROKEN ? ENGINE_BROKEN : ENGINE_LOST);
        return;
    }
    finish(e, c, now_ns, ENGINE_ANSWERED, &r);
    if (r.close || at_end || (size_t)whole < len || c->out.len > c->out_done) {
        connection_close(e, c, now_ns);
        e->reconnects++;
        connection_open(e, c, now_ns); /* at once: this one was fine */
        return;
    }
    buffer_clear(&c->in);
    e->busy--;
    idle_push(e, c);
}

static void on_readable(struct engine *e, struct connection *c, int64_t now_ns)
{
    ssize_t n;
    do {
        n = recv(c->fd, e->scratch, SCRATCH, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n < 0)
        fail(e, c, now_ns, ENGINE_LOST);
    else if (n == 0 && c->state != BUSY)
        connection_close(e, c, now_ns);
    else
        take_bytes(e, c, now_ns, e->scratch, (size_t)n, n == 0);
}

static void on_connected(struct engine *e, struct connection *c, int64_t now_ns)
{
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        connect_failed(e, c, now_ns, error);
        return;
    }
    e->open++;
    watch(e, c, false, EPOLL_CTL_MOD);
    idle_push(e, c);
}

static void on_writable(struct engine *e, struct connection *c, int64_t now_ns)
{
    while (c->out_done < c->out.len) {
        ssize_t n = send(c->fd, c->out.data + c->out_done, c->out.len - c->out_done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            fail(e, c, now_ns, ENGINE_LOST);
            return;
        }
        c->out_done += (size_t)n;
    }
    buffer_clear(&c->out);
    c->out_done = 0;
    watch(e, c, false, EPOLL_CTL_MOD);
}

static void on_event(struct engine *e, const struct epoll_event *event, int64_t now_ns)
{
    struct connection *c = event->data.ptr;
    if (c->state == CLOSED) /* by an event before this one */
        return;
    if (c->state == CONNECTING) {
        on_connected(e, c, now_ns);
        return;
    }
    if (event->events & EPOLLOUT)
        on_writable(e, c, now_ns);
    if (c->state != CLOSED && (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        on_readable(e, c, now_ns);
}

/* ---- The loop ---- */

/* Time-outs, and connections that are to be opened again. */
static void check(struct engine *e, int64_t now_ns)
{
    e->checked_ns = now_ns;
    for (int i = 0; i < e->count; i++) {
        struct connection *c = &e->connections[i];
        if (c->state == BUSY && now_ns - c->since_ns > e->timeout_ns) {
            fail(e, c, now_ns, ENGINE_TIMEOUT);
        } else if (c->state == CONNECTING && now_ns - c->since_ns > e->timeout_ns) {
            connect_failed(e, c, now_ns, ETIMEDOUT);
        }
        if (c->state == CLOSED && now_ns - c->since_ns >= RETRY_NS) {
            e->reconnects++;
            connection_open(e, c, now_ns);
        }
    }
}

static int wait_events(struct engine *e, int64_t wait_ns, struct epoll_event events[EVENTS])
{
    if (wait_ns < 0)
        wait_ns = 0;
    const struct timespec limit = {.tv_sec = wait_ns / NS_PER_S, .tv_nsec = wait_ns % NS_PER_S};
    const int n = epoll_pwait2(e->epoll, events, EVENTS, &limit, NULL);
    if (n < 0 && errno == ENOSYS) /* Linux before 5.11 */
        return epoll_wait(e->epoll, events, EVENTS, (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS));
    return n;
}

void engine_run(struct engine *e, const struct engine_source *source, int64_t timeout_ns,
                const atomic_bool *stop)
{
    struct epoll_event events[EVENTS];
    int64_t end_ns = INT64_MAX;
    prctl(PR_SET_TIMERSLACK, 1); /* of this thread: to be on time within microseconds, not within 50 */
    e->source = source;
    e->timeout_ns = timeout_ns;
    e->last_errno = 0;
    for (int64_t now_ns = clock_mono_ns();;) {
        int64_t ask_ns = INT64_MAX;
        if (atomic_load_explicit(stop, memory_order_relaxed)) {
            if (end_ns == INT64_MAX)
                end_ns = now_ns + FAREWELL_NS;
        } else {
            ask_ns = feed(e, now_ns);
        }
        if (e->busy == 0 && (end_ns != INT64_MAX || source->is_over(source->context, now_ns)))
            break;
        if (now_ns >= end_ns)
            break;
        const int64_t check_ns = e->checked_ns + CHECK_NS;
        const int n = wait_events(e, (ask_ns < check_ns ? ask_ns : check_ns) - now_ns, events);
        now_ns = clock_mono_ns();
        for (int i = 0; i < n; i++)
            on_event(e, &events[i], now_ns);
        if (now_ns - e->checked_ns >= CHECK_NS)
            check(e, now_ns);
    }
    /* After a stop there may be requests without an answer; each ends here. */
    for (int i = 0; i < e->count; i++)
        if (e->connections[i].state == BUSY)
            fail(e, &e->connections[i], clock_mono_ns(), ENGINE_TIMEOUT);
    e->source = NULL;
}

int engine_connect(struct engine *e, int seconds, struct detail *why)
{
    struct epoll_event events[EVENTS];
    int64_t now_ns = clock_mono_ns();
    const int64_t end_ns = now_ns + seconds * NS_PER_S;
    int settled = 0;
    e->timeout_ns = seconds * NS_PER_S;
    for (int i = 0; i < e->count; i++)
        connection_open(e, &e->connections[i], now_ns);
    settled = e->closed;
    while (settled < e->count && now_ns < end_ns) {
        const int n = wait_events(e, end_ns - now_ns, events);
        now_ns = clock_mono_ns();
        for (int i = 0; i < n; i++)
            on_event(e, &events[i], now_ns);
        settled = e->open + e->closed;
    }
    if (e->open == 0) {
        detail_set(why, "%s: cannot connect: %s", e->target.host,
                   e->last_errno ? strerror(e->last_errno) : "timed out");
        return E_REFUSED;
    }
    return 0;
}

struct engine *engine_new(const struct target *target, int connections)
{
    struct engine *e = xcalloc(1, sizeof *e);
    e->target = *target;
    e->count = connections;
    e->closed = connections;
    e->connections = xcalloc((size_t)connections, sizeof *e->connections);
    for (int i = 0; i < connections; i++)
        e->connections[i].fd = -1;
    e->idle = xcalloc((size_t)connections, sizeof *e->idle);
    e->scratch = xmalloc(SCRATCH);
    e->epoll = epoll_create1(EPOLL_CLOEXEC);
    return e;
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    for (int i = 0; i < e->count; i++) {
        if (e->connections[i].fd >= 0)
            close(e->connections[i].fd);
        buffer_free(&e->connections[i].out);
        buffer_free(&e->connections[i].in);
    }
    if (e->epoll >= 0)
        close(e->epoll);
    buffer_free(&e->bytes);
    buffer_free(&e->joined);
    free(e->connections);
    free(e->idle);
    free(e->scratch);
    free(e);
}

int engine_open_connections(const struct engine *e)
{
    return e->open;
}

int64_t engine_reconnects(const struct engine *e)
{
    return e->reconnects;
}
