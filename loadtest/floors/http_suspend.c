/*
 * What the front end's way of answering costs without a broker: POST, its body read and parsed, the request
 * suspended and handed to nobody, resumed in the next turn of the loop, answered 202 with a body and headers
 * of the front end's size. A loop of our own around MHD_run (see services/order/http_server.h for why), one
 * daemon and one listening socket for each thread. No admission, no ids, no ledger, no second thread.
 *
 *   http_suspend [THREADS [PORT]]     serves on 127.0.0.1 until SIGTERM or SIGINT; prints the port when it
 *                                     listens. A body without user_id and sku is answered 400
 */
#include <arpa/inet.h>
#include <jansson.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX       64
#define CONNECTIONS       4096
#define CONNECTION_MEMORY 8192 /* http.connection_memory's default */
#define BODY_MAX          4096
#define TURN_MS           250
#define ORDER_ID          "0CN93BGRX49G6FPBY600BFZ3Z1"

struct request {
    struct MHD_Connection *connection;
    bool is_order, was_resumed;
    size_t len;
    struct request *next; /* in the thread's suspended or unused ones */
    char answer[128], location[64];
    char body[BODY_MAX];
};

struct http_thread {
    pthread_t thread;
    struct MHD_Daemon *daemon;
    struct request *suspended, *unused;
};

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

static struct request *take_request(struct http_thread *t, struct MHD_Connection *connection)
{
    struct request *r = t->unused;
    if (r)
        t->unused = r->next;
    else
        r = malloc(sizeof *r);
    if (!r)
        abort();
    r->connection = connection;
    r->is_order = r->was_resumed = false;
    r->len = 0;
    return r;
}

static bool parse(const struct request *r)
{
    const char *user_id, *sku;
    int quantity = 1;
    json_t *root = json_loadb(r->body, r->len, JSON_REJECT_DUPLICATES, NULL);
    bool is_order = root && json_unpack(root, "{s:s, s:s, s?i !}", "user_id", &user_id, "sku", &sku,
                                        "quantity", &quantity) == 0;
    json_decref(root);
    return is_order;
}

static enum MHD_Result send_answer(struct request *r)
{
    const char *type = "application/json";
    if (r->is_order) {
        snprintf(r->answer, sizeof r->answer, "{\"order_id\":\"%s\",\"status\":\"accepted\"}", ORDER_ID);
        snprintf(r->location, sizeof r->location, "/v1/orders/%s", ORDER_ID);
    } else {
        snprintf(r->answer, sizeof r->answer, "{\"status\":400}");
        type = "application/problem+json";
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(r->answer), r->answer, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (r->is_order)
        MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, r->location);
    enum MHD_Result result =
        MHD_queue_response(r->connection, r->is_order ? MHD_HTTP_ACCEPTED : MHD_HTTP_BAD_REQUEST, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result handle(void *closure, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request)
{
    struct http_thread *t = closure;
    struct request *r = *request;
    (void)url;
    (void)method;
    (void)version;
    if (!r) { /* the headers are here; an answer now would close the connection */
        *request = take_request(t, connection);
        return MHD_YES;
    }
    if (*upload_size > 0) {
        if (*upload_size > BODY_MAX - r->len)
            return MHD_NO;
        memcpy(r->body + r->len, upload, *upload_size);
        r->len += *upload_size;
        *upload_size = 0;
        return MHD_YES;
    }
    if (r->was_resumed)
        return send_answer(r);
    r->is_order = parse(r);
    if (!r->is_order)
        return send_answer(r);
    r->next = t->suspended;
    t->suspended = r;
    MHD_suspend_connection(connection);
    return MHD_YES;
}

static void completed(void *closure, struct MHD_Connection *connection, void **request,
                      enum MHD_RequestTerminationCode how)
{
    struct http_thread *t = closure;
    struct request *r = *request;
    (void)connection;
    (void)how;
    if (!r)
        return;
    r->next = t->unused;
    t->unused = r;
    *request = NULL;
}

static void resume_all(struct http_thread *t)
{
    struct request *r;
    while ((r = t->suspended) != NULL) {
        t->suspended = r->next;
        r->was_resumed = true;
        MHD_resume_connection(r->connection);
    }
}

static void *serve(void *argument)
{
    struct http_thread *t = argument;
    while (!is_over) {
        MHD_UNSIGNED_LONG_LONG wanted;
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(t->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        struct pollfd fd = {.fd = info->epoll_fd, .events = POLLIN};
        int wait_ms =
            MHD_get_timeout(t->daemon, &wanted) == MHD_YES && wanted < TURN_MS ? (int)wanted : TURN_MS;
        poll(&fd, 1, t->suspended ? 0 : wait_ms);
        resume_all(t);
        MHD_run(t->daemon);
    }
    resume_all(t);
    MHD_run(t->daemon);
    MHD_stop_daemon(t->daemon);
    while (t->unused) {
        struct request *r = t->unused;
        t->unused = r->next;
        free(r);
    }
    return NULL;
}

/* On a socket of its own at this port; port 0 takes a free one. Returns the port, or 0. */
static uint16_t listen_at(struct http_thread *t, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    t->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, t, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_COMPLETED, completed,
        t, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    return t->daemon ? MHD_get_daemon_info(t->daemon, MHD_DAEMON_INFO_BIND_PORT)->port : 0;
}

int main(int argc, char **argv)
{
    static struct http_thread threads[THREADS_MAX];
    int count = argc > 1 ? atoi(argv[1]) : 1;
    uint16_t port = argc > 2 ? (uint16_t)strtoul(argv[2], NULL, 10) : 0;
    if (argc > 3 || count < 1 || count > THREADS_MAX) {
        fprintf(stderr, "usage: http_suspend [THREADS(1-%d) [PORT]]\n", THREADS_MAX);
        return 64;
    }
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < count; i++) {
        port = listen_at(&threads[i], port);
        if (port == 0) {
            fprintf(stderr, "http_suspend: cannot listen on that port\n");
            return 69;
        }
    }
    printf("%d\n", port);
    fflush(stdout);
    for (int i = 1; i < count; i++)
        if (pthread_create(&threads[i].thread, NULL, serve, &threads[i]) != 0)
            return 71;
    serve(&threads[0]);
    for (int i = 1; i < count; i++)
        pthread_join(threads[i].thread, NULL);
    return 0;
}
