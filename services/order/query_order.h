/*
 * GET /v1/orders/{id}: from memory where the order is known here, else by inventory's word; at once, or when
 * it is decided. A confirmed order's red packet comes with it, if it is known within PACKET_WAIT_NS. Never
 * waits itself. Knows nothing of HTTP beyond the words of an answer.
 */
#ifndef SECKILL_ORDER_QUERY_ORDER_H
#define SECKILL_ORDER_QUERY_ORDER_H

#include "services/order/front_end.h"
#include "services/order/http_reply.h"
#include "services/order/inquiry.h"

enum query_step {
    QUERY_ANSWERED, /* *reply is the answer */
    QUERY_WAITING,  /* the inquiry is at a desk and comes back through its mailbox: then finish */
};

/* q->mailbox is set by the owner, and so is q->viewer. wait: the parameter as it came; NULL: none. */
enum query_step query_order(struct front_end *fe, struct inquiry *q, const char *id, const char *wait,
                            struct http_reply *reply) MUST_USE;

/* The inquiry is back, with all that could be learned there. */
enum query_step query_order_finish(struct front_end *fe, struct inquiry *q,
                                   struct http_reply *reply) MUST_USE;

#endif
