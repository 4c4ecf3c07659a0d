/*
 * One request to the gateway as a handle of libcurl's: what is the same for all of them, what is a message's,
 * and what came of it. A request is used again and again, one message at a time.
 *
 * Only http and https, no proxy from the environment, no redirects (a 3xx is a permanent answer: a token and
 * a buyer's message do not go elsewhere). HTTP/1.1 with connections kept alive. Where a kept connection turns
 * out to be dead before anything was answered, curl sends the request again on a new one by itself: under the
 * same Idempotency-Key.
 */
#ifndef SECKILL_NOTIFICATION_WEBHOOK_REQUEST_H
#define SECKILL_NOTIFICATION_WEBHOOK_REQUEST_H

#include <curl/curl.h>

#include "common/base/buffer.h"
#include "services/notification/sink.h"
#include "services/notification/webhook_answer.h"

struct webhook_request { /* a zeroed one was never used */
    CURL *easy;          /* its private pointer is this struct */
    struct curl_slist *headers;
    struct buffer body;
    uint64_t token;
    struct webhook_answer answer;
    CURLcode result;
    bool has_socket;   /* one was made for it: the gateway's address is known */
    bool *is_resolved; /* set to true then; NULL: nobody asks */
    char error[CURL_ERROR_SIZE];
    struct webhook_request *next; /* in a list of its user's */
};

/* Makes it this message's. authorization: a whole header, or empty. The settings stay where they are. */
void webhook_request_prepare(struct webhook_request *r, const struct settings *settings,
                             struct buffer *authorization, const struct sink_message *m);

/* After curl has let go of it: did it fail before there was even an address to connect to? */
bool webhook_request_is_unresolved(const struct webhook_request *r);

/* … what came of it. Forgets the headers: one of them may be the token. */
void webhook_request_judge(struct webhook_request *r, struct sink_outcome *out);

void webhook_request_free(struct webhook_request *r); /* what it holds */

#endif
