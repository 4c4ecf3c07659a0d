/*
 * The life of an order in the log: one line for each step, each with order=ID, so that one grep tells it
 * (log.orders; off by default, since at full rate it is many lines). In a front end:
 *
 *   order_received → order_submitted (its message left) → order_confirmed, order_refused or order_unknown
 * (the broker) → order_answered (what the client was told, or why it was refused at the door) → order_decided
 * (what came back)
 *
 * inventory writes its own order_decided. X-Request-Id is in the lines about the request.
 */
#ifndef SECKILL_ORDER_ORDER_LOG_H
#define SECKILL_ORDER_ORDER_LOG_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/pipeline/message.h"
#include "services/order/http_reply.h"
#include "services/order/submission.h"

struct front_end;
struct order_attempt;

/* HTTP threads. Both do nothing where log.orders is off. */
void order_log_received(const struct front_end *fe, const struct order_attempt *a); /* let in, has its id */
void order_log_answered(const struct front_end *fe, const struct order_attempt *a,
                        const struct http_reply *reply);

/* Broker thread, after it looked whether log.orders is on. */
void order_log_submitted(const struct submission_list *orders, int64_t seq);
void order_log_verdict(const struct submission_list *orders);
void order_log_decided(const struct decision *d);

#endif
