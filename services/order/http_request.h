/* One request between its headers and its answer, as the files behind http_routes.h share it. Private to
 * them. */
#ifndef SECKILL_ORDER_HTTP_REQUEST_H
#define SECKILL_ORDER_HTTP_REQUEST_H

#include "services/order/change_item.h"
#include "services/order/http_clients.h"
#include "services/order/http_routes.h"
#include "services/order/inquiry.h"
#include "services/order/order_request.h"
#include "services/order/submit_order.h"

enum request_state {
    REQUEST_READING, /* its body comes in */
    REQUEST_REFUSED, /* the answer is known; what is left of the body is thrown away */
    REQUEST_WAITING, /* suspended: what it waits for is with the broker thread, or at a desk */
    REQUEST_JUDGED,  /* resumed: the verdict is in the submission */
    REQUEST_TOLD,    /* resumed: what could be learned is in the inquiry */
    REQUEST_ASKED,   /* resumed: what came of it is in the question */
};

struct http_request {
    struct order_attempt attempt;
    struct inquiry inquiry;
    struct admin_question question;
    struct identity who; /* of an inquiry; an order has it in its attempt */
    struct http_context *context;
    struct MHD_Connection *connection;
    struct http_client *client;
    const struct route *route; /* NULL: none */
    const char *method, *path; /* these and the next two: the library's, as long as the request */
    const char *tail;          /* of the path, behind the route's, with its suffix */
    const char *request_id;    /* fit to be sent back; NULL: none */
    int64_t began_ns;          /* its headers were here */
    bool prefers_html;
    struct address_entry *forwarded; /* its client, behind a trusted proxy; NULL: not counted */
    char from[INET6_ADDRSTRLEN];     /* for the log; "": the peer itself, or the log does not want it */
    enum request_state state;
    struct http_reply reply;
    struct http_request *next_unused;
    size_t body_len; /* with what was thrown away */
    char body[ORDER_BODY_MAX];
};

struct route {
    const char *method;
    const char *path;   /* with a "/" at its end: any one segment may follow */
    const char *suffix; /* "/restock": what must follow that segment; NULL: nothing may */
    /* The headers are here; false: the reply is to be sent at once. Or NULL. */
    bool (*begin)(struct http_request *r);
    /* All is here: makes the reply, or leaves the request REQUEST_WAITING. */
    void (*answer)(struct http_request *r);
    /* The reply, whoever made it, is about to be sent: the last word on it. Or NULL. */
    void (*finish)(struct http_request *r);
    bool takes_order; /* its answers are counted as those of POST /v1/orders */
    size_t body_max;  /* bytes, at most ORDER_BODY_MAX; 0: so many */
    enum { ROUTE_PUBLIC, ROUTE_ADMIN, ROUTE_BOTH } side; /* where it is served, if there are two listeners */
};

/* Sets r->route and r->tail, or makes the 404 or 405 and leaves the request REQUEST_REFUSED without a route.
 */
void http_route_find(struct http_request *r);

/* Makes the refusal the answer: to be sent at once or at the end of the body. */
void http_request_refuse(struct http_request *r, enum problem_code code, const char *detail);

/* The same of a 401, with the challenge that goes with it. */
void http_request_unauthenticated(struct http_request *r, enum token_verdict verdict);

#endif
