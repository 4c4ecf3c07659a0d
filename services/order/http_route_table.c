/* Which path and method is answered by whom. */
#include "services/order/http_request.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/order/http_pages.h"
#include "services/order/order_log.h"
#include "services/order/query.h"
#include "services/order/query_order.h"

static void ask_for_order(struct http_request *r, const char *id, const char *wait)
{
    if (query_order(r->context->front_end, &r->inquiry, id, wait, &r->reply) == QUERY_WAITING)
        r->state = REQUEST_WAITING;
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

/* ---- orders ---- */

static bool begin_order(struct http_request *r)
{
    r->attempt.idempotency_key =
        MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Idempotency-Key");
    r->attempt.request_id = r->request_id;
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
    {.method = "GET", .path = "/v1/orders/", .answer = get_order},
    {.method = "GET", .path = "/v1/items", .answer = get_items},
    {.method = "GET", .path = "/v1/items/", .answer = get_item},
    {.method = "GET", .path = "/healthz", .answer = get_health},
    {.method = "GET", .path = "/readyz", .answer = get_readiness},
    {.method = "GET", .path = "/metrics", .answer = get_metrics},
    {.method = "GET", .path = "/order", .answer = get_order_page, .finish = finish_order_page},
    {.method = "GET", .path = "/busy", .answer = get_busy_page},
    {.method = "GET", .path = "/sold-out", .answer = get_sold_out_page},
    {.method = "GET", .path = "/dashboard", .answer = get_dashboard_page},
    {.method = "GET", .path = "/style.css", .answer = get_style},
    {.method = "GET", .path = "/", .answer = get_index_page},
};
/* clang-format on */

#define ROUTE_COUNT (sizeof routes / sizeof routes[0])

/* The part of url behind the route's path: "" for a whole match, NULL for none. */
static const char *route_tail(const struct route *route, const char *url)
{
    size_t len = strlen(route->path);
    if (strncmp(url, route->path, len) != 0)
        return NULL;
    const char *tail = url + len;
    bool takes_tail = len > 1 && route->path[len - 1] == '/';
    if (takes_tail)
        return *tail && !strchr(tail, '/') ? tail : NULL;
    return *tail ? NULL : tail;
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
        if (!tail)
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
