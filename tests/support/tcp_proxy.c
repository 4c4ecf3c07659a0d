/* A bad network: the listening socket, the thread that polls everything, and what may be told to it. Whoever
 * changes the rule takes the lock and wakes the thread. */
#include "tests/support/tcp_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/tcp_pair.h"

enum { CONNECTIONS = 64, TICK_MS = 10 };

struct tcp_proxy {
    pthread_t thread;
    pthread_mutex_t lock; /* over all that follows */
    int listener, wake, port, server_port;
    bool stopping;
    struct tcp_net net;
    struct tcp_pair pairs[CONNECTIONS];
};

static int make_socket(int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* Nobody listens there: then the client has to find that out too, and is reset. */
static void take_client(struct tcp_proxy *p)
{
    const struct linger hard = {.l_onoff = 1};
    const struct sockaddr_in address = loopback(p->server_port);
    int client = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int server = client >= 0 ? make_socket(SOCK_NONBLOCK) : -1;
    struct tcp_pair *c = p->pairs;

    while (c < p->pairs + CONNECTIONS && c->open)
        c++;
    if (client < 0)
        return;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (c == p->pairs + CONNECTIONS || server < 0 ||
        (connect(server, (const struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS)) {
        setsockopt(client, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close(client);
        if (server >= 0)
            close(server);
        return;
    }
    tcp_pair_open(c, &p->net, client, server);
}

/* Fills the descriptors: two, and two for each connection. Returns for how long to sleep. */
static int prepare(struct tcp_proxy *p, struct pollfd fds[2 + 2 * CONNECTIONS])
{
    bool waits = false;

    fds[0] = (struct pollfd){.fd = p->wake, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = p->net.rule.refuse ? -1 : p->listener, .events = POLLIN};
    for (int i = 0; i < CONNECTIONS; i++) {
        struct pollfd *two = &fds[2 + 2 * i];

        two[0].fd = two[1].fd = -1;
        if (p->pairs[i].open)
            waits |= !tcp_pair_prepare(&p->pairs[i], &two[0], &two[1]);
    }
    return waits ? TICK_MS : -1;
}

static void *carry(void *context)
{
    struct tcp_proxy *p = context;
    struct pollfd fds[2 + 2 * CONNECTIONS];
    int timeout;

    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        timeout = prepare(p, fds);
        pthread_mutex_unlock(&p->lock);
        poll(fds, sizeof fds / sizeof *fds, timeout);
        pthread_mutex_lock(&p->lock);
        if (fds[0].revents)
            eventfd_read(p->wake, &(eventfd_t){0});
        for (int i = 0; i < CONNECTIONS; i++) {
            if (p->pairs[i].open)
                tcp_pair_turn(&p->pairs[i], &fds[2 + 2 * i], &fds[3 + 2 * i]);
        }
        if (fds[1].revents && !p->net.rule.refuse)
            take_client(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- from outside ---- */

struct tcp_proxy *tcp_proxy_start(int server_port)
{
    struct tcp_proxy *p = take_memory(sizeof *p);
    struct sockaddr_in address;

    p->server_port = server_port;
    p->port = stack_free_port();
    address = loopback(p->port);
    pthread_mutex_init(&p->lock, NULL);
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->listener = make_socket(SOCK_NONBLOCK);
    assert_true(p->wake >= 0 && p->listener >= 0);
    setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    assert_int_equal(bind(p->listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(p->listener, CONNECTIONS), 0);
    assert_int_equal(pthread_create(&p->thread, NULL, carry, p), 0);
    return p;
}

int tcp_proxy_port(const struct tcp_proxy *p)
{
    return p->port;
}

static void wake(struct tcp_proxy *p)
{
    eventfd_write(p->wake, 1);
}

void tcp_proxy_set(struct tcp_proxy *p, const struct tcp_rule *rule)
{
    const struct tcp_rule pass = {0};

    pthread_mutex_lock(&p->lock);
    if (!rule)
        rule = &pass;
    /* The socket keeps its port while it does not listen. */
    if (rule->refuse && !p->net.rule.refuse)
        shutdown(p->listener, SHUT_RD);
    else if (!rule->refuse && p->net.rule.refuse && listen(p->listener, CONNECTIONS) < 0)
        abort();
    p->net.rule = *rule;
    for (int i = 0; i < CONNECTIONS; i++)
        p->pairs[i].up.forwarded = p->pairs[i].down.forwarded = 0;
    pthread_mutex_unlock(&p->lock);
    wake(p);
}

int tcp_proxy_cut(struct tcp_proxy *p, const char *only)
{
    int cut = 0;

    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < CONNECTIONS; i++) {
        if (p->pairs[i].open && tcp_pair_is_meant(&p->pairs[i], only)) {
            tcp_pair_close(&p->pairs[i], true);
            cut++;
        }
    }
    p->net.counts.cut += cut;
    pthread_mutex_unlock(&p->lock);
    wake(p); /* poll holds what was closed under it: it is gone only now */
    return cut;
}

void tcp_proxy_counts(struct tcp_proxy *p, struct tcp_counts *counts)
{
    pthread_mutex_lock(&p->lock);
    *counts = p->net.counts;
    pthread_mutex_unlock(&p->lock);
}

struct wanted {
    struct tcp_proxy *proxy;
    struct tcp_counts at_least;
};

static bool has_counted(void *context)
{
    const struct wanted *w = context;
    struct tcp_counts now;

    tcp_proxy_counts(w->proxy, &now);
    return now.cut >= w->at_least.cut && now.swallowed >= w->at_least.swallowed;
}

bool tcp_proxy_wait_cut(struct tcp_proxy *p, int cut, int seconds)
{
    return wait_until(has_counted, &(struct wanted){.proxy = p, .at_least = {.cut = cut}}, seconds);
}

bool tcp_proxy_wait_swallowed(struct tcp_proxy *p, int64_t bytes, int seconds)
{
    return wait_until(has_counted, &(struct wanted){.proxy = p, .at_least = {.swallowed = bytes}}, seconds);
}

void tcp_proxy_stop(struct tcp_proxy *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_mutex_unlock(&p->lock);
    wake(p);
    pthread_join(p->thread, NULL);
    for (int i = 0; i < CONNECTIONS; i++)
        tcp_pair_close(&p->pairs[i], true);
    close(p->listener);
    close(p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
