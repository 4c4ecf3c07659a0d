/* A dead letter as it is in seckill.dead: what no worker could take, or what somebody else has put there. */
#ifndef SECKILL_CTL_DEAD_LETTER_H
#define SECKILL_CTL_DEAD_LETTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/broker/connection.h"
#include "common/pipeline/inbox.h"

struct letter { /* texts are the letter's own and never NULL; "" where it does not say */
    uint64_t tag;
    char *id;     /* its message_id; "body-<hash>" where it has none that can be typed */
    bool is_ours; /* a worker of ours made it: key and line are its name there */
    char key[MESSAGE_KEY_SIZE];
    int64_t line, times;
    char *queue; /* where it came from */
    char *reason, *detail;
    char *message_id, *reply_to;     /* of the message that it was */
    int64_t at_ms, attempts, orders; /* 0: it does not say */
    char *body;                      /* NUL behind it */
    size_t body_len;
};

/* with_body false: the body is left out. Free it with letter_free, also a zeroed one. */
void letter_read(const struct broker_delivery *delivery, bool with_body, struct letter *out);
void letter_free(struct letter *l);

/* {"id", "queue", "reason", "detail", "at", "attempts", "times", "orders", "message_id"}, and with the body
 * "reply_to" and "body" ("body_hex" where it is no UTF-8). What it does not say is left out. */
json_t *letter_json(const struct letter *l, bool with_body);

#endif
