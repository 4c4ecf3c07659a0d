/* The life of a request. */
#include "common/base/fault.h"
#include "services/order/http_request.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "services/order/http_accept.h"
#include "services/order/query_order.h"

#define DISCARD_MAX                                                                                          \
    (64 * 1024) /* of a body that is too long and did not say so; then the connection is closed */
#define REQUEST_ID_MAX 128
#define UNUSED_MAX     1024 /* request objects kept for later */
#define CROWD          500  /* so many suspended, and resuming is held back */
#define HOLD_NS        100  /* … by so much for each of them: some four times what the walk takes */

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
    r->inquiry.mailbox = r->question.mailbox = c->mailbox;
    r->question.text = r->question.result = NULL;
    r->context = c;
    r->connection = connection;
    r->client = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    r->route = NULL;
    r->tail = r->request_id = NULL;
    r->prefers_html = false;
    r->forwarded = NULL;
    r->from[0] = '\0';
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
    admin_question_clear(&r->question);
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
    http_clients_whole(&r->context->clients, r->client);
    if (r->route && r->route->finish)
        r->route->finish(r);
    if (r->request_id && log_wants(LOG_LEVEL_DEBUG)) {
        char path[256];
        log_debug("http_request", "method=%s path=%s status=%u request_id=%s", r->method,
                  log_quote(r->path, path, sizeof path), r->reply.status, r->request_id);
    }
    return http_reply_send(&r->reply, r->context->cache, r->request_id, r->connection) ? MHD_YES : MHD_NO;
}

static void refuse(struct http_request *r, const struct problem *p)
{
    r->state = REQUEST_REFUSED;
    r->reply.allow[0] = '\0';
    if (r->route && r->route->takes_order) /* counted among the answers of POST /v1/orders */
        submit_order_refuse(r->context->front_end, p, &r->reply);
    else
        http_reply_problem(&r->reply, p);
}

void http_request_refuse(struct http_request *r, enum problem_code code, const char *detail)
{
    bool is_later = code == PROBLEM_UNAVAILABLE || code == PROBLEM_RATE_LIMITED;
    int retry_s = is_later ? front_end_retry_after_s(r->context->front_end) : 0;
    refuse(r, &(struct problem){
                  .code = code, .detail = detail, .detail_is_constant = true, .retry_after_s = retry_s});
}

void http_request_unauthenticated(struct http_request *r, enum token_verdict verdict)
{
    if (verdict == TOKEN_CROWD) {
        http_request_refuse(r, PROBLEM_RATE_LIMITED, token_verdict_detail(verdict));
        return;
    }
    refuse(r, &(struct problem){.code = PROBLEM_UNAUTHENTICATED,
                                .detail = token_verdict_detail(verdict),
                                .detail_is_constant = true,
                                .challenge = token_verdict_challenge(verdict)});
}

_Static_assert(ADMIN_BODY_MAX == 2048 && ORDER_BODY_MAX == 4096, "the texts in refuse_body");

static size_t body_max(const struct http_request *r)
{
    return r->route && r->route->body_max ? r->route->body_max : ORDER_BODY_MAX;
}

/* Too long a body; but what was decided before it still comes first. */
static void refuse_body(struct http_request *r)
{
    if (r->attempt.early == VERDICT_ADMITTED) {
        http_request_refuse(r, PROBLEM_TOO_LARGE,
                            body_max(r) == ADMIN_BODY_MAX ? "a body may have 2048 bytes"
                                                          : "a body may have 4096 bytes");
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
    if (r->context->listener == LISTENER_ADMIN || /* operators look most when there is too much of all */
        atomic_load_explicit(&fe->connections, memory_order_relaxed) <= fe->max_connections)
        return;
    metric_add(fe->metrics, METRIC_HTTP_SHED, 1);
    http_request_refuse(r, PROBLEM_UNAVAILABLE,
                        "this front end has too many connections; nothing was queued");
    r->reply.close = true;
}

/* Behind a trusted proxy an address is limited in requests under way, since the connections are the proxy's.
 */
static void count_client(struct http_request *r, const struct forwarded *forwarded)
{
    struct front_end *fe = r->context->front_end;
    struct sockaddr_in6 client;
    const struct sockaddr *peer =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    if (!forwarded_client(forwarded, &fe->proxies, peer, &client))
        return;
    if (atomic_load_explicit(&fe->log_orders, memory_order_relaxed))
        forwarded_text(&client, r->from);
    const struct sockaddr *address = (const struct sockaddr *)&client;
    if (address_limit_allows(fe->clients, address)) {
        r->forwarded = address_limit_enter(fe->clients, address);
        return;
    }
    metric_add(fe->metrics, METRIC_HTTP_ADDRESS_FULL, 1);
    if (r->route && r->route->takes_order)
        metric_add(fe->metrics, METRIC_LIMITED_ADDRESS, 1);
    http_request_refuse(r, PROBLEM_RATE_LIMITED, "this address has too many requests under way");
}

static bool body_is_long(const struct http_request *r)
{
    const char *text = header_of(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    int64_t length;
    return text && (number_parse(text, 0, INT64_MAX, &length) != 0 || (size_t)length > body_max(r));
}

struct heads { /* what is gathered in one pass over the headers */
    int hosts, lengths, encodings, authorizations;
    bool is_chunked, is_malformed;
    struct http_accept accept;
    struct forwarded forwarded;
};

/* "Transfer-Encoding : chunked" is another header to us than to a server that is generous with blanks. */
static bool is_header_name(const char *name)
{
    return *name && name[strcspn(name, " \t\r\n\v\f\"(),/:;<=>?@[\\]{}\x7f")] == '\0';
}

/* Free of control characters, and ended by CR LF: the library takes a lone LF for the end of a line, and a
 * lone CR for a part of it, and a server before us may see either differently. It puts NULs over what ended
 * the line: two for CR LF. */
static bool is_header_value(const char *value)
{
    const char *p = value;
    for (; *p; p++)
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
            return false;
    return p[1] == '\0';
}

static enum MHD_Result note_header(void *closure, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    struct heads *h = closure;
    if (!is_header_name(name) || !value || !is_header_value(value)) {
        h->is_malformed = true;
        return MHD_NO;
    }
    switch (name[0] | 0x20) {
    case 'c':
        h->lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
        break;
    case 'h':
        h->hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
        break;
    case 't':
        if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
            h->encodings++;
            h->is_chunked = strcasecmp(value, "chunked") == 0;
        }
        break;
    case 'x':
        if (strcasecmp(name, "X-Forwarded-For") == 0)
            forwarded_note(&h->forwarded, value);
        break;
    case 'a':
        if (strcasecmp(name, MHD_HTTP_HEADER_ACCEPT) == 0 && strcmp(value, "*/*") != 0)
            http_accept_read(&h->accept, value);
        h->authorizations += strcasecmp(name, MHD_HTTP_HEADER_AUTHORIZATION) == 0;
        break;
    default:
        break;
    }
    return MHD_YES;
}

/* A body whose end is said twice, or in a way that we do not speak: a proxy before us may see another end
 * than we do, and take for the next request what is a part of this one (or the other way round). */
static bool framing_is_doubtful(const struct heads *h, bool is_old)
{
    return h->lengths + h->encodings > 1 || (h->encodings > 0 && (!h->is_chunked || is_old));
}

/* What is wrong with the headers as such, or NULL. */
static const char *fault_of(const struct heads *h, const char *version)
{
    bool is_old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0; /* had neither chunks nor, by need, a Host */
    if (h->is_malformed)
        return "a header has a name or value that none may have, or its line does not end with CR LF";
    if (framing_is_doubtful(h, is_old))
        return "one Content-Length, or Transfer-Encoding: chunked, must say where the body ends";
    if (h->authorizations > 1)
        return "there must be no more than one Authorization";
    return h->hosts == 1 || (is_old && h->hosts == 0) ? NULL : "there must be one Host";
}

/* The headers are here. */
static enum MHD_Result begin(struct http_request *r, const char *version)
{
    metric_add(r->context->front_end->metrics, METRIC_HTTP_REQUESTS, 1);
    r->request_id = usable_request_id(header_of(r, "X-Request-Id"));
    r->began_ns = clock_mono_ns();
    struct heads heads = {0};
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, note_header, &heads);
    r->prefers_html = http_accept_prefers_html(&heads.accept);
    http_route_find(r);
    const char *fault = fault_of(&heads, version);
    if (fault) {
        http_request_refuse(r, PROBLEM_MALFORMED, fault);
        r->reply.close = true; /* what follows may be anything */
        return send_reply(r);
    }
    shed(r);
    if (r->state == REQUEST_READING)
        count_client(r, &heads.forwarded);

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
    if (r->state == REQUEST_READING && len > body_max(r) - r->body_len)
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
        http_clients_whole(&r->context->clients, r->client);
        r->route->answer(r);
        break;
    case REQUEST_JUDGED:
        FAULT_POINT("http.answering");
        submit_order_finish(r->context->front_end, &r->attempt, &r->reply);
        break;
    case REQUEST_TOLD:
        if (query_order_finish(r->context->front_end, &r->inquiry, &r->reply) == QUERY_WAITING)
            r->state = REQUEST_WAITING;
        break;
    case REQUEST_ASKED:
        change_item_finish(r->context->front_end, &r->question, &r->reply);
        break;
    case REQUEST_REFUSED:
        break;
    case REQUEST_WAITING: /* not called while suspended */
        return MHD_YES;
    }
    if (r->state != REQUEST_WAITING)
        return send_reply(r);
    /* The verdict cannot be in before this: only this thread reads the mailbox. */
    r->context->waiting++;
    MHD_suspend_connection(r->connection);
    FAULT_POINT("http.suspended");
    return MHD_YES;
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
    struct http_request *r = *request;
    ((struct http_context *)closure)->calls++;
    if (!r) {
        *request = r = request_take(closure, connection);
        r->method = method;
        r->path = url;
        return begin(r, version);
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
    struct http_request *r = *request;
    if (!r)
        return;
    if (r->state == REQUEST_WAITING) /* its submission would be used after it is gone */
        log_panic("request_ended_while_suspended", "method=%s", r->method);
    *request = NULL;
    address_limit_leave(r->context->front_end->clients, r->forwarded);
    if (r->state == REQUEST_JUDGED)
        FAULT_POINT("http.answered");
    if (how == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        http_clients_rests(&r->context->clients, r->client, clock_mono_ns());
    request_put_back(r);
}

static struct http_request *request_of(struct submission *s)
{
    return (struct http_request *)(void *)((char *)s - offsetof(struct http_request, attempt.submission));
}

static void resume(struct http_request *r, enum request_state state)
{
    r->state = state;
    r->context->waiting--;
    MHD_resume_connection(r->connection);
}

void http_routes_resume(struct http_context *c)
{
    struct submission_list judged = mailbox_take(c->mailbox);
    struct inquiry_list told;
    struct submission *s;
    struct inquiry *q;
    struct admin_question_list asked;
    struct admin_question *a;
    mailbox_take_inquiries(c->mailbox, &told);
    mailbox_take_questions(c->mailbox, &asked);
    if (judged.count > 0)
        FAULT_POINT("http.before_resume");
    while ((s = submission_list_take(&judged)) != NULL)
        resume(request_of(s), REQUEST_JUDGED);
    while ((q = STAILQ_FIRST(&told)) != NULL) {
        STAILQ_REMOVE_HEAD(&told, in_mailbox);
        resume((struct http_request *)(void *)((char *)q - offsetof(struct http_request, inquiry)),
               REQUEST_TOLD);
    }
    while ((a = STAILQ_FIRST(&asked)) != NULL) {
        STAILQ_REMOVE_HEAD(&asked, in_mailbox);
        resume((struct http_request *)(void *)((char *)a - offsetof(struct http_request, question)),
               REQUEST_ASKED);
    }
    if (c->waiting > CROWD)
        c->resume_ns = clock_mono_ns() + (int64_t)c->waiting * HOLD_NS;
}

bool http_routes_holds(const struct http_context *c, int64_t now_ns)
{
    return now_ns < c->resume_ns;
}

int64_t http_routes_sleep_ns(const struct http_context *c, int64_t now_ns, int64_t most_ns)
{
    int64_t until_ns = status_desk_next_ns(c->front_end->desk);
    int64_t packet_ns = packet_desk_next_ns(c->front_end->packets);
    int64_t admin_ns = admin_desk_next_ns(c->front_end->admin);
    if (packet_ns < until_ns)
        until_ns = packet_ns;
    if (admin_ns < until_ns)
        until_ns = admin_ns;
    if (http_routes_holds(c, now_ns) && c->resume_ns < until_ns)
        until_ns = c->resume_ns;
    if (until_ns <= now_ns)
        return 0;
    return until_ns - now_ns < most_ns ? until_ns - now_ns : most_ns;
}
