/* Which path and method is answered by whom. */
#include "services/order/http_request.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "services/order/http_pages.h"
#include "services/order/order_log.h"
#include "services/order/query.h"
#include "services/order/query_order.h"
#include "services/order/query_stats.h"

static void ask_for_order(struct http_request *r, const char *id, const char *wait)
{
    if (query_order(r->context->front_end, &r->inquiry, id, wait, &r->reply) == QUERY_WAITING)
        r->state = REQUEST_WAITING;
}

/* Who asks for an order must be known before it is looked up. */
static bool begin_inquiry(struct http_request *r)
{
    authenticate(r->context->front_end->authenticator,
                 MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION),
                 clock_wall_ms() / 1000, &r->who);
    r->inquiry.viewer = &r->who;
    if (r->who.kind == IDENTITY_NOBODY)
        http_request_unauthenticated(r, r->who.verdict);
    return true;
}

static void get_order(struct http_request *r)
{
    const char *wait = NULL;
    size_t len;
    if (MHD_lookup_connection_value_n(r->connection, MHD_GET_ARGUMENT_KIND, "wait", strlen("wait"), &wait,
                                      &len) == MHD_YES &&
        !wait)
        wait = ""; /* "?wait" alone */
    ask_for_order(r, r->tail, wait);
}

/* ---- what is answered from memory ---- */

static void get_items(struct http_request *r)
{
    query_items(r->context->front_end, &r->reply);
}

static void get_item(struct http_request *r)
{
    query_item(r->context->front_end, r->tail, &r->reply);
}

static void get_stats(struct http_request *r)
{
    query_stats(r->context->front_end, &r->reply);
}

static void get_health(struct http_request *r)
{
    query_health(r->context->front_end, &r->reply);
}

static void get_readiness(struct http_request *r)
{
    query_readiness(r->context->front_end, &r->reply);
}

static void get_metrics(struct http_request *r)
{
    query_metrics(r->context->front_end, &r->reply);
}

/* ---- administration ---- */

static const char *header_of(const struct http_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

/* true: this request may. Else the reply says why not, and is to be sent at once. */
static bool is_admin(struct http_request *r)
{
    struct front_end *fe = r->context->front_end;
    switch (admin_token_check(fe->admin_token, header_of(r, MHD_HTTP_HEADER_AUTHORIZATION))) {
    case ADMIN_GRANTED:
        return true;
    case ADMIN_CLOSED:
        http_request_refuse(r, PROBLEM_FORBIDDEN, "no admin token is configured here, so nobody may do this");
        break;
    case ADMIN_MISSING:
        http_request_refuse(r, PROBLEM_UNAUTHENTICATED,
                            "this needs \"Authorization: Bearer\" with the admin token");
        r->reply.authenticate = "Bearer realm=\"seckill admin\"";
        break;
    case ADMIN_WRONG:
        http_request_refuse(r, PROBLEM_UNAUTHENTICATED, "this is not the admin token");
        r->reply.authenticate = "Bearer realm=\"seckill admin\", error=\"invalid_token\"";
        break;
    }
    metric_add(fe->metrics, METRIC_ADMIN_DENIED, 1);
    return false;
}

static bool begin_change(struct http_request *r)
{
    if (!is_admin(r))
        return false;
    if (order_request_body_type(header_of(r, MHD_HTTP_HEADER_CONTENT_TYPE)) == BODY_JSON)
        return true;
    http_request_refuse(r, PROBLEM_UNSUPPORTED_MEDIA_TYPE, "a change is application/json");
    return false;
}

/* The sku of the path, without the route's suffix. */
static void read_change(const struct http_request *r, struct admin_request *request, char *sku, size_t size)
{
    size_t len = strlen(r->tail) - (r->route->suffix ? strlen(r->route->suffix) : 0);
    snprintf(sku, size, "%.*s", (int)len, r->tail);
    *request = (struct admin_request){
        .sku = sku,
        .body = {.data = r->body, .len = r->body_len},
        .if_match = header_of(r, MHD_HTTP_HEADER_IF_MATCH),
        .if_none_match = header_of(r, MHD_HTTP_HEADER_IF_NONE_MATCH),
        .idempotency_key = header_of(r, "Idempotency-Key"),
    };
}

#define SKU_SIZE 128 /* more than a sku may have, so that one that is too long is seen to be */

static void put_item(struct http_request *r)
{
    struct admin_request request;
    char sku[SKU_SIZE];
    read_change(r, &request, sku, sizeof sku);
    if (change_item(r->context->front_end, &r->question, &request, &r->reply) == CHANGE_WAITING)
        r->state = REQUEST_WAITING;
}

static void post_restock(struct http_request *r)
{
    struct admin_request request;
    char sku[SKU_SIZE];
    read_change(r, &request, sku, sizeof sku);
    if (restock_item(r->context->front_end, &r->question, &request, &r->reply) == CHANGE_WAITING)
        r->state = REQUEST_WAITING;
}

/* Who changed what, and what came of it: one line each; but strangers may not fill the log. */
static void finish_change(struct http_request *r)
{
    char path[256];
    const char *code = http_reply_problem_word(&r->reply);
    bool is_denied = r->reply.status == 401 || r->reply.status == 403;
    if (is_denied && !log_wants(LOG_LEVEL_DEBUG))
        return;
    log_info("admin_answered", "method=%s path=%s status=%u code=%s request_id=%s", r->method,
             log_quote(r->path, path, sizeof path), r->reply.status, code ? code : "-",
             r->request_id ? r->request_id : "-");
}

static void get_openapi(struct http_request *r)
{
    query_openapi(&r->reply);
}

/* ---- orders ---- */

static bool begin_order(struct http_request *r)
{
    r->attempt.idempotency_key =
        MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Idempotency-Key");
    r->attempt.request_id = r->request_id;
    r->attempt.client = r->from;
    r->attempt.authorization =
        MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    r->attempt.body_type = order_request_body_type(
        MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE));
    submit_order_begin(r->context->front_end, &r->attempt);
    if (r->attempt.early == VERDICT_ADMITTED && r->attempt.body_type == BODY_UNSUPPORTED) {
        http_request_refuse(r, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                            "an order is application/json, or a form as application/x-www-form-urlencoded");
        return false;
    }
    return true;
}

static void post_order(struct http_request *r)
{
    struct slice body = {.data = r->body, .len = r->body_len};
    if (submit_order(r->context->front_end, &r->attempt, body, &r->reply) == SUBMIT_WAITING)
        r->state = REQUEST_WAITING;
}

static void record_order(const struct http_request *r)
{
    const char *refused = http_reply_problem_word(&r->reply);
    const bool is_read = r->state != REQUEST_REFUSED && r->body_len <= ORDER_BODY_MAX;
    trace_recorder_note(r->context->front_end->trace,
                        &(struct arrival){.at_ns = r->began_ns,
                                          .type = r->attempt.body_type,
                                          .body = {.data = r->body, .len = is_read ? r->body_len : 0},
                                          .key = r->attempt.idempotency_key,
                                          .verdict = refused ? refused : "accepted"});
}

/* Counts the answer as what it says, and then sends a browser to the page that shows it. */
static void finish_order(struct http_request *r)
{
    struct front_end *fe = r->context->front_end;
    enum histogram outcome = r->reply.status == 202   ? HISTOGRAM_ANSWER_ACCEPTED
                             : r->reply.status == 504 ? HISTOGRAM_ANSWER_UNKNOWN
                                                      : HISTOGRAM_ANSWER_REFUSED;
    histogram_add(fe->metrics, outcome, (uint64_t)(clock_mono_ns() - r->began_ns) / 1000);
    order_log_answered(fe, &r->attempt, &r->reply);
    if (fe->trace)
        record_order(r);
    if (r->prefers_html)
        http_pages_redirect(fe, &r->reply);
}

/* ---- pages ---- */

static void get_index_page(struct http_request *r)
{
    http_page_index(r->context->front_end, &r->reply);
}

/* The order is asked for as by a program; the answer, from wherever it comes, is then shown as a page. */
static void get_order_page(struct http_request *r)
{
    const char *id = MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, "id");
    ask_for_order(r, id ? id : "", NULL);
}

static void finish_order_page(struct http_request *r)
{
    http_page_order(r->context->front_end, &r->reply);
}

static void get_busy_page(struct http_request *r)
{
    http_page_static(WEB_BUSY, &r->reply);
}

static void get_sold_out_page(struct http_request *r)
{
    http_page_static(WEB_SOLD_OUT, &r->reply);
}

static void get_style(struct http_request *r)
{
    http_page_static(WEB_STYLE, &r->reply);
}

static void get_dashboard_page(struct http_request *r)
{
    http_page_dashboard(r->context->front_end, &r->reply);
}

/* ---- the table ---- */

/* clang-format off */
static const struct route routes[] = {
    {.method = "POST", .path = "/v1/orders", .begin = begin_order, .answer = post_order, .finish = finish_order,
     .takes_order = true},
    {.method = "GET", .path = "/v1/orders/", .begin = begin_inquiry, .answer = get_order},
    {.method = "GET", .path = "/v1/items", .answer = get_items},
    {.method = "GET", .path = "/v1/items/", .answer = get_item},
    {.method = "PUT", .path = "/v1/items/", .begin = begin_change, .answer = put_item, .finish = finish_change,
     .body_max = ADMIN_BODY_MAX, .side = ROUTE_ADMIN},
    {.method = "POST", .path = "/v1/items/", .suffix = "/restock", .begin = begin_change, .answer = post_restock,
     .finish = finish_change, .body_max = ADMIN_BODY_MAX, .side = ROUTE_ADMIN},
    {.method = "GET", .path = "/v1/stats", .answer = get_stats, .side = ROUTE_ADMIN},
    {.method = "GET", .path = "/healthz", .answer = get_health, .side = ROUTE_BOTH},
    {.method = "GET", .path = "/readyz", .answer = get_readiness, .side = ROUTE_BOTH},
    {.method = "GET", .path = "/metrics", .answer = get_metrics, .side = ROUTE_ADMIN},
    {.method = "GET", .path = "/openapi.yaml", .answer = get_openapi, .side = ROUTE_BOTH},
    {.method = "GET", .path = "/order", .begin = begin_inquiry, .answer = get_order_page,
     .finish = finish_order_page},
    {.method = "GET", .path = "/busy", .answer = get_busy_page},
    {.method = "GET", .path = "/sold-out", .answer = get_sold_out_page},
    {.method = "GET", .path = "/dashboard", .answer = get_dashboard_page, .side = ROUTE_ADMIN},
    {.method = "GET", .path = "/style.css", .answer = get_style, .side = ROUTE_BOTH},
    {.method = "GET", .path = "/", .answer = get_index_page},
};
/* clang-format on */

#define ROUTE_COUNT (sizeof routes / sizeof routes[0])

/* Is it one segment, and then the suffix? */
static bool is_segment(const char *tail, const char *suffix)
{
    size_t len = strcspn(tail, "/");
    return len > 0 && strcmp(tail + len, suffix ? suffix : "") == 0;
}

/* The part of url behind the route's path: "" for a whole match, NULL for none. */
static const char *route_tail(const struct route *route, const char *url)
{
    size_t len = strlen(route->path);
    if (strncmp(url, route->path, len) != 0)
        return NULL;
    const char *tail = url + len;
    bool takes_tail = len > 1 && route->path[len - 1] == '/';
    if (takes_tail)
        return is_segment(tail, route->suffix) ? tail : NULL;
    return *tail ? NULL : tail;
}

static bool is_served(const struct route *route, enum http_listener listener)
{
    return listener == LISTENER_ALL || route->side == ROUTE_BOTH ||
           (route->side == ROUTE_ADMIN) == (listener == LISTENER_ADMIN);
}

static bool route_takes(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, MHD_HTTP_METHOD_HEAD) == 0 && strcmp(route->method, MHD_HTTP_METHOD_GET) == 0);
}

void http_route_find(struct http_request *r)
{
    char *allow = r->reply.allow;
    size_t room = sizeof r->reply.allow;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const char *tail = route_tail(&routes[i], r->path);
        if (!tail || !is_served(&routes[i], r->context->listener))
            continue;
        if (route_takes(&routes[i], r->method)) {
            r->route = &routes[i];
            r->tail = tail;
            *allow = '\0';
            return;
        }
        size_t used = strlen(allow);
        bool is_get = strcmp(routes[i].method, MHD_HTTP_METHOD_GET) == 0;
        snprintf(allow + used, room - used, "%s%s%s", used ? ", " : "", routes[i].method,
                 is_get ? ", HEAD" : "");
    }
    bool is_path = *allow != '\0';
    r->state = REQUEST_REFUSED;
    http_reply_problem(&r->reply,
                       &(struct problem){.code = is_path ? PROBLEM_METHOD_NOT_ALLOWED : PROBLEM_NOT_FOUND,
                                         .detail = is_path ? "this path takes another method: see Allow"
                                                           : "there is nothing at this path",
                                         .detail_is_constant = true});
}
