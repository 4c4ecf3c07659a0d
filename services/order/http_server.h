/*
 * The HTTP threads. Each has a libmicrohttpd daemon of its own, that only this thread touches, with its own
 * listening socket, and its own loop: poll the daemon's epoll descriptor together with the mailbox of
 * verdicts, then let the daemon do what it can without waiting. The library's internal epoll thread is never
 * used: when exactly 128 events (or a multiple) are ready at once it sleeps before it serves them.
 */
#ifndef SECKILL_ORDER_HTTP_SERVER_H
#define SECKILL_ORDER_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "services/order/front_end.h"

struct http_server;

struct http_options {
    const char *listen; /* see http_listen.h */
    const char
        *admin_listen; /* a thread of its own for what concerns operators; "": all is served by the others */
    int threads;
    bool is_tls;              /* HTTPS at both, with the certificate of http_tls.h */
    size_t connection_memory; /* bytes of each connection */
    int request_timeout_s;    /* a request that is not complete after so long ends its connection */
    unsigned idle_timeout_s;  /* a connection without any activity is closed */
    struct front_end *front_end;
};

/* Binds the addresses and starts the threads. E_INVALID, E_IO with detail: nothing was started. */
int http_server_start(struct http_server **out, const struct http_options *options,
                      struct detail *why) MUST_USE;

/* As bound: with the port that port 0 became. "": there is no such listener. */
const char *http_server_address(const struct http_server *s);
const char *http_server_admin_address(const struct http_server *s);

/* Did each thread come around its loop within the last within_ns? It does so every quarter of a second. Any
 * thread. */
bool http_server_is_alive(const struct http_server *s, int64_t now_ns, int64_t within_ns);

/*
 * The way out, from the thread that started it. First no new connections; the ones that exist go on. Then,
 * when every submission has its verdict in its mailbox (publisher_stop), the end: all that wait are answered,
 * then all is closed, at the latest after grace_ms. Blocks.
 */
void http_server_quiesce(struct http_server *s);
void http_server_stop(struct http_server *s, int grace_ms);
void http_server_free(struct http_server *s); /* after http_server_stop; NULL is fine */

#endif
