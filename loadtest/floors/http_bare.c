/*
 * What libmicrohttpd alone answers: POST, its body read and thrown away, one small constant answer, in a loop
 * of our own around MHD_run as the front end has it (see services/order/http_server.h for why). No routes, no
 * JSON, no order.
 *
 *   http_bare [PORT]     serves on 127.0.0.1 until SIGTERM or SIGINT; prints the port when it listens
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS       4096
#define CONNECTION_MEMORY 8192 /* http.connection_memory's default */
#define TURN_MS           250

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

static enum MHD_Result answer(void *closure, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request)
{
    static char seen;
    struct MHD_Response *constant = closure;
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    if (!*request) { /* the headers are here; an answer now would close the connection */
        *request = &seen;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, constant);
}

static void serve(struct MHD_Daemon *daemon)
{
    while (!is_over) {
        MHD_UNSIGNED_LONG_LONG wanted;
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
        struct pollfd fd = {.fd = info->epoll_fd, .events = POLLIN};
        int wait_ms = MHD_get_timeout(daemon, &wanted) == MHD_YES && wanted < TURN_MS ? (int)wanted : TURN_MS;
        poll(&fd, 1, wait_ms);
        MHD_run(daemon);
    }
}

int main(int argc, char **argv)
{
    static const char body[] = "{\"status\":\"refused\"}";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (argc > 1)
        address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);
    signal(SIGPIPE, SIG_IGN);

    struct MHD_Response *constant =
        MHD_create_response_from_buffer(sizeof body - 1, (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT);
    if (!constant ||
        MHD_add_response_header(constant, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json") != MHD_YES)
        return 1;
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, answer, constant, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (!daemon) {
        fprintf(stderr, "http_bare: cannot listen on that port\n");
        return 1;
    }
    printf("%d\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    serve(daemon);
    MHD_stop_daemon(daemon);
    MHD_destroy_response(constant);
    return 0;
}
