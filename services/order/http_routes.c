/* The table of routes and the life of a request. */
#include "services/order/http_routes.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "services/order/query.h"
#include "services/order/submit_order.h"

#define DISCARD_MAX                                                                                          \
    (64 * 1024) /* of a body that is too long and did not say so; then the connection is closed */
#define REQUEST_ID_MAX 128
#define UNUSED_MAX     1024 /* request objects kept for later */

enum request_state {
    REQUEST_READING, /* its body comes in */
    REQUEST_REFUSED, /* the answer is known; what is left of the body is thrown away */
    REQUEST_WAITING, /* suspended: its submission is with the broker thread */
    REQUEST_JUDGED,  /* resumed: the verdict is in the submission */
};

struct http_request {
    struct order_attempt attempt;
    struct http_context *context;
    struct MHD_Connection *connection;
    const struct route *route; /* NULL: none */
    const char *method, *path; /* these and the next two: the library's, as long as the request */
    const char *tail;          /* of the path, behind the route's */
    const char *request_id;    /* fit to be sent back; NULL: none */
    enum request_state state;
    struct http_reply reply;
    struct http_request *next_unused;
    size_t body_len; /* with what was thrown away */
    char body[ORDER_BODY_MAX];
};

/* ---- routes ---- */

/* What is answered from memory. */
static void get_order(struct http_request *r)
{
    query_order(r->context->front_end, r->tail, &r->reply);
}

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

static bool begin_order(struct http_request *r);
static void post_order(struct http_request *r);

struct route {
    const char *method;
    const char *path; /* with a "/" at its end: any one segment may follow */
    bool (*begin)(
        struct http_request *r); /* the headers are here; false: the reply is to be sent at once. Or NULL */
    void (*answer)(
        struct http_request *r); /* all is here: makes the reply, or leaves the request REQUEST_WAITING */
};

static const struct route routes[] = {
    {"POST", "/v1/orders", begin_order, post_order}, {"GET", "/v1/orders/", NULL, get_order},
    {"GET", "/v1/items", NULL, get_items},           {"GET", "/v1/items/", NULL, get_item},
    {"GET", "/healthz", NULL, get_health},           {"GET", "/readyz", NULL, get_readiness},
    {"GET", "/metrics", NULL, get_metrics},
};

#define ROUTE_COUNT (sizeof routes / sizeof routes[0])

/* The part of url behind the route's path: "" for a whole match, NULL for none. */
static const char *route_tail(const struct route *route, const char *url)
{
    size_t len = strlen(route->path);
    if (strncmp(url, route->path, len) != 0)
        return NULL;
    const char *tail = url + len;
    bool takes_tail = route->path[len - 1] == '/';
    if (takes_tail)
        return *tail && !strchr(tail, '/') ? tail : NULL;
    return *tail ? NULL : tail;
}

static bool route_takes(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, MHD_HTTP_METHOD_HEAD) == 0 && strcmp(route->method, MHD_HTTP_METHOD_GET) == 0);
}

/* Sets r->route, or makes the 404 or 405 and leaves it NULL. */
static void find_route(struct http_request *r)
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

/* ---- request objects ---- */

static struct http_request *request_take(struct http_context *c, struct MHD_Connection *connection)
{
    struct http_request *r = c->unused;
    if (r) {
        c->unused = r->next_unused;
        c->unused_count--;
    } else {
        r = xmalloc(sizeof *r);
        r->reply = (struct http_reply){0};
    }
    /* All but the reply's memory and the body, which is written before it is read. */
    r->attempt = (struct order_attempt){.submission.mailbox = c->mailbox};
    r->context = c;
    r->connection = connection;
    r->route = NULL;
    r->tail = r->request_id = NULL;
    r->state = REQUEST_READING;
    r->next_unused = NULL;
    r->body_len = 0;
    c->active++;
    return r;
}

static void request_free(struct http_request *r)
{
    http_reply_free(&r->reply);
    free(r);
}

static void request_put_back(struct http_request *r)
{
    struct http_context *c = r->context;
    c->active--;
    if (c->unused_count >= UNUSED_MAX) {
        request_free(r);
        return;
    }
    http_reply_reset(&r->reply);
    r->next_unused = c->unused;
    c->unused = r;
    c->unused_count++;
}

/* ---- the way of a request ---- */

static const char *header_of(const struct http_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

/* A client's own mark for its request: sent back and logged if it is short and plain, else ignored. */
static const char *usable_request_id(const char *id)
{
    size_t len = 0;
    for (; id && id[len]; len++)
        if (id[len] < 0x21 || id[len] > 0x7e || len == REQUEST_ID_MAX)
            return NULL;
    return len > 0 ? id : NULL;
}

static enum MHD_Result send_reply(struct http_request *r)
{
    struct front_end *fe = r->context->front_end;
    if (atomic_load_explicit(&fe->draining, memory_order_relaxed))
        r->reply.close = true;
    if (r->request_id) {
        char path[256], id[REQUEST_ID_MAX * 2];
        log_info("http_request", "method=%s path=%s status=%u request_id=%s", r->method,
                 log_quote(r->path, path, sizeof path), r->reply.status,
                 log_quote(r->request_id, id, sizeof id));
    }
    return http_reply_send(&r->reply, r->context->cache, r->request_id, r->connection) ? MHD_YES : MHD_NO;
}

/* Makes the refusal the answer: to be sent at once or at the end of the body. */
static void refuse(struct http_request *r, enum problem_code code, const char *detail)
{
    struct front_end *fe = r->context->front_end;
    const struct problem p = {.code = code,
                              .detail = detail,
                              .detail_is_constant = true,
                              .retry_after_s = code == PROBLEM_UNAVAILABLE ? front_end_retry_after_s(fe) : 0};
    r->state = REQUEST_REFUSED;
    r->reply.allow[0] = '\0';
    if (r->route && r->route->answer == post_order) /* counted among the answers of POST /v1/orders */
        submit_order_refuse(fe, &p, &r->reply);
    else
        http_reply_problem(&r->reply, &p);
}

/* Too long a body; but what was decided before it still comes first. */
static void refuse_body(struct http_request *r)
{
    if (r->attempt.early == VERDICT_ADMITTED) {
        refuse(r, PROBLEM_TOO_LARGE, "a body may have 4096 bytes");
        return;
    }
    r->state = REQUEST_REFUSED;
    submit_order_answer_early(r->context->front_end, &r->attempt, &r->reply);
}

/* More connections than are wanted: the request is answered and its connection closed. The library's own
 * limit would stall new ones without a word. */
static void shed(struct http_request *r)
{
    struct front_end *fe = r->context->front_end;
    if (atomic_load_explicit(&fe->connections, memory_order_relaxed) <= fe->max_connections)
        return;
    metric_add(fe->metrics, METRIC_HTTP_SHED, 1);
    refuse(r, PROBLEM_UNAVAILABLE, "this front end has too many connections; nothing was queued");
    r->reply.close = true;
}

static bool body_is_long(const struct http_request *r)
{
    const char *text = header_of(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    int64_t length;
    return text && (number_parse(text, 0, INT64_MAX, &length) != 0 || length > ORDER_BODY_MAX);
}

struct framing { /* how the request says where its body ends */
    int lengths, encodings;
    bool is_chunked;
};

static enum MHD_Result note_framing(void *closure, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    (void)kind;
    struct framing *f = closure;
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0)
        f->lengths++;
    if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        f->encodings++;
        f->is_chunked = value && strcasecmp(value, "chunked") == 0;
    }
    return MHD_YES;
}

/* A body whose end is said twice, or in a way that we do not speak: a proxy before us may see another end
 * than we do, and take for the next request what is a part of this one (or the other way round). */
static bool framing_is_doubtful(const struct http_request *r)
{
    struct framing f = {0};
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, note_framing, &f);
    return f.lengths + f.encodings > 1 || (f.encodings > 0 && !f.is_chunked);
}

/* The headers are here. */
static enum MHD_Result begin(struct http_request *r)
{
    metric_add(r->context->front_end->metrics, METRIC_HTTP_REQUESTS, 1);
    r->request_id = usable_request_id(header_of(r, "X-Request-Id"));
    find_route(r);
    if (framing_is_doubtful(r)) {
        refuse(r, PROBLEM_MALFORMED,
               "one Content-Length, or Transfer-Encoding: chunked, must say where the body ends");
        return send_reply(r);
    }
    shed(r);

    if (r->state == REQUEST_READING && r->route->begin && !r->route->begin(r))
        return send_reply(r);
    if (!body_is_long(r))
        return MHD_YES;
    if (r->state == REQUEST_READING)
        refuse_body(r);
    return send_reply(r);
}

/* A piece of the body. false: so much of what nobody asked for that the connection is to be closed. */
static bool collect(struct http_request *r, const char *data, size_t len)
{
    if (r->state == REQUEST_READING && len > ORDER_BODY_MAX - r->body_len)
        refuse_body(r);
    if (r->state == REQUEST_READING)
        memcpy(r->body + r->body_len, data, len);
    r->body_len += len;
    return r->body_len <= DISCARD_MAX;
}

/* All of the request is here, or its verdict. */
static enum MHD_Result answer(struct http_request *r)
{
    switch (r->state) {
    case REQUEST_READING:
        r->route->answer(r);
        if (r->state != REQUEST_WAITING)
            break;
        /* The verdict cannot be in before this: only this thread reads the mailbox. */
        r->context->waiting++;
        MHD_suspend_connection(r->connection);
        return MHD_YES;
    case REQUEST_JUDGED:
        submit_order_finish(r->context->front_end, &r->attempt, &r->reply);
        break;
    case REQUEST_REFUSED:
        break;
    case REQUEST_WAITING: /* not called while suspended */
        return MHD_YES;
    }
    return send_reply(r);
}

static bool begin_order(struct http_request *r)
{
    r->attempt.idempotency_key = header_of(r, "Idempotency-Key");
    r->attempt.body_type = order_request_body_type(header_of(r, MHD_HTTP_HEADER_CONTENT_TYPE));
    submit_order_begin(r->context->front_end, &r->attempt);
    if (r->attempt.early == VERDICT_ADMITTED && r->attempt.body_type == BODY_UNSUPPORTED) {
        refuse(r, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
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

/* ---- for the server ---- */

int http_context_start(struct http_context *c, struct front_end *fe)
{
    c->front_end = fe;
    c->cache = http_reply_cache_new();
    return mailbox_new(&c->mailbox);
}

void http_context_end(struct http_context *c)
{
    while (c->unused) {
        struct http_request *r = c->unused;
        c->unused = r->next_unused;
        request_free(r);
    }
    http_reply_cache_free(c->cache);
    mailbox_free(c->mailbox);
}

enum MHD_Result http_routes_handle(void *closure, struct MHD_Connection *connection, const char *url,
                                   const char *method, const char *version, const char *upload,
                                   size_t *upload_size, void **request)
{
    (void)version;
    struct http_request *r = *request;
    if (!r) {
        *request = r = request_take(closure, connection);
        r->method = method;
        r->path = url;
        return begin(r);
    }
    if (*upload_size == 0)
        return answer(r);
    size_t len = *upload_size;
    *upload_size = 0;
    return collect(r, upload, len) ? MHD_YES : MHD_NO;
}

void http_routes_completed(void *closure, struct MHD_Connection *connection, void **request,
                           enum MHD_RequestTerminationCode how)
{
    (void)closure;
    (void)connection;
    (void)how;
    struct http_request *r = *request;
    if (!r)
        return;
    if (r->state == REQUEST_WAITING) /* its submission would be used after it is gone */
        log_panic("request_ended_while_suspended", "method=%s", r->method);
    *request = NULL;
    request_put_back(r);
}

static struct http_request *request_of(struct submission *s)
{
    return (struct http_request *)(void *)((char *)s - offsetof(struct http_request, attempt.submission));
}

void http_routes_resume(struct http_context *c)
{
    struct submission_list judged = mailbox_take(c->mailbox);
    struct submission *s;
    while ((s = submission_list_take(&judged)) != NULL) {
        struct http_request *r = request_of(s);
        r->state = REQUEST_JUDGED;
        c->waiting--;
        MHD_resume_connection(r->connection);
    }
}
