/*
 * The line of an event on its way through a delay queue: the event's own, with how many attempts there were
 * as one more member at its end: {…,"attempts":2}. It tells the copy that a record waits for from every other
 * copy of the event: a replay must not use up the attempts. schema/messages/retry.json has examples.
 */
#ifndef SECKILL_NOTIFICATION_RETRY_LINE_H
#define SECKILL_NOTIFICATION_RETRY_LINE_H

#include "common/base/buffer.h"

/* Appends the line with its "\n". event: a JSON object with at least one member. */
void retry_line_encode(struct buffer *out, struct slice event, int64_t attempts);

/* How many there were, 0: it is no such line. */
int64_t retry_line_attempts(struct slice line);

/* Returns the attempts, with the event's own line in *event (replaced); 0: it is no such line, and *event is
 * as it was. */
int64_t retry_line_decode(struct slice line, struct buffer *event);

#endif
