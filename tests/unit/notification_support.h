/* Events as lines, for the tests of notification. */
#ifndef SECKILL_TESTS_NOTIFICATION_SUPPORT_H
#define SECKILL_TESTS_NOTIFICATION_SUPPORT_H

#include <stdio.h>
#include <string.h>

#include "common/pipeline/event_message.h"

/* "01JDXWBXG00000000000000001" and so on. */
static inline void number_order(char order_id[ORDER_ID_SIZE], int number)
{
    snprintf(order_id, ORDER_ID_SIZE, "01JDXWBXG0%016d", number);
}

static inline struct event event_of(enum event_kind kind, int number)
{
    struct event e = {.kind = kind};
    if (kind == EVENT_KIND_GRANTED) {
        e.grant = (struct grant){
            .user_id = "u1", .sku = "phone-1", .quantity = 2, .at_ms = 1795348800456, .amount = 188};
        number_order(e.grant.order_id, number);
        return e;
    }
    e.decision = (struct decision){.status = kind == EVENT_KIND_CONFIRMED ? ORDER_CONFIRMED : ORDER_REJECTED,
                                   .user_id = "u1",
                                   .sku = "phone-1",
                                   .quantity = 2,
                                   .at_ms = 1795348800456};
    number_order(e.decision.order_id, number);
    if (kind == EVENT_KIND_REJECTED)
        e.decision.reason = REASON_SOLD_OUT;
    else {
        e.decision.unit_price = 99900;
        e.decision.total = 199800;
        e.decision.receipt_no = 17;
    }
    return e;
}

/* Appends its line. */
static inline void add_event_line(struct buffer *out, enum event_kind kind, int number)
{
    struct event e = event_of(kind, number);
    if (kind == EVENT_KIND_GRANTED)
        grant_encode(out, &e.grant);
    else
        decision_encode(out, &e.decision);
}

#endif
