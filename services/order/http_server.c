/* Threads and their loops. What a request is, is the business of http_routes.c. */
#include "services/order/http_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "services/order/http_listen.h"
#include "services/order/http_routes.h"
#include "services/order/http_tls.h"

#define TURN_MS 250 /* a turn of the loop takes no longer than this, so that it is seen to be alive */
#define LIMIT_SLACK                                                                                          \
    1024                  /* the library stops accepting this far above the limit at which requests are shed \
                           */
#define STUCK_MS       20 /* between two looks at connections that wait for their clients: see http_tls_watch */
#define LINGER_MS      300  /* for connections without a request, on the way out */
#define BACKLOG_ROUNDS 1000 /* of ten accepts each */

enum http_phase { PHASE_SERVING, PHASE_QUIESCED, PHASE_STOPPING };

struct http_thread {
    struct http_server *server;
    pthread_t thread;
    bool is_running;
    int listen_fd;
    int wake_fd; /* eventfd: look at the phase */
    struct MHD_Daemon *daemon;
    struct http_context context;
    _Atomic int64_t turn_ns;
    bool is_listening;
    bool is_tls, is_stuck; /* is_stuck: nothing moved in the last turn */
};

struct http_server {
    struct front_end *front_end;
    char address[LISTEN_ADDRESS_SIZE], admin_address[LISTEN_ADDRESS_SIZE];
    _Atomic int phase;
    _Atomic int64_t stop_by_ns;
    int count;
    struct http_thread threads[];
};

/* ---- the loop ---- */

static int turn_timeout_ms(const struct http_thread *t)
{
    MHD_UNSIGNED_LONG_LONG wanted;
    if (MHD_get_timeout(t->daemon, &wanted) != MHD_YES || wanted >= TURN_MS)
        return TURN_MS;
    return wanted < STUCK_MS && t->is_stuck ? STUCK_MS : (int)wanted;
}

static void run_daemon(struct http_thread *t)
{
    uint64_t before = http_tls_progress() + t->context.calls;
    MHD_run(t->daemon);
    t->is_stuck = t->is_tls && http_tls_progress() + t->context.calls == before;
}

static void turn(struct http_thread *t)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(t->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd fds[] = {
        {.fd = info->epoll_fd, .events = POLLIN},
        {.fd = mailbox_fd(t->context.mailbox), .events = POLLIN},
        {.fd = t->wake_fd, .events = POLLIN},
    };
    int64_t now_ns = clock_mono_ns();
    if (http_routes_holds(&t->context, now_ns))
        fds[1].fd = -1;
    int64_t sleep_ns = http_routes_sleep_ns(&t->context, now_ns, turn_timeout_ms(t) * NS_PER_MS);
    ppoll(fds, sizeof fds / sizeof fds[0], &(struct timespec){.tv_nsec = sleep_ns},
          NULL); /* below a second */
    now_ns = clock_mono_ns();
    status_desk_expire(t->server->front_end->desk, now_ns);
    packet_desk_expire(t->server->front_end->packets, now_ns);
    admin_desk_expire(t->server->front_end->admin, now_ns);
    if (fds[1].revents)
        http_routes_resume(&t->context);
    if (fds[2].revents) {
        eventfd_t ignored;
        eventfd_read(t->wake_fd, &ignored);
    }
    int too_slow = http_clients_expire(&t->context.clients, clock_mono_ns());
    if (too_slow > 0)
        metric_add(t->server->front_end->metrics, METRIC_HTTP_TOO_SLOW, (uint64_t)too_slow);
    run_daemon(t);
    atomic_store_explicit(&t->turn_ns, clock_mono_ns(), memory_order_relaxed);
}

/* Whoever is in the backlog already is taken in first: closing the socket would reset them. */
static void stop_listening(struct http_thread *t)
{
    for (int round = 0; round < BACKLOG_ROUNDS; round++) {
        struct pollfd fd = {.fd = t->listen_fd, .events = POLLIN};
        if (poll(&fd, 1, 0) <= 0)
            break;
        MHD_run(t->daemon);
    }
    close(MHD_quiesce_daemon(t->daemon));
    t->is_listening = false;
}

static unsigned open_connections(const struct http_thread *t)
{
    return MHD_get_daemon_info(t->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

/* All verdicts are in: answers until no request is left, or time is up. A client that is just about to send
 * another request on its open connection gets a moment to do so, and its answer. */
static void finish(struct http_thread *t)
{
    int64_t linger_until_ns = clock_mono_ns() + LINGER_MS * NS_PER_MS;
    int64_t now_ns;
    do {
        turn(t);
        now_ns = clock_mono_ns();
    } while (now_ns < t->server->stop_by_ns &&
             (t->context.active > 0 || (open_connections(t) > 0 && now_ns < linger_until_ns)));
    if (t->context.active > t->context.waiting)
        log_warn("http_requests_cut_off", "count=%d", t->context.active - t->context.waiting);
}

static void *run(void *argument)
{
    struct http_thread *t = argument;
    int phase;
    while ((phase = atomic_load(&t->server->phase)) != PHASE_STOPPING) {
        if (phase == PHASE_QUIESCED && t->is_listening)
            stop_listening(t);
        turn(t);
    }
    if (t->is_listening)
        stop_listening(t);
    finish(t);
    return NULL;
}

/* ---- start ---- */

struct peer {                  /* of one connection, from its accept to its close */
    struct http_client client; /* first: this is what the socket context points to */
    struct address_entry *address;
};

static enum MHD_Result accept_peer(void *closure, const struct sockaddr *address, socklen_t len)
{
    (void)len;
    struct http_thread *t = closure;
    struct front_end *fe = t->server->front_end;
    if (networks_have(&fe->proxies, address) || address_limit_allows(fe->addresses, address))
        return MHD_YES;
    metric_add(fe->metrics, METRIC_HTTP_ADDRESS_FULL, 1);
    return MHD_NO;
}

static void peer_came(struct http_thread *t, struct MHD_Connection *connection, void **socket_context)
{
    struct peer *p = xcalloc(1, sizeof *p);
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const struct sockaddr *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    if (!networks_have(&t->server->front_end->proxies, address))
        p->address = address_limit_enter(t->server->front_end->addresses, address);
    http_clients_open(&t->context.clients, &p->client, fd, clock_mono_ns());
    *socket_context = p;
}

static void peer_left(struct http_thread *t, void **socket_context)
{
    struct peer *p = *socket_context;
    http_clients_close(&t->context.clients, &p->client);
    address_limit_leave(t->server->front_end->addresses, p->address);
    free(p);
    *socket_context = NULL;
}

/* The library calls this before it closes the socket, so the descriptor that a client has is never another's.
 */
static void connection_changed(void *closure, struct MHD_Connection *connection, void **socket_context,
                               enum MHD_ConnectionNotificationCode what)
{
    struct http_thread *t = closure;
    bool is_new = what == MHD_CONNECTION_NOTIFY_STARTED;
    atomic_fetch_add_explicit(&t->server->front_end->connections, is_new ? 1 : -1, memory_order_relaxed);
    if (is_new) {
        peer_came(t, connection, socket_context);
        if (t->is_tls)
            http_tls_watch(
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session);
    } else {
        peer_left(t, socket_context);
    }
}

/* The library's log of addresses is its only call between a request's first line and the end of its headers.
 */
static void *first_line_is_here(void *closure, const char *uri, struct MHD_Connection *connection)
{
    (void)uri;
    struct http_thread *t = closure;
    struct http_client *client =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    http_clients_began(&t->context.clients, client, clock_mono_ns());
    return NULL; /* the request object, which the handler makes */
}

static _Noreturn void library_panicked(void *closure, const char *file, unsigned line, const char *reason)
{
    (void)closure;
    log_panic("libmicrohttpd", "file=%s line=%u reason=\"%s\"", file, line, reason ? reason : "");
}

static struct MHD_Daemon *start_daemon(struct http_thread *t, const struct http_options *o)
{
    unsigned limit = (unsigned)o->front_end->max_connections + LIMIT_SLACK;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (o->is_tls ? MHD_USE_TLS : 0);
    const struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, http_tls_callback()},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)HTTP_TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(
        flags, 0, accept_peer, t, http_routes_handle, &t->context, MHD_OPTION_LISTEN_SOCKET, t->listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, limit, MHD_OPTION_CONNECTION_MEMORY_LIMIT, o->connection_memory,
        MHD_OPTION_CONNECTION_TIMEOUT, o->idle_timeout_s, MHD_OPTION_NOTIFY_COMPLETED, http_routes_completed,
        &t->context, MHD_OPTION_NOTIFY_CONNECTION, connection_changed, t, MHD_OPTION_URI_LOG_CALLBACK,
        first_line_is_here, t, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY,
        o->is_tls ? tls : tls + 2, MHD_OPTION_END);
}

static int start_thread(struct http_thread *t, const struct http_options *o, struct detail *why)
{
    t->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    t->is_tls = o->is_tls;
    t->context.clients.request_timeout_ns = o->request_timeout_s * NS_PER_S;
    if (t->wake_fd < 0 || http_context_start(&t->context, o->front_end) != 0) {
        detail_set(why, "no descriptors for an HTTP thread: %s", strerror(errno));
        return E_IO;
    }
    t->daemon = start_daemon(t, o);
    if (!t->daemon) {
        detail_set(why, "libmicrohttpd does not start: %s", strerror(errno));
        return E_IO;
    }
    t->is_listening = true;
    atomic_store(&t->turn_ns, clock_mono_ns());
    int failure = pthread_create(&t->thread, NULL, run, t);
    if (failure != 0) {
        detail_set(why, "no HTTP thread: %s", strerror(failure));
        return E_IO;
    }
    t->is_running = true;
    return 0;
}

/* One for each thread; the operators' is the last. */
static int open_sockets(struct http_server *s, const struct http_options *o, int *sockets, struct detail *why)
{
    struct detail reason;
    const char *setting = "http.listen";
    int rc = http_listen(o->listen, sockets, o->threads, s->address, &reason);
    if (rc == 0 && *o->admin_listen) {
        setting = "http.admin_listen";
        rc = http_listen(o->admin_listen, &sockets[o->threads], 1, s->admin_address, &reason);
        for (int i = 0; rc != 0 && i < o->threads; i++)
            close(sockets[i]);
    }
    if (rc != 0)
        detail_set(why, "%s: %.280s", setting, reason.text);
    return rc;
}

int http_server_start(struct http_server **out, const struct http_options *o, struct detail *why)
{
    bool has_admin = *o->admin_listen != '\0';
    int count = o->threads + has_admin;
    struct http_server *s = xcalloc(1, sizeof *s + (size_t)count * sizeof s->threads[0]);
    int *sockets = xcalloc((size_t)count, sizeof *sockets);
    s->front_end = o->front_end;
    MHD_set_panic_func(library_panicked, NULL);
    int rc = open_sockets(s, o, sockets, why);
    if (rc != 0) {
        free(sockets);
        free(s);
        return rc;
    }
    s->count = count;
    for (int i = 0; i < s->count; i++) {
        s->threads[i] = (struct http_thread){.server = s, .listen_fd = sockets[i], .wake_fd = -1};
        s->threads[i].context.listener = !has_admin       ? LISTENER_ALL
                                         : i < o->threads ? LISTENER_PUBLIC
                                                          : LISTENER_ADMIN;
    }
    free(sockets);
    for (int i = 0; i < s->count && rc == 0; i++)
        rc = start_thread(&s->threads[i], o, why);
    if (rc != 0) {
        http_server_stop(s, 0);
        http_server_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

const char *http_server_address(const struct http_server *s)
{
    return s->address;
}

const char *http_server_admin_address(const struct http_server *s)
{
    return s->admin_address;
}

bool http_server_is_alive(const struct http_server *s, int64_t now_ns, int64_t within_ns)
{
    for (int i = 0; i < s->count; i++)
        if (now_ns - atomic_load_explicit(&s->threads[i].turn_ns, memory_order_relaxed) > within_ns)
            return false;
    return true;
}

/* ---- the way out ---- */

static void enter_phase(struct http_server *s, int phase)
{
    atomic_store(&s->phase, phase);
    for (int i = 0; i < s->count; i++)
        if (s->threads[i].wake_fd >= 0)
            eventfd_write(s->threads[i].wake_fd, 1);
}

void http_server_quiesce(struct http_server *s)
{
    enter_phase(s, PHASE_QUIESCED);
}

void http_server_stop(struct http_server *s, int grace_ms)
{
    atomic_store(&s->stop_by_ns, clock_mono_ns() + grace_ms * NS_PER_MS);
    enter_phase(s, PHASE_STOPPING);
    for (int i = 0; i < s->count; i++)
        if (s->threads[i].is_running)
            pthread_join(s->threads[i].thread, NULL);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->count; i++) {
        struct http_thread *t = &s->threads[i];
        if (t->context.waiting >
            0) /* a submission without a verdict: the library would abort, so leave it to exit() */
            log_error("http_requests_without_verdict", "count=%d", t->context.waiting);
        else if (t->daemon)
            MHD_stop_daemon(t->daemon);
        if (!t->daemon)
            close(t->listen_fd);
        if (t->wake_fd >= 0)
            close(t->wake_fd);
        if (t->context.waiting == 0)
            http_context_end(&t->context);
    }
    free(s);
}
