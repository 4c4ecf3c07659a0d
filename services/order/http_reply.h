/*
 * An answer, from its words to libmicrohttpd. This header knows nothing of that library, so that what decides
 * answers does not either.
 *
 * A reply belongs to one request and is used again by the next one: its body keeps its memory. Refusals whose
 * words do not change from client to client are kept as ready responses in a cache that belongs to one HTTP
 * thread; nobody who decides an answer needs to know.
 */
#ifndef SECKILL_ORDER_HTTP_REPLY_H
#define SECKILL_ORDER_HTTP_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/pipeline/order_id.h"

enum problem_code { /* RFC 9457; each has its status, its title and its word in http_reply.c */
                    PROBLEM_MALFORMED,
                    PROBLEM_UNAUTHENTICATED,
                    PROBLEM_FORBIDDEN,
                    PROBLEM_NOT_FOUND,
                    PROBLEM_METHOD_NOT_ALLOWED,
                    PROBLEM_CONFLICT,
                    PROBLEM_PRECONDITION_FAILED,
                    PROBLEM_TOO_LARGE,
                    PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                    PROBLEM_INVALID,
                    PROBLEM_IDEMPOTENCY_MISMATCH,
                    PROBLEM_UNKNOWN_ITEM,
                    PROBLEM_SALE_NOT_STARTED,
                    PROBLEM_SALE_ENDED,
                    PROBLEM_SALE_PAUSED,
                    PROBLEM_SOLD_OUT,
                    PROBLEM_RATE_LIMITED,
                    PROBLEM_OVERLOADED,
                    PROBLEM_UNAVAILABLE,
                    PROBLEM_OUTCOME_UNKNOWN,
                    PROBLEM_COUNT
};

struct problem {
    enum problem_code code;
    const char *detail; /* one sentence; a constant if detail_is_constant, else needed during the call only */
    bool detail_is_constant;
    const char *order_id; /* NULL: none. Else also the Location */
    int64_t starts_ms;    /* 0: none */
    bool has_stock_left;
    int64_t stock_left;
    int retry_after_s;     /* 0: none */
    const char *challenge; /* WWW-Authenticate, a constant; NULL: none */
};

#define HTTP_LOCATION_SIZE 256

struct http_reply {
    unsigned status;
    const char *content_type;
    struct buffer body;
    char location[HTTP_LOCATION_SIZE]; /* "": none */
    char allow[32];                    /* "": none */
    char etag[24];                     /* with its quotes; "": none */
    const char *authenticate;          /* WWW-Authenticate, a constant; NULL: none */
    const char *cache_control;         /* a constant; NULL: none */
    const char *policy;                /* Content-Security-Policy, of a page; NULL: none */
    int retry_after_s;                 /* 0: none */
    bool close;                        /* say "Connection: close" and do so */
    bool is_problem;                   /* `problem.code` says which */
    bool is_ready_made;                /* `problem` is the answer, and may come from the cache */
    struct problem problem;
};

/* Forgets the last answer, keeps the memory (unless it was a large one). */
void http_reply_reset(struct http_reply *r);
void http_reply_free(struct http_reply *r); /* what it holds, not *r */

/* Begins an answer with a JSON body; the caller appends the body to what this returns. */
struct buffer *http_reply_json(struct http_reply *r, unsigned status);
struct buffer *http_reply_text(struct http_reply *r, unsigned status, const char *content_type);

void http_reply_problem(struct http_reply *r, const struct problem *p);

/* "sold_out"; NULL where the answer is no problem. */
const char *http_reply_problem_word(const struct http_reply *r);

/* Instead of the answer so far: 303 to this page, with "?id=" and the order's id unless that is NULL. */
void http_reply_see_other(struct http_reply *r, const char *page, const char *order_id);

/* Location: /v1/orders/{id} */
void http_reply_locate_order(struct http_reply *r, const char *order_id);

struct http_reply_cache;
struct http_reply_cache *http_reply_cache_new(void);
void http_reply_cache_free(struct http_reply_cache *c); /* NULL is fine */

/* Queues the answer. r must stay as it is until the request is completed: the body is not copied. request_id:
 * the client's X-Request-Id to send back, or NULL. false: the library took nothing; give the connection up.
 */
struct MHD_Connection;
bool http_reply_send(struct http_reply *r, struct http_reply_cache *cache, const char *request_id,
                     struct MHD_Connection *connection);

#endif
