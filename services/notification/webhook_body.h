/* What the gateway is sent: one JSON object, the same at each attempt. schema/messages/webhook.json has it as
 * JSON Schema with examples. */
#ifndef SECKILL_NOTIFICATION_WEBHOOK_BODY_H
#define SECKILL_NOTIFICATION_WEBHOOK_BODY_H

#include "common/base/buffer.h"
#include "common/pipeline/event_message.h"

/* Appends {"v":1,"order_id":…,"kind":…,"user_id":…,"text":…,…} with what its kind adds; no newline. text:
 * UTF-8. */
void webhook_body_encode(struct buffer *out, const struct event *e, struct slice text);

#endif
