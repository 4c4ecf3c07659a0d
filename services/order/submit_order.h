/*
 * POST /v1/orders, from its parts: request → admission → id → pending → publisher, and each verdict → its
 * answer. Never waits. Knows nothing of HTTP beyond the words of an answer.
 */
#ifndef SECKILL_ORDER_SUBMIT_ORDER_H
#define SECKILL_ORDER_SUBMIT_ORDER_H

#include "services/order/admission.h"
#include "services/order/front_end.h"
#include "services/order/http_reply.h"
#include "services/order/order_request.h"
#include "services/order/submission.h"

struct order_attempt { /* one POST; zeroed, then filled by its owner */
    struct submission
        submission; /* .mailbox is set by the owner; lent to the broker thread while SUBMIT_WAITING */
    const char *idempotency_key; /* the header's value; NULL: none */
    const char *request_id;      /* the client's mark for its request, for the log; NULL: none */
    const char *client;          /* its address behind a trusted proxy, for the log; "" or NULL: not told */
    const char *authorization;   /* the header's value; NULL: none */
    struct identity who;         /* by submit_order_begin */
    enum body_type body_type;
    enum admission_verdict early; /* by submit_order_begin */
    int64_t asked_ns;             /* monotonic clock at that moment */
    int64_t user_wait_ns;         /* VERDICT_USER_LIMITED: until this user's next token */
};

/* The headers are here. What is decided now, is answered once the body has been read. */
void submit_order_begin(struct front_end *fe, struct order_attempt *a);

enum submit_step {
    SUBMIT_ANSWERED, /* *reply is the answer */
    SUBMIT_WAITING,  /* the submission is with the broker thread and comes back through its mailbox: then
                        finish */
};

enum submit_step submit_order(struct front_end *fe, struct order_attempt *a, struct slice body,
                              struct http_reply *reply);

/* The verdict is in the submission. */
void submit_order_finish(struct front_end *fe, struct order_attempt *a, struct http_reply *reply);

/* Answers that need nothing of the order; counted like the others. */
void submit_order_refuse(struct front_end *fe, const struct problem *p, struct http_reply *reply);
void submit_order_answer_early(struct front_end *fe, const struct order_attempt *a, struct http_reply *reply);

/* Retry-After for a 503, by the state of the broker. */
int front_end_retry_after_s(const struct front_end *fe);

#endif
