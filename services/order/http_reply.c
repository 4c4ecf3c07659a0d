/* Problems and their words, and the responses made of them. */
#include "services/order/http_reply.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"

#define BODY_KEPT (16 * 1024) /* a longer body's memory is given back */

static const struct {
    unsigned status;
    const char *word;
    const char *title;
} problem_kinds[PROBLEM_COUNT] = {
    [PROBLEM_MALFORMED] = {400, "malformed", "The request cannot be read"},
    [PROBLEM_UNAUTHENTICATED] = {401, "unauthenticated", "Who asks is not known"},
    [PROBLEM_FORBIDDEN] = {403, "forbidden", "This may not be done"},
    [PROBLEM_NOT_FOUND] = {404, "not_found", "There is nothing here"},
    [PROBLEM_METHOD_NOT_ALLOWED] = {405, "method_not_allowed", "Another method is needed"},
    [PROBLEM_CONFLICT] = {409, "conflict", "The present state does not allow it"},
    [PROBLEM_PRECONDITION_FAILED] = {412, "precondition_failed", "It is not what the request expects"},
    [PROBLEM_TOO_LARGE] = {413, "too_large", "The request is too large"},
    [PROBLEM_UNSUPPORTED_MEDIA_TYPE] = {415, "unsupported_media_type", "This media type is not understood"},
    [PROBLEM_INVALID] = {422, "invalid", "The request says something that cannot be"},
    [PROBLEM_IDEMPOTENCY_MISMATCH] = {422, "idempotency_mismatch", "The key was used for something else"},
    [PROBLEM_UNKNOWN_ITEM] = {422, "unknown_item", "There is no such item"},
    [PROBLEM_SALE_NOT_STARTED] = {409, "sale_not_started", "The sale has not started"},
    [PROBLEM_SALE_ENDED] = {409, "sale_ended", "The sale has ended"},
    [PROBLEM_SALE_PAUSED] = {409, "sale_paused", "The sale is paused"},
    [PROBLEM_SOLD_OUT] = {409, "sold_out", "Sold out"},
    [PROBLEM_RATE_LIMITED] = {429, "rate_limited", "Too many requests"},
    [PROBLEM_OVERLOADED] = {429, "overloaded", "Too many orders are waiting"},
    [PROBLEM_UNAVAILABLE] = {503, "unavailable", "This is not available right now"},
    [PROBLEM_OUTCOME_UNKNOWN] = {504, "outcome_unknown", "It is not known whether it was done"},
};

void http_reply_reset(struct http_reply *r)
{
    struct buffer body = r->body;
    if (body.cap > BODY_KEPT)
        buffer_free(&body);
    buffer_clear(&body);
    *r = (struct http_reply){.body = body};
}

void http_reply_free(struct http_reply *r)
{
    buffer_free(&r->body);
}

struct buffer *http_reply_text(struct http_reply *r, unsigned status, const char *content_type)
{
    r->status = status;
    r->content_type = content_type;
    buffer_clear(&r->body);
    return &r->body;
}

struct buffer *http_reply_json(struct http_reply *r, unsigned status)
{
    return http_reply_text(r, status, "application/json");
}

void http_reply_locate_order(struct http_reply *r, const char *order_id)
{
    snprintf(r->location, sizeof r->location, "/v1/orders/%s", order_id);
}

static void write_problem(struct http_reply *r, const struct problem *p)
{
    unsigned status = problem_kinds[p->code].status;
    const char *word = problem_kinds[p->code].word;
    struct buffer *b = http_reply_text(r, status, "application/problem+json");
    buffer_printf(
        b, "{\"type\":\"urn:seckill:problem:%s\",\"title\":\"%s\",\"status\":%u,\"code\":\"%s\",\"detail\":",
        word, problem_kinds[p->code].title, status, word);
    buffer_add_json(b, slice_of(p->detail));
    if (p->order_id)
        buffer_printf(b, ",\"order_id\":\"%s\"", p->order_id);
    if (p->starts_ms != 0) {
        char text[RFC3339_SIZE];
        buffer_printf(b, ",\"starts_at\":\"%s\"", rfc3339_format(p->starts_ms, text));
    }
    if (p->has_stock_left)
        buffer_printf(b, ",\"stock_left\":%lld", (long long)p->stock_left);
    buffer_add_text(b, "}");
}

void http_reply_problem(struct http_reply *r, const struct problem *p)
{
    r->is_problem = true;
    r->problem.code = p->code;
    r->status = problem_kinds[p->code].status;
    r->retry_after_s = p->retry_after_s;
    r->authenticate = p->challenge;
    r->is_ready_made = p->detail_is_constant && !p->order_id;
    if (p->order_id)
        http_reply_locate_order(r, p->order_id);
    if (r->is_ready_made)
        r->problem = *p; /* written when it is known whether the cache has it */
    else
        write_problem(r, p);
}

const char *http_reply_problem_word(const struct http_reply *r)
{
    return r->is_problem ? problem_kinds[r->problem.code].word : NULL;
}

void http_reply_see_other(struct http_reply *r, const char *page, const char *order_id)
{
    bool close = r->close;
    http_reply_reset(r);
    r->close = close;
    r->status = MHD_HTTP_SEE_OTHER;
    if (order_id)
        snprintf(r->location, sizeof r->location, "%s%cid=%s", page, strchr(page, '?') ? '&' : '?', order_id);
    else
        snprintf(r->location, sizeof r->location, "%s", page);
}

/* ---- responses ---- */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (value && *value)
        (void)MHD_add_response_header(response, name,
                                      value); /* fails only without memory; the answer stands without */
}

static struct MHD_Response *make_response(const struct http_reply *r, const char *request_id,
                                          enum MHD_ResponseMemoryMode memory)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(r->body.len, r->body.data, memory);
    if (!response)
        return NULL;
    add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, r->content_type);
    add_header(response, MHD_HTTP_HEADER_LOCATION, r->location);
    add_header(response, MHD_HTTP_HEADER_ALLOW, r->allow);
    add_header(response, MHD_HTTP_HEADER_ETAG, r->etag);
    add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, r->authenticate);
    add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, r->cache_control);
    add_header(response, "X-Request-Id", request_id);
    if (r->policy) {
        add_header(response, "Content-Security-Policy", r->policy);
        add_header(response, "X-Content-Type-Options", "nosniff");
        add_header(response, "Referrer-Policy", "no-referrer");
    }
    if (r->retry_after_s > 0) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%d", r->retry_after_s);
        add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    if (r->close)
        add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    return response;
}

/* A direct-mapped cache: what meets another's place takes it. Retry-After alone has 60 values for each
 * refusal. */
#define CACHE_PLACES 1024 /* a power of two */

struct http_reply_cache {
    struct place {
        struct MHD_Response *response; /* NULL: empty */
        struct problem problem;
        bool close;
    } places[CACHE_PLACES];
};

struct http_reply_cache *http_reply_cache_new(void)
{
    return xcalloc(1, sizeof(struct http_reply_cache));
}

void http_reply_cache_free(struct http_reply_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < CACHE_PLACES; i++)
        if (c->places[i].response)
            MHD_destroy_response(c->places[i].response);
    free(c);
}

static bool place_holds(const struct place *place, const struct http_reply *r)
{
    const struct problem *a = &place->problem, *b = &r->problem;
    return place->response && place->close == r->close && a->code == b->code && a->detail == b->detail &&
           a->starts_ms == b->starts_ms && a->has_stock_left == b->has_stock_left &&
           a->stock_left == b->stock_left && a->retry_after_s == b->retry_after_s &&
           a->challenge == b->challenge;
}

static struct place *cache_place(struct http_reply_cache *cache, const struct http_reply *r)
{
    const struct problem *p = &r->problem;
    uint64_t hash = (uint64_t)(uintptr_t)p->detail + (uint64_t)p->code * 31 +
                    (uint64_t)p->retry_after_s * 1009 + (uint64_t)p->stock_left * 61 +
                    (uint64_t)p->starts_ms + (r->close ? 1 : 0);
    hash *= 0x9e3779b97f4a7c15ULL; /* Fibonacci hashing: the high bits are well mixed */
    return &cache->places[hash >> 32 & (CACHE_PLACES - 1)];
}

static struct MHD_Response *cached_response(struct http_reply_cache *cache, struct http_reply *r)
{
    struct place *place = cache_place(cache, r);
    if (place_holds(place, r))
        return place->response;
    write_problem(r, &r->problem);
    struct MHD_Response *response = make_response(r, NULL, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return NULL;
    if (place->response)
        MHD_destroy_response(place->response); /* the library keeps it for connections that still send it */
    *place = (struct place){.response = response, .problem = r->problem, .close = r->close};
    return response;
}

bool http_reply_send(struct http_reply *r, struct http_reply_cache *cache, const char *request_id,
                     struct MHD_Connection *connection)
{
    bool from_cache =
        r->is_ready_made && !request_id && r->allow[0] == '\0' && r->authenticate == r->problem.challenge;
    struct MHD_Response *response;
    if (from_cache) {
        response = cached_response(cache, r);
    } else {
        if (r->is_ready_made)
            write_problem(r, &r->problem);
        response = make_response(r, request_id, MHD_RESPMEM_PERSISTENT);
    }
    if (!response)
        return false;
    bool is_queued = MHD_queue_response(connection, r->status, response) == MHD_YES;
    if (!from_cache)
        MHD_destroy_response(response);
    return is_queued;
}
