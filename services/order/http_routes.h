/*
 * Requests: from their headers to their answers. A table (http_route_table.c) says which path and method is
 * answered by whom; http_routes.c reads bodies and keeps the order of things that libmicrohttpd wants:
 *
 *  - An answer that is queued before the body was read closes the connection. So an early refusal is
 * remembered, the body read, and then it is answered. Only what must not be read on (too long, wrong type) is
 * answered at once.
 *  - A request whose order is with the broker thread is suspended, and inside the handler only; its answer is
 * queued inside the handler after it was resumed. While suspended, it cannot end, whatever its client does.
 *
 * All functions belong to the one HTTP thread that owns the context.
 */
#ifndef SECKILL_ORDER_HTTP_ROUTES_H
#define SECKILL_ORDER_HTTP_ROUTES_H

#include <microhttpd.h>

#include "services/order/front_end.h"
#include "services/order/http_clients.h"
#include "services/order/http_reply.h"
#include "services/order/mailbox.h"

struct http_request;

/* What is served where. With a listener for operators, what concerns only them is not found at the other. */
enum http_listener { LISTENER_ALL, LISTENER_PUBLIC, LISTENER_ADMIN };

struct http_context { /* of one HTTP thread; zeroed, then started */
    struct front_end *front_end;
    enum http_listener listener; /* set by its owner */
    struct mailbox *mailbox;     /* verdicts come back here */
    struct http_reply_cache *cache;
    struct http_clients clients; /* the daemon's socket context is a struct http_client of these */
    struct http_request *unused; /* request objects to take again */
    int unused_count;
    uint64_t calls;    /* of the handler, ever */
    int active;        /* requests that have begun and are not completed */
    int waiting;       /* of these: suspended */
    int64_t resume_ns; /* the next ones are resumed then: see http_routes_holds */
};

int http_context_start(struct http_context *c, struct front_end *fe) MUST_USE; /* E_IO */
void http_context_end(struct http_context *c); /* after the daemon was stopped */

/* The daemon's handler and its completion callback; closure: the http_context. */
enum MHD_Result http_routes_handle(void *closure, struct MHD_Connection *connection, const char *url,
                                   const char *method, const char *version, const char *upload,
                                   size_t *upload_size, void **request);
void http_routes_completed(void *closure, struct MHD_Connection *connection, void **request,
                           enum MHD_RequestTerminationCode how);

/* The mailbox is readable: resumes the requests whose verdicts or answers came. Run the daemon afterwards. */
void http_routes_resume(struct http_context *c);

/*
 * Is the mailbox to be left alone for now? The library walks over all suspended connections whenever one is
 * resumed. With thousands of clients that wait for a decision this would be most of what a thread does; so
 * the more are suspended, the longer verdicts gather before the next walk: with 5000, for half a millisecond.
 */
bool http_routes_holds(const struct http_context *c, int64_t now_ns);

/* How long to sleep at most: until mail may be looked at again, or an inquiry's time is over. */
int64_t http_routes_sleep_ns(const struct http_context *c, int64_t now_ns, int64_t most_ns);

#endif
