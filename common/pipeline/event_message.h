/*
 * The lines of seckill.events, all kinds: what receivers of events read. The decisions (order.confirmed,
 * order.rejected) are message.h's; red packets are this file's own. schema/messages/decision.json and
 * granted.json have them as JSON Schema with examples.
 */
#ifndef SECKILL_PIPELINE_EVENT_MESSAGE_H
#define SECKILL_PIPELINE_EVENT_MESSAGE_H

#include "common/pipeline/message.h"

enum event_kind { /* stored as numbers in notification.db: only add at the end */
                  EVENT_KIND_CONFIRMED = 1,
                  EVENT_KIND_REJECTED = 2,
                  EVENT_KIND_GRANTED = 3,
};
const char *event_kind_name(enum event_kind kind); /* "order.confirmed"; "" for none of them */

struct grant { /* a red packet that was granted for a confirmed order */
    char order_id[ORDER_ID_SIZE];
    char user_id[NAME_SIZE];
    char sku[NAME_SIZE];
    int32_t quantity; /* the order's */
    int64_t at_ms;
    int64_t amount; /* in the smallest unit (fen), at least 1 */
};

/* Appends the line {"v":1,"event":"redpacket.granted",…,"amount":N}, with its "\n". */
void grant_encode(struct buffer *out, const struct grant *grant);

struct event {
    enum event_kind kind;
    union {
        struct decision decision; /* CONFIRMED, REJECTED */
        struct grant grant;       /* GRANTED */
    };
};

/* Reads one line of any kind. E_INVALID with a detail that names the member; an event of a kind that this
 * version does not know is E_NOT_FOUND: it is nobody's fault, and not for us. */
int event_decode(struct slice line, struct event *out, struct detail *why) MUST_USE;

/* What every kind has. */
const char *event_order_id(const struct event *e);
const char *event_user_id(const struct event *e);
const char *event_sku(const struct event *e);
int64_t event_at_ms(const struct event *e);

#endif
