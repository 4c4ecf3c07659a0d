/*
 * The messages of the events that came together, as a local sink will write them: worked out before the
 * transaction that records them, since it is half of what a message costs and nothing of it needs the store.
 *
 * A block of memory of its own: release it with free().
 */
#ifndef SECKILL_NOTIFICATION_PREPARED_MESSAGES_H
#define SECKILL_NOTIFICATION_PREPARED_MESSAGES_H

#include "services/notification/sink.h"
#include "services/notification/templates.h"

struct prepared_message {
    char order_id[ORDER_ID_SIZE];
    enum event_kind kind;
    int64_t at_ms;      /* of the event */
    size_t offset, len; /* of its text; len 0: not prepared, the line is to be read anew */
};

struct prepared_messages;

/* What is kept from one call to the next; zeroed at first. */
struct message_preparer {
    struct buffer messages, text, composed;
};

void message_preparer_free(struct message_preparer *p); /* what it has room in */

/* One for each line of the body. A line that is no event, or was sent before, is left alone. */
struct prepared_messages *prepare_messages(struct message_preparer *p, struct slice body,
                                           const struct templates *templates, const struct sink *sink);

/* The one of the line with this number, from 1; *composed is its text. NULL: it was left alone. */
const struct prepared_message *prepared_message(const struct prepared_messages *m, int64_t number,
                                                struct slice *composed);

#endif
